"""Text files that ship with the package, such as prompts."""

from __future__ import annotations

from importlib.resources import files


def packaged_text(package: str, name: str) -> str:
    """The text of the file `name` (with "/" between folders) in `package`, without the newline that ends the file."""
    return files(package).joinpath(name).read_text(encoding="utf-8").removesuffix("\n")
