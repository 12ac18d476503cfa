"""Makes problems of statements, starter code, tests and programs, as the data sets of contests have them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from codepref.errors import UserError
from codepref.problems.calls import CLASS, OTHER_ENTRY_POINT
from codepref.problems.fields import Row
from codepref.problems.formats.cases import Case, case_tests
from codepref.problems.formats.prelude import PRELUDE
from codepref.problems.nodes import DEFINITIONS as NODES
from codepref.problems.source import definitions, parse, read_statements
from codepref.records import Problem

_PICTURE = re.compile(r"<image>|<img\b|!\[[^\]]*\]\(|\[image\]|data:image/", re.IGNORECASE)
_CLASS = re.compile(rf"^[ \t]*class[ \t]+{CLASS}\b", re.MULTILINE)
_INTERACTIVE = re.compile(r"\bthis is an interactive problem\b|-----\s*interaction\s*-----", re.IGNORECASE)


def case_problem(
    cases: Sequence[Case],
    *,
    task_id: str,
    statement: str,
    where: str,
    meta: Mapping[str, Any],
    starter: str = "",
    golds: Iterable[str] = (),
    owner: str = "",
) -> Problem:
    """Return a problem whose tests are inputs and outputs of a program, or of a function or method.

    owner: the class of the method, if it is known. Otherwise it is `Solution` if the starter code defines this class.
    Without starter code, the first of `golds` that Python can read decides, and without such programs the statement.
    golds: programs that are said to be right. The first that Python can read, and that defines the function or class
    that the tests call, becomes the gold solution. For tests of whole programs, it need not define anything.
    The annotations of the function show linked lists and trees (see `codepref.problems.nodes`). Raises UserError for a
    row without a test or a statement, for a statement with pictures, for an interactive problem, and for tests in a
    wrong form.
    """
    refuse_unusable(statement, where)
    if not cases:
        raise UserError(f"{where}: the row holds no test")
    function = cases[0].function
    programs = [program for program in golds if parse(program) is not None]
    owner = owner or (CLASS if function and _asks_for_class(function, starter, programs, statement) else "")
    entry_point = owner or function or "main"
    gold = next((program for program in programs if not function or _defines(program, {owner, function})), None)
    other = {OTHER_ENTRY_POINT: function if owner else CLASS} if function else {}
    code = f"{starter}\n{gold or ''}"
    tests = tuple(case_tests(cases, task_id, where, owner=owner, code=code, statement=statement))
    has_nodes = any('"arguments_as"' in test.source for test in tests)
    return Problem(
        task_id=task_id,
        prompt=_prompt(statement, starter, function, owner),
        entry_point=entry_point,
        tests=tests,
        gold=gold,
        style="instruct" if function else "program",
        preamble=f"{PRELUDE}{NODES}" if has_nodes else PRELUDE,
        meta={**meta, **other},
    )


def refuse_unusable(statement: str, where: str) -> None:
    """Raise UserError for a statement that is blank, that holds pictures, or that says the problem is interactive."""
    if not statement.strip():
        raise UserError(f"{where}: the row holds no statement")
    if _PICTURE.search(statement):
        raise UserError(f"{where}: the statement holds images, which a model of text cannot see")
    if _INTERACTIVE.search(statement):
        raise UserError(f"{where}: the problem is interactive")


def kept(row: Row, name: str, columns: Iterable[str]) -> dict[str, Any]:
    """Return the `meta` of a problem: the format's name, and those of the columns that hold something."""
    return {"format": name, **{key: row[key] for key in columns if row.get(key) not in (None, "", [], {})}}


def _asks_for_class(function: str, starter: str, programs: Sequence[str], statement: str) -> bool:
    if starter.strip():
        return _CLASS.search(starter) is not None
    if programs:
        return not _defines(programs[0], {function}) and _CLASS.search(programs[0]) is not None
    return _CLASS.search(statement) is not None


def _defines(program: str, names: set[str]) -> bool:
    return not names.isdisjoint(definitions(read_statements(program).statements))


def _prompt(statement: str, starter: str, function: str, owner: str) -> str:
    parts = [statement.strip()]
    if starter.strip() and starter.strip() not in statement:
        parts.append(f"Begin with this code:\n\n```python\n{starter.rstrip()}\n```")
    elif function and not re.search(rf"\b{re.escape(function)}\b", statement):
        what = f"the method `{function}` of the class `{owner}`" if owner else f"the function `{function}`"
        parts.append(f"Write {what}.")
    return "\n\n".join(parts) + "\n"
