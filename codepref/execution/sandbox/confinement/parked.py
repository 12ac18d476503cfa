"""Parked modules: loaded in a zygote, and invisible to its children until one of them imports such a module.

A submodule that a zygote has simply loaded would be an attribute of its package in every child. A program that forgets
to import it would then run here, although plain Python refuses it. So the zygote takes the submodules out of
`sys.modules` and out of their packages, and a finder puts them back.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import sys
import types
from collections.abc import Sequence


class ParkedModules:
    """A finder and loader of the modules that one import has loaded.

    An import of one of them puts back all of them, since each may hold objects of the others. The class has no base in
    `importlib.abc`, since that module imports `random`, which then takes new seeds in each child.
    modules: the modules by name. They are taken out of `sys.modules`.
    """

    def __init__(self, modules: dict[str, types.ModuleType]) -> None:
        self._modules = modules
        self._attributes: list[tuple[types.ModuleType, str, types.ModuleType]] = []
        for name, module in modules.items():
            parent, _, child = name.rpartition(".")
            package = sys.modules.get(parent)
            if package is not None and parent not in modules and getattr(package, child, None) is module:
                delattr(package, child)
                self._attributes.append((package, child, module))
        self._specs = {name: module.__spec__ for name, module in modules.items()}
        for name in modules:
            del sys.modules[name]

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return a spec for a parked module, and put back all others. Return None for every other module."""
        if fullname not in self._modules:
            return None
        for package, child, module in self._attributes:
            setattr(package, child, module)
        sys.modules.update((name, module) for name, module in self._modules.items() if name != fullname)
        sys.meta_path.remove(self)
        return importlib.machinery.ModuleSpec(fullname, self)  # type: ignore[arg-type]

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        """Return the parked module."""
        return self._modules[spec.name]

    def exec_module(self, module: types.ModuleType) -> None:
        """Restore the spec of the module, which the import has replaced. The module's code ran when it was parked."""
        module.__spec__ = self._specs[module.__name__]


def park(name: str) -> None:
    """Import the submodule `name`, and park the modules of its top-level package that this import loads.

    Raises what the import raises.
    """
    if name in sys.modules:
        return
    package, before = name.partition(".")[0], set(sys.modules)
    importlib.import_module(name)
    loaded = {
        other: module
        for other, module in sys.modules.items()
        if other not in before and other.startswith(f"{package}.")
    }
    if loaded:
        sys.meta_path.insert(0, ParkedModules(loaded))
