"""Tables of named things that users choose from: codepref's own entries and those of other installed packages."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from functools import cached_property
from importlib import metadata
from typing import Any, Generic, TypeVar

from codepref.errors import UserError

T = TypeVar("T")


class Registry(Generic[T]):
    """One table: a name leads to an object that is imported when it is first used.

    kind: what messages call an entry, such as "rule". builtin: name -> "module:attribute". group: the entry points in
    which other packages register entries of the same kind. codepref's own names cannot be taken.
    """

    def __init__(self, kind: str, group: str, builtin: Mapping[str, str]) -> None:
        self.kind, self.group, self.builtin = kind, group, dict(builtin)
        self._loaded: dict[str, T] = {}

    @cached_property
    def plugins(self) -> dict[str, metadata.EntryPoint]:
        """The entries of other packages by name. They are looked up at the first use."""
        return {point.name: point for point in metadata.entry_points(group=self.group)}

    def names(self) -> tuple[str, ...]:
        """All names: codepref's own in the table's order, then those of other packages in alphabetical order."""
        return (*self.builtin, *sorted(self.plugins.keys() - self.builtin.keys()))

    def __contains__(self, name: object) -> bool:
        return name in self.builtin or name in self.plugins

    def mistake(self, name: str) -> str:
        """Why `name` cannot be chosen, or "" where it can."""
        if name in self.builtin:
            clash = self.plugins.get(name)
            return (
                f"{self.kind} {name!r} of the package {_package(clash)} has a name of codepref's own" if clash else ""
            )
        return "" if name in self.plugins else f"unknown {self.kind} {name!r}; known: {', '.join(self.names())}"

    def load(self, name: str) -> T:
        """The entry of that name.

        Raises UserError for an unknown name, for a name that two packages claim, and for another package's entry that
        cannot be imported.
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
        point = self.plugins[name]
        try:
            return point.load()
        except (ImportError, AttributeError, SyntaxError) as error:
            raise UserError(
                f"{self.kind} {name!r} of the package {_package(point)} cannot be loaded ({point.value}: {error})"
            ) from error


def _package(point: metadata.EntryPoint | None) -> str:
    return point.dist.name if point and point.dist else "of unknown name"
