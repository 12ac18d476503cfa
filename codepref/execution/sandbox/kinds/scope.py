"""The namespaces in which tests run, and the module `solution` that they may import."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Iterable
from typing import Any

Read = Callable[[str], Any]
"""A function that returns the present value of a global name of the solution. Raises NameError if there is none."""


class Scope(dict[str, Any]):
    """A namespace in which some names are read from the solution at each use, since calls may change their values."""

    def __init__(self, names: dict[str, Any], live: frozenset[str], read: Read) -> None:
        super().__init__({name: value for name, value in names.items() if name not in live})
        self._live, self._read = live, read

    def __missing__(self, name: str) -> Any:
        if name not in self._live:
            raise KeyError(name)
        try:
            return self._read(name)
        except NameError:
            raise KeyError(name) from None


class SolutionModule(types.ModuleType):
    """The module that a test imports in place of the solution. Names that it does not hold come from the solution."""

    def __init__(self, name: str, functions: dict[str, Any], names: Iterable[str], read: Read) -> None:
        """functions: the functions of the solution. names: names that `from solution import *` gives to the test."""
        super().__init__(name)
        self.__dict__.update(functions, _read_name=read)
        self.offer(names)

    def offer(self, names: Iterable[str]) -> None:
        """Let `from solution import *` give these names to the test, apart from private ones."""
        self.__dict__["__all__"] = [name for name in names if not name.startswith("_")]

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("__"):
            try:
                return self.__dict__["_read_name"](name)
            except NameError:
                pass
        raise AttributeError(f"the solution has no name {name!r}")


def register(module: types.ModuleType, names: Iterable[str]) -> None:
    """Make `import NAME` mean `module` in this process, for each of `names`. A name may hold dots."""
    for name in names:
        sys.modules[name] = module
        parent, _, child = name.rpartition(".")
        while parent:
            package = sys.modules.setdefault(parent, types.ModuleType(parent))
            setattr(package, child, sys.modules[f"{parent}.{child}"])
            parent, _, child = parent.rpartition(".")
