"""The documents name keys, options and files that there are, and every key of a recipe with its default."""

import argparse
import dataclasses
import re
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest

from codepref.cli.parser import build_parser
from codepref.config.fields import toml_value
from codepref.config.pool import Member
from codepref.config.recipe import Recipe

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "recipes" / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
OTHERS = {"--base-only"}
"""Options of other programs."""


def tables() -> str:
    """The tables of docs/recipe.md, as the sections have them."""
    hints = get_type_hints(Recipe)
    sections = [(f"[{key}]", kind) for key, kind in hints.items() if dataclasses.is_dataclass(kind)]
    return "\n".join(_table(name, kind) for name, kind in [*sections, ("[[pool]]", Member)])


def _table(name: str, kind: Any) -> str:
    hints = get_type_hints(kind)
    lines = [f"## {name}\n", kind.__doc__.strip() + "\n", "| key | default | values | meaning |", "|---|---|---|---|"]
    for item in dataclasses.fields(kind):
        default = f"`{toml_value(item.default)}`"
        if len(default) > 100:
            default = "in `codepref/sampling/templates.py`"
        lines.append(f"| `{item.name}` | {default} | {_values(hints[item.name], item)} | {item.metadata['doc']} |")
    return "\n".join([*lines, ""])


def _values(hint: Any, item: Any) -> str:
    many = get_origin(hint) is tuple
    kind = get_args(hint)[0] if many else hint
    if get_origin(kind) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(kind))
    names = {str: "text", int: "whole number", float: "number", bool: "`true`, `false`"}
    words = f"list of {names[kind]}s" if many else names[kind]
    signs = {"low": "≥", "above": ">", "high": "≤"}
    bounds = [f"{sign} {item.metadata[end]:g}" for end, sign in signs.items() if item.metadata[end] is not None]
    return ", ".join([words, *bounds])


def test_every_key_of_a_recipe_is_documented() -> None:
    written = (ROOT / "docs" / "recipe.md").read_text()
    assert tables() in written, f"docs/recipe.md must end with:\n\n{tables()}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_document_names_is_there(document: Path) -> None:
    text = document.read_text()
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", text)
    results = ROOT / "benchmarks" / "results"  # a benchmark writes them, hours after the document
    gone = [
        link
        for link in links
        if "://" not in link and not (path := (document.parent / link).resolve()).exists() and path.parent != results
    ]
    assert not gone
    hints = get_type_hints(Recipe)
    sections = {key: kind for key, kind in hints.items() if dataclasses.is_dataclass(kind)}
    named = re.findall(rf"`({'|'.join(sections)})\.([a-z_]+)(?: = [^`]*)?`", text)
    files = {"json", "jsonl", "toml", "py", "md"}
    unknown = [
        f"{section}.{key}"
        for section, key in named
        if key not in files and key not in {item.name for item in dataclasses.fields(sections[section])}
    ]
    assert not unknown
    (commands,) = [action for action in build_parser()._actions if isinstance(action, argparse._SubParsersAction)]
    options = {word for command in commands.choices.values() for a in command._actions for word in a.option_strings}
    assert not set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text)) - options - OTHERS
    blocks = "".join(re.findall(r"^```\n(.*?)^```", text, re.M | re.S))
    assert not set(re.findall(r"^codepref ([a-z]+)", blocks, re.M)) - set(commands.choices)
