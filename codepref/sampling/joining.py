"""Joins statements from several places to one program. Pure."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Sequence

from codepref.problems.source import BUILTIN_NAMES, Statement, bound_names, global_names

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def names(kind: Callable[[ast.AST], set[str]], statements: Iterable[Statement]) -> set[str]:
    """Return the union of `kind(node)` over the statements, such as all names that they bind."""
    return set[str]().union(*(kind(statement.node) for statement in statements))


def missing_names(statements: Iterable[Statement]) -> set[str]:
    """Return the names that the statements use, and that neither they nor Python define.

    The result is empty after `from module import *`, since the names that it binds are not known. A name that a
    function declares as global counts as defined, and so does a name that a class body binds.
    """
    statements = list(statements)
    bound = names(bound_names, statements)
    missing = names(global_names, statements) - bound - BUILTIN_NAMES
    if not missing or "*" in bound:
        return set()
    for node in (child for item in statements for child in ast.walk(item.node)):
        if isinstance(node, ast.Global):
            missing -= set(node.names)
        elif isinstance(node, ast.ClassDef):
            missing -= set[str]().union(*map(bound_names, node.body))
    return missing


def missing_statements(statements: Iterable[Statement], source: Iterable[Statement]) -> list[Statement]:
    """Return the statements of `source`, in their order, that bind names which `statements` need and lack.

    Only functions, classes, imports and assignments such as `x = 1` are taken. Those that bind names for the returned
    statements are returned too.
    """
    binders: dict[str, list[Statement]] = {}
    offered = [item for item in source if isinstance(item.node, Definition | ast.Import | ast.ImportFrom | ast.Assign)]
    for item in offered:
        for name in bound_names(item.node):
            binders.setdefault(name, []).append(item)
    taken: dict[Statement, None] = {}
    bound: set[str] = set()
    new = list(statements)
    while new:
        bound |= names(bound_names, new)
        missing = names(global_names, new) - bound - BUILTIN_NAMES
        new = [item for name in sorted(missing) for item in binders.get(name, []) if item not in taken]
        taken |= dict.fromkeys(new)
    return [item for item in offered if item in taken]


def imports_first(statements: Sequence[Statement]) -> list[Statement]:
    """Return the statements with `from __future__` first, then the other imports, then the rest."""
    imports = (ast.Import, ast.ImportFrom)
    return sorted(
        statements,
        key=lambda item: (getattr(item.node, "module", None) != "__future__", not isinstance(item.node, imports)),
    )


def join(statements: Sequence[Statement]) -> str:
    """Return the statements as one program, with blank lines around functions and classes."""
    parts: list[str] = []
    for place, statement in enumerate(statements):
        near = [statement.node, statements[place - 1].node] if place else []
        parts += ["\n\n"] * any(isinstance(node, Definition) for node in near)
        parts.append(statement.text + "\n")
    return "".join(parts)


def put_before(added: Sequence[Statement], program: str, statements: Sequence[Statement]) -> str:
    """Return a program of the statements `added` and, after them, of `program`.

    statements: the statements of `program`. If `program` imports from `__future__`, these imports come first.
    Otherwise, and if nothing is added, its text is unchanged.
    """
    if not added:
        return program
    if any(getattr(statement.node, "module", None) == "__future__" for statement in statements):
        return join(imports_first([*added, *statements]))
    return join(added) + "\n\n" + program
