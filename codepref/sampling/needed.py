"""Chooses the statements of a block that belong to the program of a function. Pure."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from codepref.problems.source import Reading, Statement, bound_names, global_names, walk_scope
from codepref.sampling.joining import Definition, names

_INTERACTIVE = {"print", "input", "exit", "quit"}
"""A module-level statement that calls one of these is an example, unless it is a function or class.

An example is dropped unless it binds the entry point.
"""


def needed_statements(reading: Reading, entry_point: str) -> list[Statement]:
    """Return the statements of a block that belong to the program, in their order."""
    statements = reading.statements
    imports = [item for item in statements if isinstance(item.node, ast.Import | ast.ImportFrom)]
    modules = set[str]().union(*(bound_names(item.node) for item in imports))
    kept = [item for item in statements if isinstance(item.node, Definition) and not _is_test(item.node, entry_point)]
    defined = set(kept)
    kept += [item for item in statements if entry_point in bound_names(item.node) and item not in defined]
    settled = {*kept, *imports}
    waiting = [item for item in statements if item not in settled and not _is_example(item.node, entry_point)]
    kept += _writers(kept, waiting, modules)
    used, settled = names(global_names, kept), {*kept, *imports}
    dropped_uses = names(global_names, [item for item in statements if item not in settled])
    kept += [item for item in imports if bound_names(item.node) & used or not bound_names(item.node) & dropped_uses]
    chosen = set(kept)
    return [item for item in statements if item in chosen]


def _writers(kept: Sequence[Statement], waiting: Sequence[Statement], modules: set[str]) -> list[Statement]:
    """Return the statements of `waiting` that write names which `kept`, or returned statements, use or bind.

    modules: names of imports, which do not count. Statements that call `setrecursionlimit` are returned too.
    """
    by_name: dict[str, list[Statement]] = {}
    for item in waiting:
        for name in _written_names(item.node) - modules:
            by_name.setdefault(name, []).append(item)
    taken = dict.fromkeys(item for item in waiting if _sets_limit(item.node))
    seen: set[str] = set()
    new = [*kept, *taken]
    while new:
        needed = (names(global_names, new) | names(bound_names, new)) - seen
        seen |= needed
        new = [item for name in sorted(needed) for item in by_name.get(name, []) if item not in taken]
        taken |= dict.fromkeys(new)
    return list(taken)


def _is_test(node: Definition, entry_point: str) -> bool:
    if node.name == entry_point:
        return False
    if isinstance(node, ast.ClassDef):
        return any("TestCase" in (getattr(base, "attr", ""), getattr(base, "id", "")) for base in node.bases)
    return node.name.startswith("test") or node.name == "check"


def _is_example(node: ast.stmt, entry_point: str) -> bool:
    """Return whether a statement is an example: it calls the entry point, prints, asserts, or tests `__name__`.

    A function or class is no example. An example is dropped even if the program uses names that it binds, but not if it
    binds the entry point. Calls of the functions in _INTERACTIVE count as printing.
    """
    if isinstance(node, ast.If) and "__name__" in global_names(node.test):
        return True
    if isinstance(node, Definition):
        return False
    inside = list(walk_scope(node))
    called = {child.func.id for child in inside if isinstance(child, ast.Call) and isinstance(child.func, ast.Name)}
    return bool(called & (_INTERACTIVE | {entry_point})) or any(isinstance(child, ast.Assert) for child in inside)


def _written_names(node: ast.stmt) -> set[str]:
    """Return the names that a statement binds, and the name `x` of a statement such as `x[0] = 1` or `x.append(1)`.

    In an assignment, `x` is taken from targets such as `x[0]` and `x.y`. In another statement, such as `x.append(1)`,
    it is taken from every `x.y` and `x[y]`.
    """
    names = bound_names(node)
    for child in walk_scope(node):
        if isinstance(child, ast.Attribute | ast.Subscript):
            stored = isinstance(child.ctx, ast.Store)
            root: ast.expr = child
            while isinstance(root, ast.Attribute | ast.Subscript):
                root = root.value
            if isinstance(root, ast.Name) and (
                stored or not isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign)
            ):
                names.add(root.id)
    return names


def _sets_limit(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and "setrecursionlimit" in ast.dump(node.value)
