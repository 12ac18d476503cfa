"""Tables of objects that users choose by name: entries of codepref and of other installed packages."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from codepref.errors import UserError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

T = TypeVar("T")


class Registry(Generic[T]):
    """A table of named objects. Each object is imported when it is first loaded.

    kind: the word for an entry in messages, such as "rule". group: the entry-point group in which other packages
    register entries. builtin: codepref's own entries, as name -> "module:attribute". expects: the type of which an
    entry of another package must be an instance; None accepts any type.

    A package adds an entry in its pyproject.toml:

        [project.entry-points."codepref.rules"]
        my-rule = "my_package.rules:MY_RULE"
    """

    def __init__(self, kind: str, group: str, builtin: Mapping[str, str], expects: type | None = None) -> None:
        self.kind, self.group, self.builtin, self.expects = kind, group, dict(builtin), expects
        self._loaded: dict[str, T] = {}

    @cached_property
    def plugins(self) -> dict[str, list[EntryPoint]]:
        """The entry points in `group` by name. A list has several elements if several packages use its name.

        The installed packages are searched when this is first read, and not again.
        """
        from importlib.metadata import entry_points  # imported here because it is slow

        points: dict[str, list[EntryPoint]] = {}
        for point in entry_points(group=self.group):
            points.setdefault(point.name, []).append(point)
        return points

    def names(self) -> tuple[str, ...]:
        """Return all names: codepref's own in the table's order, then those of other packages in alphabetical order."""
        return (*self.builtin, *sorted(self.plugins.keys() - self.builtin.keys()))

    def __contains__(self, name: object) -> bool:
        return name in self.builtin or name in self.plugins

    def mistake(self, name: str) -> str:
        """Return why `name` cannot be chosen, or "". This does not import the entry, so `load` can still fail."""
        if name not in self:
            return f"unknown {self.kind} {name!r}{self._hint(name)}"
        if name not in self.plugins or len(self.plugins[name]) + (name in self.builtin) == 1:
            return ""
        packages = sorted(map(_package, self.plugins[name]))
        owners = " and ".join((["codepref"] if name in self.builtin else []) + packages)
        remedy = " and ".join(packages) if name in self.builtin else "all of them but one"
        return f"{self.kind} {name!r} is registered by {owners} (entry points of {self.group}). Uninstall {remedy}"

    def load(self, name: str) -> T:
        """Return the entry `name`, and import it at the first call.

        Raises UserError for an unknown name, for a name that several packages register, and for an entry of another
        package that cannot be imported or has the wrong type.
        """
        if name not in self._loaded:
            if mistake := self.mistake(name):
                raise UserError(mistake)
            self._loaded[name] = self._import(name)
        return self._loaded[name]

    def _import(self, name: str) -> Any:
        if name in self.builtin:
            module, _, attribute = self.builtin[name].partition(":")
            return getattr(importlib.import_module(module), attribute)
        (point,) = self.plugins[name]
        origin = f"{self.kind} {name!r} of {_package(point)} ({point.value})"
        try:
            entry = point.load()
        except Exception as error:  # importing foreign code can raise anything
            raise UserError(f"{origin} cannot be imported: {type(error).__name__}: {error}") from error
        if self.expects is not None and not isinstance(entry, self.expects):
            raise UserError(f"{origin} is of type {type(entry).__name__}, and must be of type {self.expects.__name__}")
        return entry

    def _hint(self, name: str) -> str:
        from difflib import get_close_matches

        names = self.names()
        close = get_close_matches(name, names, n=1)
        meant = f" (did you mean {close[0]!r}?)" if close else ""
        return f"{meant}; known: {', '.join(names)}"


def _package(point: EntryPoint) -> str:
    return f"the package {point.dist.name}" if point.dist else "a package without a name"
