"""Finds tests that programs which do nothing certainly fail. It reads the text of a test, and runs no test. Pure.

A function of a program that does nothing raises, returns None, or returns the text WRONG (see
`codepref.execution.vacuous`). Such a program fails a test that always reaches `assert f(1) == 2`.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Sequence

from codepref.problems.source import BUILTIN_NAMES, bound_names, parse, read_statements

WRONG = "certainly wrong"
"""What one of the programs that do nothing returns or prints."""


_REBINDS = frozenset({"exec", "eval", "globals", "locals", "vars", "setattr", "delattr", "getattr", "__import__"})
"""Functions through which a test can give a name another value, or a function other code, without an assignment."""

_REACHES = frozenset({"sys", "inspect", "gc", "ctypes", "importlib", "builtins", "operator", "types", "__main__"})
"""Modules through which a test can rebind names or end the process early.

`sys` has the frames, the loaded modules and `sys.exit`.
"""

_CHECKS = re.compile(
    "assert|raise|fail|check|verify|expect|ensure|require|valid|test|exit|equal|run|main", re.IGNORECASE
)
"""Words in the names of functions that may fail a test."""

_ENDS = frozenset({"SystemExit", "exit", "quit", "_exit", "abort", "kill"})
"""Names of exceptions and functions that may end the process of a test early."""


def statements_prove(source: str, entry_point: str, helpers: str) -> bool:
    """Return True only if statements certainly fail every program that does nothing.

    One of them, at the top level, must assert that a call of the entry point equals a literal other than None and
    WRONG. Statements for which `_may_rebind` returns True give False.
    """
    tree = _fixed(source, entry_point, helpers)
    return tree is not None and any(_asserts_literal(node, entry_point) for node in tree.body)


def statements_call(source: str, entry_point: str, helpers: str) -> bool:
    """Return True only if statements certainly fail a program whose functions raise.

    One of them, an `assert` at the top level, must call the entry point in every run. Statements for which
    `_may_rebind` returns True give False.
    """
    tree = _fixed(source, entry_point, helpers)
    if tree is None:
        return False
    conditions = [node.test for node in tree.body if isinstance(node, ast.Assert)]
    return any(
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == entry_point
        for condition in conditions
        for node in _always_evaluated(condition)
    )


def _fixed(source: str, entry_point: str, helpers: str) -> ast.Module | None:
    """Return the syntax tree of statements that certainly do not rebind the entry point, or else None.

    Such statements also stop only at their end or by an exception.
    """
    tree = parse(source)
    if tree is None or {entry_point, "*"} & (_bound(tree.body) | _names_of(helpers)) or _may_rebind(tree):
        return None
    return tree


def _always_evaluated(node: ast.expr) -> Iterator[ast.expr]:
    """Yield parts of an expression that are evaluated in every run, unless an earlier part raises."""
    yield node
    inner: Sequence[ast.AST]
    match node:
        case ast.BoolOp():
            inner = node.values[:1]
        case ast.Compare():
            inner = [node.left, node.comparators[0]]
        case ast.Call():
            inner = [node.func, *node.args, *(keyword.value for keyword in node.keywords)]
        case ast.UnaryOp() | ast.BinOp() | ast.Attribute() | ast.Subscript() | ast.Starred():
            inner = list(ast.iter_child_nodes(node))
        case ast.Tuple() | ast.List() | ast.Set():
            inner = node.elts
        case _:
            return
    for part in inner:
        if isinstance(part, ast.expr):
            yield from _always_evaluated(part)


def check_proves(source: str, entry_point: str, helpers: str) -> bool:
    """Return True only if a definition of `check` certainly fails every program that does nothing."""
    tree = parse(source)
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)] if tree is not None else []
    checks = [node for node in functions if node.name == "check"]
    if tree is None or len(checks) != 1 or len(checks[0].args.args) != 1 or checks[0].decorator_list:
        return False
    if _may_rebind(tree):
        return False
    (check,) = checks
    others = [node for node in tree.body if node is not check]
    candidate = check.args.args[0].arg
    if {"check", entry_point, "*"} & (_bound(others) | _names_of(helpers)) or candidate in _bound(check.body):
        return False
    for node in check.body:
        if any(isinstance(child, ast.Return | ast.Yield | ast.YieldFrom) for child in ast.walk(node)):
            return False
        if _asserts_literal(node, candidate):
            return not any(isinstance(child, ast.Yield | ast.YieldFrom) for child in ast.walk(check))
    return False


def output_proves(source: str, entry_point: str, helpers: str) -> bool:
    """Return whether a test of a whole program expects an output that is neither blank nor WRONG."""
    expected: str = json.loads(source)["output"]
    return bool(expected.split()) and expected.split() != WRONG.split()


def cannot_fail(tree: ast.Module, entry_point: str) -> bool:
    """Return True only if a test holds nothing that checks a result.

    Such a test has no `assert`, `raise`, `with`, `while`, `from ... import` or decorator. It calls only the entry
    point, `candidate`, builtins, what it defines itself, and methods whose names do not say that they check something.
    An exception, as in `1 / f(0)`, can still fail a program.
    """
    nodes = list(ast.walk(tree))
    defined = _bound(tree.body) | {node.name for node in nodes if isinstance(node, ast.FunctionDef)}
    for node in nodes:
        if isinstance(node, ast.Assert | ast.Raise | ast.With | ast.AsyncWith | ast.While | ast.ImportFrom):
            return False
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.decorator_list:
            return False
        if not isinstance(node, ast.Call):
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        known = isinstance(node.func, ast.Attribute) or name in BUILTIN_NAMES | defined | {entry_point, "candidate"}
        if not known or name in _REBINDS | _ENDS or (name not in defined and _CHECKS.search(name)):
            return False
    return True


def _may_rebind(tree: ast.Module) -> bool:
    """Return whether a test holds something that may rebind names or end the process early.

    Examples are `global`, the name `exec`, an assignment to an attribute, and an import of `sys`.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Global | ast.Nonlocal):
            return True
        if isinstance(node, ast.Name) and node.id in _REBINDS | _ENDS:
            return True
        if isinstance(node, ast.Attribute):
            private = node.attr.startswith("__") and node.attr.endswith("__")
            frame = node.attr.startswith(("f_", "gi_", "tb_", "cr_"))
            stored = not isinstance(node.ctx, ast.Load) and isinstance(node.value, ast.Name)
            if private or frame or stored or node.attr in _ENDS:
                return True
        if isinstance(node, ast.Import) and any(part.name.split(".")[0] in _REACHES for part in node.names):
            return True
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in _REACHES:
            return True
    return False


def _asserts_literal(node: ast.stmt, function: str) -> bool:
    if not isinstance(node, ast.Assert) or not isinstance(node.test, ast.Compare) or len(node.test.ops) != 1:
        return False
    sides = (node.test.left, node.test.comparators[0])
    calls = [
        isinstance(side, ast.Call) and isinstance(side.func, ast.Name) and side.func.id == function for side in sides
    ]
    if not isinstance(node.test.ops[0], ast.Eq) or sum(calls) != 1:
        return False
    try:
        value = ast.literal_eval(sides[calls.index(False)])
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False
    return value is not None and value != WRONG


def _bound(body: Sequence[ast.stmt]) -> set[str]:
    return set[str]().union(*map(bound_names, body))


def _names_of(helpers: str) -> set[str]:
    return _bound([statement.node for statement in read_statements(helpers).statements]) if helpers else set()
