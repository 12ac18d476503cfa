"""Translates the names that sections of a recipe had in earlier versions, and warns about them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

OLD_SECTIONS = {"watch": "validation"}
"""The current names of sections by their old names."""


def rename_sections(document: Mapping[str, Any], where: str, mistakes: list[str]) -> dict[str, Any]:
    """Return the entries of `document` under the current names of sections, in the same order.

    where: the file that messages name. If `document` holds a section under its old name and under its current name,
    `mistakes` gets a line, and the table under the old name is left out.
    """
    current: dict[str, Any] = {}
    for name, table in document.items():
        new = OLD_SECTIONS.get(name, name)
        if new != name and new in document:
            mistakes.append(
                f"{where}: [{name}] is the old name of [{new}], and the file holds both. Write all keys in [{new}]"
            )
            continue
        if new != name:
            _warn(f"{where}: the section [{name}] is now called [{new}]")
        current[new] = table
    return current


def rename_override(override: str) -> str:
    """Return the override `section.key=value` with the current name of its section."""
    path, equals, value = override.partition("=")
    section, dot, key = path.strip().partition(".")
    new = OLD_SECTIONS.get(section, section)
    if new == section:
        return override
    _warn(f"--set {override}: the section [{section}] is now called [{new}]")
    return f"{new}{dot}{key}{equals}{value}"


def _warn(message: str) -> None:
    # stacklevel=1 gives all these warnings one source line, so by default Python shows equal messages only once
    warnings.warn(message, FutureWarning, stacklevel=1)
