"""The documents agree with the code in options, recipe keys, functions, files, links and anchors."""

import argparse
import ast
import dataclasses
import importlib
import importlib.util
import os
import re
import shlex
import subprocess
import sys
import tomllib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from codepref.cli.parser import build_parser
from codepref.config.recipe import Recipe, recipe_from_document
from codepref.config.sections import TrainingSection
from codepref.runs.recipes import load_recipe

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "recipes/README.md")),
    *sorted(DOCS.rglob("*.md")),
]
SERVERS = {"--generation-config", "--min-p", "--model-path", "--parallel", "--sampling-defaults", "--top-k"}
OTHER_PROGRAMS = {"--base-only", "--gpu-memory-utilization", "--port"} | SERVERS
"""Options of other programs that the documents name."""

README_LINES = 120
BLOCK = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.M | re.S)
"""Matches a fenced block. The groups are its language and its text."""

TABLES = [
    ("codepref.pairing.rules:RULES", "explanation/pairing.md"),
    ("codepref.training.methods:METHODS", "explanation/training.md"),
    ("codepref.problems.formats:FORMATS", "reference/problems.md"),
    ("codepref.sampling.engines:ENGINES", "how-to/sample.md"),
    ("codepref.exports:TRAINERS", "how-to/export.md"),
]
"""Tables of names that users choose from, each with the page that describes all names."""


def generator() -> Any:
    """Return docs/generate.py as a module."""
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


every_document = pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)


def commands() -> dict[str, argparse.ArgumentParser]:
    (action,) = [action for action in build_parser()._actions if isinstance(action, argparse._SubParsersAction)]
    return action.choices


def options(parser: argparse.ArgumentParser) -> set[str]:
    """Return the names of the options of one command, without the hidden old names."""
    shown = [action for action in parser._actions if action.help != argparse.SUPPRESS]
    return {name for action in shown for name in action.option_strings}


def blocks(text: str, *languages: str) -> list[str]:
    return [body for language, body in BLOCK.findall(text) if language in languages]


def command_lines(text: str) -> Iterator[list[str]]:
    """Yield the words after `codepref` of each line that begins with `codepref ` in a document's blocks of shell text.

    Continued lines are joined, and lines that do not look like commands are left out.
    """
    for body in blocks(text, "", "sh", "bash"):
        for line in body.replace("\\\n", " ").splitlines():
            if line.startswith("codepref ") and not re.match(r"codepref/|codepref [A-Z]", line):
                yield shlex.split(re.sub(r"\s#\s.*", "", line))[1:]


def anchors(path: Path) -> set[str]:
    """Return the anchors that GitHub gives to a page's headings, if the headings differ and hold no links."""
    text = BLOCK.sub("", path.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.+)$", text, re.M)
    words = [re.sub(r"[^\w\s-]", "", heading.lower()).strip() for heading in headings]
    return {re.sub(r"\s", "-", word) for word in words}


@every_document
def test_links_lead_to_files_and_headings(document: Path) -> None:
    text = BLOCK.sub("", document.read_text(encoding="utf-8"))
    dead = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"https?://", link):
            continue
        file, _, anchor = link.partition("#")
        target = (document.parent / file).resolve() if file else document
        if not target.exists() or (anchor and anchor not in anchors(target)):
            dead.append(link)
    assert not dead


@every_document
def test_files_of_the_repository_that_a_document_names_exist(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    named = re.findall(r"`((?:benchmarks|recipes|codepref|tests|docs)/[\w./-]+\.(?:md|json|py|toml|yaml))`", text)
    assert not [name for name in named if not (ROOT / name).exists()]


def test_pages_that_the_code_and_recipes_name_exist() -> None:
    sources = [*(ROOT / "codepref").rglob("*.py"), *(ROOT / "recipes").rglob("*.toml")]
    missing = [
        f"{name_of(source)}: {page}"
        for source in sources
        for page in re.findall(r"(?<![\w/])docs/[\w/-]+\.md", source.read_text(encoding="utf-8"))
        if not (ROOT / page).exists()
    ]
    assert not missing


@pytest.mark.parametrize("page", sorted(generator().PAGES))
def test_generated_parts_match_the_code(page: str) -> None:
    made = generator()
    text = (DOCS / page).read_text(encoding="utf-8")
    current = made.with_generated_part(text, made.PAGES[page]())
    assert text == current, "run `python docs/generate.py`"


@every_document
def test_options_and_recipe_keys_that_a_document_names_exist(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    if document.name != "CHANGELOG.md":  # the changelog names old options
        known = {name for parser in commands().values() for name in options(parser)} | {"--version", "--help"}
        own = re.sub(r"^(?!codepref|    --).*$", "", "\n".join(blocks(text, "")), flags=re.M)
        named = re.findall(r"(?<![\w-])--[a-z][a-z-]+", BLOCK.sub("", text) + own)
        assert not set(named) - known - OTHER_PROGRAMS
    hints = get_type_hints(Recipe)
    sections = {key: kind for key, kind in hints.items() if dataclasses.is_dataclass(kind)}
    endings = {"json", "jsonl", "toml", "py", "md"}
    unknown = [
        f"{section}.{key}"
        for section, key in re.findall(rf"`({'|'.join(sections)})\.([a-z_]+)(?: = [^`]*)?`", text)
        if key not in endings and key not in {item.name for item in dataclasses.fields(sections[section])}
    ]
    assert not unknown


@every_document
def test_commands_in_code_blocks_can_be_typed(document: Path) -> None:
    known = commands()
    for words in command_lines(document.read_text(encoding="utf-8")):
        assert words[0] in known, words
        named = {word for word in words if word.startswith("--")}
        assert named <= options(known[words[0]]), words
        if document.name != "extend.md":  # that page names entries of an imagined package
            parsed = build_parser().parse_args(words)
            check_overrides(words[0], parsed)


def check_overrides(command: str, parsed: argparse.Namespace) -> None:
    """Raise an error for a wrong `--set` of `run`, `demo` or `train`.

    It is wrong in `run` and `demo` if the key is unknown, or if the value has a wrong type or is out of bounds. It is
    wrong in `train` if the section [training] lacks the key.
    """
    if command in ("run", "demo"):
        recipe_from_document({}, overrides=parsed.overrides)
    elif command == "train":
        keys = {item.name for item in dataclasses.fields(TrainingSection)}
        assert {item.partition("=")[0] for item in parsed.settings} <= keys


@every_document
def test_python_in_code_blocks_imports_what_exists(document: Path) -> None:
    for body in blocks(document.read_text(encoding="utf-8"), "python"):
        if "..." in body or body.startswith("codepref."):
            continue  # generated from signatures and docstrings
        for node in ast.walk(ast.parse(body)):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("codepref"):
                module = importlib.import_module(str(node.module))
                assert all(hasattr(module, alias.name) for alias in node.names), ast.unparse(node)
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "codepref":
                assert hasattr(importlib.import_module("codepref"), node.attr), node.attr


@every_document
def test_toml_in_code_blocks_is_valid(document: Path) -> None:
    known = {item.name for item in dataclasses.fields(Recipe)}
    for body in blocks(document.read_text(encoding="utf-8"), "toml"):
        parsed = tomllib.loads(body)
        if parsed.keys() <= known:
            recipe_from_document(parsed)


@pytest.mark.parametrize("recipe", sorted((ROOT / "recipes").rglob("*.toml")), ids=name_of)
def test_every_shipped_recipe_is_valid_and_listed(recipe: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a recipe with an old name would warn
        load_recipe(recipe)
    name = str(recipe.relative_to(ROOT / "recipes").with_suffix(""))
    assert f"`{name}`" in (ROOT / "recipes" / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("table", "page"), TABLES)
def test_every_name_in_a_table_is_documented(table: str, page: str) -> None:
    module, _, attribute = table.partition(":")
    names = getattr(importlib.import_module(module), attribute).builtin
    text = (DOCS / page).read_text(encoding="utf-8")
    assert not [name for name in names if f"`{name}`" not in text and f"`{name}:" not in text]


def test_every_verdict_code_is_documented() -> None:
    from codepref.records import VERDICT_CODES

    text = (DOCS / "reference" / "verdicts.md").read_text(encoding="utf-8")
    assert all(f"| `{code}` |" in text for code in VERDICT_CODES)


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= README_LINES


def test_the_site_builds_without_a_warning_and_loads_nothing_from_the_network(tmp_path: Path) -> None:
    pytest.importorskip("material", reason="needs mkdocs-material: pip install -c constraints.txt -e '.[docs]'")
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    done = subprocess.run(
        build, cwd=ROOT, capture_output=True, text=True, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    for page in tmp_path.rglob("*.html"):
        loaded = re.findall(r"<(?:script|link|img)[^>]+(?:src|href)=\"?(https?://[^\s\">]+)", page.read_text())
        assert not loaded, page.name
