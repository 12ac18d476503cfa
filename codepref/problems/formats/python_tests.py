"""Functions for readers of data sets whose tests are Python text. They read the tests and find the entry point.

Pure.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

from codepref.errors import UserError
from codepref.problems.calls import CLASS
from codepref.problems.columns import first_text, unfenced
from codepref.problems.entry_points import infer_entry_point
from codepref.problems.fields import Row, names_taken, why_unreadable
from codepref.problems.kinds import KINDS
from codepref.problems.source import definitions, parse, read_statements
from codepref.problems.stdio import stdio_source
from codepref.problems.test_names import names_of_solution
from codepref.problems.test_text import read_test_text
from codepref.records import Test, TestKind

_FENCE = re.compile(r"^[ \t]*```[^\n]*\n(.*?)^[ \t]*```[ \t]*$", re.MULTILINE | re.DOTALL)
_ASSERTED = re.compile(r"\s*assert (\w+)\(")
_DEFINED = re.compile(r"^(?:async )?(?:def|class) (\w+)", re.MULTILINE)


def text_tests(texts: Iterable[Any], task_id: str, name: str, where: str) -> tuple[Test, ...]:
    """Return one test for each text that is not blank. The kind of a test follows from its text (see `read_test_text`).

    If all lines of a text are indented, this indentation is removed.

    name: the column, for messages. Raises UserError for a value that is no text, for text that is neither Python nor
    examples, and if there is no test.
    """
    texts = list(texts)
    if _are_asserts(texts):
        return tuple(Test(task_id, str(at), text, "asserts") for at, text in enumerate(texts))
    tests: list[Test] = []
    for text in texts:
        if not isinstance(text, str):
            raise UserError(f"{where}: {name} must hold texts, not {type(text).__name__}")
        if not text.strip():
            continue
        kind, source = _kind_and_source(text)
        if not kind:
            reason = why_unreadable(textwrap.dedent(text))
            raise UserError(f"{where}: a test in {name} cannot be read as Python ({reason}): {text[:80]!r}")
        tests.append(Test(task_id, str(len(tests)), source, kind))
    if not tests:
        raise UserError(f"{where}: the row holds no test")
    return tuple(tests)


def _are_asserts(texts: list[Any]) -> bool:
    """Return whether each text is one line with one assert. The texts are parsed together, since that is faster."""
    if not texts or not all(isinstance(text, str) and text[:7] == "assert " and "\n" not in text for text in texts):
        return False
    tree = parse("\n".join(texts))
    return tree is not None and len(tree.body) == len(texts) and all(isinstance(one, ast.Assert) for one in tree.body)


def _kind_and_source(text: str) -> tuple[TestKind, str]:
    """Return the kind of a test and the text to run. The kind is "" for text that is neither Python nor examples."""
    tree = parse(text)
    if tree is None:
        text = textwrap.dedent(text)
        tree = parse(text)
    if tree is not None and all(isinstance(node, ast.Assert) for node in tree.body):
        return "asserts", text  # most texts are one assert
    kind, source = read_test_text(text)
    return ("" if tree is None and KINDS[kind].python else kind), source


def statement_field(row: Row, names: Sequence[str], where: str) -> str:
    """Return the first text that is not blank in these columns. Raises UserError if there is none."""
    text = first_text(row, *names)
    if not text:
        raise UserError(f"{where}: the row holds no statement: {' or '.join(names)} must be text that is not blank")
    return text


def stdio_tests(cases: Iterable[tuple[str, str]], task_id: str) -> tuple[Test, ...]:
    """Return one test of kind "stdio" for each pair of an input and an expected output."""
    return tuple(
        Test(task_id, str(place), stdio_source(stdin, expected), "stdio")
        for place, (stdin, expected) in enumerate(cases)
    )


def program_of(answer: str) -> str:
    """Return the program in an answer of a model: the first fence with a definition in Python, or else the first fence.

    An answer without a fence is returned whole. If no fence ends, the first one reaches to the end of the answer.
    """
    fences = _FENCE.findall(answer.replace("\r\n", "\n"))
    if len(fences) > 1:  # parsing takes time
        fences = [text for text in fences if definitions(read_statements(text).statements)]
    return str(fences[0]) if fences else unfenced(answer)


def entry_point_of(
    tests: Sequence[Test], gold: str | None, where: str, *, statement: str = "", helpers: str = ""
) -> str:
    """Return the name of the function or class that the tests ask for.

    If each test begins with `assert f(` and the gold solution defines `f`, it is `f`. Otherwise it is the name that
    `infer_entry_point` finds with the gold solution, or else without it, if a test takes this name from the solution.
    Otherwise the names that tests import from the solution are compared, or else the names that tests take from it
    without an import. If the gold solution defines some of these names, only they are compared. Names that the
    statement writes as a call, in backquotes or after `class` go first, and then the name that the largest number of
    tests take.

    helpers: code that tests may use. Raises UserError if the tests take no name from a solution.
    """
    texts = [test.source for test in tests]
    if gold and (name := _asserted(texts)) and name in _DEFINED.findall(gold):
        return name
    counts = _counts(texts, helpers)
    for known_gold in (gold, None) if gold else (None,):
        try:
            name = infer_entry_point(texts, known_gold, where)
        except UserError:
            continue
        if name in counts:  # a parameter of `check` is not in it
            return name
    defined = set(definitions(read_statements(gold).statements)) if gold else set()
    candidates = [name for name in counts if name in defined] or list(counts)
    if not candidates:
        raise UserError(f"{where}: no function of a solution is called in the tests")
    return max(candidates, key=lambda name: (_is_stated(name, statement), counts[name], name))


def _asserted(texts: Sequence[str]) -> str:
    """Return the name `f` if each text begins with `assert f(`, or "". This needs no parsing."""
    found = {match.group(1) if (match := _ASSERTED.match(text)) else "" for text in texts}
    return found.pop() if len(found) == 1 else ""


def _counts(texts: Iterable[str], helpers: str) -> dict[str, int]:
    """Return how many tests import a name from the solution, by name, or else how many take it from there."""
    imported: dict[str, int] = {}
    taken: dict[str, int] = {}
    for text in texts:
        tree = parse(text)
        for name in names_of_solution(tree) if tree is not None else ():
            imported[name] = imported.get(name, 0) + 1
        for name in names_taken(text, helpers):
            taken[name] = taken.get(name, 0) + 1
    return imported or taken


def _is_stated(name: str, statement: str) -> bool:
    return (
        re.search(rf"\b{re.escape(name)}\s*\(|`{re.escape(name)}`|\bclass\s+{re.escape(name)}\b", statement) is not None
    )


def call_of_check(expression: str, where: str) -> tuple[str, str]:
    """Return the name with which an expression begins, and the text of a call of `check` with this expression.

    expression: an entry point, made of a name, attributes and calls without arguments. Raises UserError for another
    expression, which could do anything.

    >>> call_of_check("Solution().gap", "")
    ('Solution', 'check(Solution().gap)')
    """
    tree = parse(f"({expression.strip()})")
    node = tree.body[0].value if tree is not None and tree.body and isinstance(tree.body[0], ast.Expr) else None
    text = ast.unparse(node) if node is not None else ""
    while isinstance(node, ast.Attribute) or (isinstance(node, ast.Call) and not node.args and not node.keywords):
        node = node.func if isinstance(node, ast.Call) else node.value
    if not isinstance(node, ast.Name):
        raise UserError(
            f"{where}: entry_point must be a function, or a method such as Solution().f, not {expression[:80]!r}"
        )
    return node.id, f"check({text})"


def starter_method(statement: str) -> str:
    """Return the name of the only public method after `class Solution` in a statement.

    Return "" if there is no such class, no public method after it, or more than one.
    """
    head = re.search(rf"^[ \t]*class\s+{CLASS}\b[^\n]*:", statement, re.MULTILINE)
    if head is None:
        return ""
    found = re.findall(r"^[ \t]+def\s+([^\W_]\w*)\s*\(", statement[head.end() :], re.MULTILINE)
    return str(found[0]) if len(set(found)) == 1 else ""
