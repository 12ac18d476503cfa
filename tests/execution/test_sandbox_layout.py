"""Tests of the structure of the sandbox's code: the direction of imports, and the tables of kinds of tests."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

from codepref.errors import UserError
from codepref.execution import expected_cache
from codepref.execution.expected_cache import SANDBOX, own_files
from codepref.execution.limits import Limits
from codepref.execution.sandbox.kinds import KINDS as KINDS_INSIDE
from codepref.execution.tasks import Task, encode_task
from codepref.problems.kinds import KINDS
from codepref.records import Problem, Test

FOLDERS = ("wire", "confinement", "kinds", "processes")
"""The folders of the sandbox. Each may import from itself and from the folders before it in this list."""

FILES = sorted(SANDBOX.rglob("*.py"))


def modules(path: Path) -> dict[str, ast.AST]:
    """Return name -> import statement for the modules that a file imports.

    The name of a module of the sandbox begins with a dot. `from . import x` gives the name of the folder only.
    """
    names: dict[str, ast.AST] = {}
    package = path.relative_to(SANDBOX).parent.parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name: node for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = [".", *package[: len(package) - node.level + 1]] if node.level else []
            names[".".join([*base, node.module or ""])] = node
    return names


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SANDBOX)))
def test_a_file_imports_the_standard_library_and_lower_folders_only(path: Path) -> None:
    folder = path.relative_to(SANDBOX).parts[0]
    for name in modules(path):
        if name.startswith("."):
            other = name.strip(".").split(".")[0]
            assert FOLDERS.index(other) <= FOLDERS.index(folder), f"{path} imports {name}"
        else:
            lazily_loaded = {"sandlock", "numpy", "pytest"}
            assert name.split(".")[0] in sys.stdlib_module_names | lazily_loaded, f"{path} imports {name}"


def test_both_tables_name_the_same_kinds() -> None:
    assert set(KINDS) == set(KINDS_INSIDE)


def test_no_code_decides_by_the_name_of_a_kind() -> None:
    pattern = re.compile(rf"kind\S* (?:==|!=|in|not in) \(?['\"](?:{'|'.join(KINDS)})['\"]")
    package = SANDBOX.parents[1]
    found = [str(path) for path in package.rglob("*.py") if pattern.search(path.read_text(encoding="utf-8"))]
    assert found == []


def test_an_unknown_kind_is_refused_with_the_known_ones() -> None:
    tests = [Test("t", "x", "assert f()", "other")]
    with pytest.raises(UserError, match=r"t, test x: unknown kind 'other'; known: stdio, asserts"):
        encode_task(Task(Problem("t", "", "f"), (), tests), Limits())


def test_the_key_of_expected_outputs_covers_every_file_of_the_sandbox() -> None:
    assert own_files() == FILES
    assert {path.parent.name for path in own_files()} == {"sandbox", *FOLDERS}


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_changed_file_in_any_folder_changes_the_key(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in FILES:
        copy = tmp_path / path.relative_to(SANDBOX)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    monkeypatch.setattr(expected_cache, "own_files", lambda: own_files(tmp_path))
    own_code = expected_cache._own_code.__wrapped__
    before = own_code()
    (changed,) = [path for path in own_files(tmp_path / folder) if path.name == "__init__.py"]
    changed.write_text(changed.read_text() + "# changed\n")
    assert own_code() != before
