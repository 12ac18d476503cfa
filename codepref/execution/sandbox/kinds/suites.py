"""What the kinds "unittest", "pytest" and "doctest" share."""

from __future__ import annotations

import ast
import builtins
import contextlib
import importlib.util
import sys
import types
from collections.abc import Callable, Iterator, Mapping, Set
from typing import Any

from ..wire.proxies import RemoteObject, handle_of
from .base import ERROR, PASSED
from .test_text import is_solution_module

SOLUTION = "solution"
"""The module under whose name a test may import from the solution."""

_SKIPS = frozenset({"skipif", "xfail", "skip", "skipIf", "skipUnless"})
_WORST_FIRST = b"MXEF"
_BLOCKS = (ast.If, ast.For, ast.While, ast.With, ast.Try)


def worst_code(passed: int, codes: Set[int], describe: Callable[[str], None]) -> int:
    """Return the code of a suite.

    It is the worst code of all failures, in the order M, X, E, F. Without a failure it is P, or E if no test passed.
    passed: the number of tests that passed. codes: the codes of all failures. describe: called with the reason if no
    test passed or failed.
    """
    for code in _WORST_FIRST:
        if code in codes:
            return code
    if not passed:
        describe("no test of the suite passed or failed")
        return ERROR
    return PASSED


@contextlib.contextmanager
def main_calls_do_nothing() -> Iterator[None]:
    """A context in which `unittest.main` and `pytest.main` do nothing, since the kind of test runs the tests itself.

    This holds for those of the two modules that are loaded when the context begins.
    """
    known = [(sys.modules[name], sys.modules[name].__dict__["main"]) for name in ("unittest", "pytest") if _has(name)]
    for module, _ in known:
        module.__dict__["main"] = lambda *arguments, **options: 0
    try:
        yield
    finally:
        for module, main in known:
            module.__dict__["main"] = main


def _has(name: str) -> bool:
    return name in sys.modules and "main" in sys.modules[name].__dict__


def import_as_solution(tree: ast.Module, values: Mapping[str, Any], entry_point: str) -> None:
    """Let the imports of a test find the values of the solution.

    The module `solution` means the solution. So does a module that does not exist and from which the test imports the
    entry point. If the process has loaded a module of such a name already, this module stays.

    `from solution import *` gives no name that the text itself imports or defines, and no module of the solution's
    process. Otherwise a solution could replace `approx` and receive the expected value, or replace `pytest`.
    """
    values = {
        name: value for name, value in values.items() if not name.startswith("__") and not _is_remote_module(value)
    }
    own = defined_names(tree) | _imported_names(tree)
    names = {SOLUTION}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and any(part.name == entry_point for part in node.names):
            names.add(node.module)
    for name in names:
        if name not in sys.modules and (name == SOLUTION or not _exists(name)):
            module = types.ModuleType(name)
            module.__dict__.update(
                values, __all__=[key for key in values if key not in own and not key.startswith("_")]
            )
            sys.modules[name] = module


def skips_by_answer(tree: ast.Module) -> bool:
    """Return whether a condition under which a test is skipped, or may fail, may depend on the solution.

    It may if it reads, directly or through names of the text, a name that is no builtin and that the text neither
    defines nor imports from elsewhere.
    """
    elsewhere = _imported_names(tree) | set(dir(builtins)) | {"__file__", "__name__"}
    meanings: dict[str, set[str]] = {}
    for node in tree.body:
        for name in defined_names(ast.Module([node], [])):
            meanings.setdefault(name, set()).update(_names_read(node))
    for call in ast.walk(tree):
        function = call.func if isinstance(call, ast.Call) else None
        name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        if not isinstance(call, ast.Call) or name not in _SKIPS:
            continue
        waiting, seen = [name for part in (*call.args, *call.keywords) for name in _names_read(part)], set[str]()
        while waiting:
            name = waiting.pop()
            if name not in seen and name not in elsewhere:
                if name not in meanings:
                    return True
                seen.add(name)
                waiting += meanings[name]
    return False


def _names_read(node: ast.AST) -> set[str]:
    """Return the names that a part of a text reads, without those that it binds itself in its functions and loops."""
    names = [child for child in ast.walk(node) if isinstance(child, ast.Name)]
    bound = {child.id for child in names if not isinstance(child.ctx, ast.Load)}
    bound |= {child.arg for child in ast.walk(node) if isinstance(child, ast.arg)}
    bound |= {child.name for child in ast.walk(node) if isinstance(child, ast.ExceptHandler) and child.name}
    return {child.id for child in names if isinstance(child.ctx, ast.Load)} - bound


def _is_remote_module(value: Any) -> bool:
    return (handle_of(value) or b"")[1:2] == b"m" if issubclass(type(value), RemoteObject) else False


def _imported_names(tree: ast.Module) -> set[str]:
    """Return the names that a text imports, except from the solution."""
    names: set[str] = set()
    for node in ast.walk(tree):
        own = isinstance(node, ast.Import) and any(is_solution_module(part.name) for part in node.names)
        own = own or (isinstance(node, ast.ImportFrom) and is_solution_module(node.module or SOLUTION))
        if isinstance(node, ast.Import | ast.ImportFrom) and not own:
            names |= {(part.asname or part.name).partition(".")[0] for part in node.names}
    return names


def _exists(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def defined_names(tree: ast.Module) -> set[str]:
    """Return the names of functions and classes that a text defines, and the names in the targets of its assignments.

    Statements at the top level count, and those in its `if`, `for`, `while`, `with` and `try` statements. Annotated and
    augmented assignments do not count.
    """
    names: set[str] = set()
    waiting: list[ast.AST] = [*tree.body]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {part.id for target in node.targets for part in ast.walk(target) if isinstance(part, ast.Name)}
        elif isinstance(node, (*_BLOCKS, ast.ExceptHandler)):
            waiting.extend(ast.iter_child_nodes(node))
    return names
