"""Names that sections of a recipe had in earlier versions. They still work, and each use gives one warning."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

OLD_SECTIONS = {"watch": "validation"}
"""Old name -> current name."""


def rename_sections(document: Mapping[str, Any], where: str, mistakes: list[str]) -> dict[str, Any]:
    """The tables of a recipe under their current names, in their order.

    where: the file, for messages. A document that holds a section under both names adds a line to `mistakes`, and the
    table under the old name is left out.
    """
    current: dict[str, Any] = {}
    for name, table in document.items():
        new = OLD_SECTIONS.get(name, name)
        if new != name and new in document:
            mistakes.append(
                f"{where}: [{name}] is the old name of [{new}], and both are there: write all keys in [{new}]"
            )
            continue
        if new != name:
            _warn(f"{where}: the section [{name}] is now called [{new}]")
        current[new] = table
    return current


def rename_override(override: str) -> str:
    """`section.key=value` with the current name of the section."""
    path, equals, value = override.partition("=")
    section, dot, key = path.strip().partition(".")
    new = OLD_SECTIONS.get(section, section)
    if new == section:
        return override
    _warn(f"--set {override}: the section [{section}] is now called [{new}]")
    return f"{new}{dot}{key}{equals}{value}"


def _warn(message: str) -> None:
    # a fixed place: Python then shows an equal message only once, however often the recipe is read
    warnings.warn(message, FutureWarning, stacklevel=1)
