"""Reads text files that ship with the package, such as prompts."""

from __future__ import annotations

from importlib.resources import files


def packaged_text(package: str, name: str) -> str:
    """Return the text of the file `name` in `package`. If the text ends in a newline, this newline is removed.

    A "/" in `name` separates folders.
    """
    return files(package).joinpath(name).read_text(encoding="utf-8").removesuffix("\n")
