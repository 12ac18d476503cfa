"""codepref's own format. docs/reference/problems.md documents every field."""

from __future__ import annotations

import json
from typing import Any, cast, get_args

from codepref.errors import UserError
from codepref.problems.columns import row_id
from codepref.problems.entry_points import infer_entry_point
from codepref.problems.fields import (
    Row,
    entry_point_field,
    prompt_parts,
    task_id_field,
    text_field,
    why_unreadable,
)
from codepref.problems.formats.base import Format
from codepref.problems.formats.own_tests import read_tests
from codepref.problems.kinds import kind_of
from codepref.problems.source import bound_names, definitions, parse, read_statements
from codepref.records import Problem, Style, Test

_COLUMNS = frozenset({"prompt", "tests"})
_KNOWN = {*_COLUMNS, "task_id", "entry_point", "gold", "style", "helpers", "preamble"}

_IDS = ("problem_id", "question_id", "id")


def read(row: Row, where: str) -> Problem:
    """Return the problem of one row.

    A row without the column `task_id` is named by another column of ids, or by a hash of the row (see `row_id`).
    Raises UserError for a wrong field, a malformed test, tests that do not fit each other or the style, and an entry
    point that is neither named nor inferred (see `infer_entry_point`).
    """
    prompt = text_field(row, "prompt", where)
    task_id = task_id_field(row, where) if "task_id" in row else row_id(row, "problem", _IDS, sorted(row.items()))
    style, gold = text_field(row, "style", where, default="instruct"), row.get("gold")
    if style not in get_args(Style):
        raise UserError(f'{where}: style must be "complete", "instruct" or "program", not {style!r}')
    if gold is not None and not isinstance(gold, str):
        raise UserError(f"{where}: gold must be a whole Python program, as a text")
    helpers, preamble = (text_field(row, key, where, default="") for key in ("helpers", "preamble"))
    for key, program in (("gold", gold), ("helpers", helpers), ("preamble", preamble)):
        if program is not None and parse(program) is None:
            raise UserError(f"{where}: {key} must be a whole Python program, but it is not: {why_unreadable(program)}")
    tests = read_tests(row, task_id, where)
    if tests and kind_of(tests[0]).whole_program:
        style = "program"
    elif tests and style == "program":
        raise UserError(f'{where}: style "program" needs tests of kind stdio or checker')
    if row.get("entry_point") is not None:
        entry_point = entry_point_field(row, where)
    elif style == "program":
        entry_point = "main"  # the answer is a whole program, and no test calls a function
    else:
        helper_names = set[str]().union(*(bound_names(item.node) for item in read_statements(helpers).statements))
        texts = [test.source for test in tests if kind_of(test).calls_entry_point]
        if not texts and not (gold and len(definitions(read_statements(gold).statements)) == 1):
            texts = [test.source for test in tests if kind_of(test).names_entry_point]
        entry_point = infer_entry_point(texts, gold, where, known=helper_names)
    parts = prompt_parts(prompt if style == "complete" else "", entry_point)
    return Problem(
        task_id=task_id,
        prompt=prompt,
        entry_point=entry_point,
        tests=tests,
        gold=gold,
        style=cast(Style, style),
        helpers=helpers or parts.helpers,
        preamble=preamble or parts.preamble,
        meta={"format": "codepref", **{key: value for key, value in row.items() if key not in _KNOWN}},
    )


def own_row(problem: Problem) -> dict[str, Any]:
    """Return a row in codepref's own format for a problem.

    The row holds no ids of tests: `read` numbers the tests from 0. A value in `meta` is left out if JSON cannot write
    it, or if its key is the name of a column of the format.
    """
    row: dict[str, Any] = {
        "task_id": problem.task_id,
        "prompt": problem.prompt,
        "entry_point": problem.entry_point,
        "style": problem.style,
        "tests": [_entry(test) for test in problem.tests],
        **{key: getattr(problem, key) for key in ("gold", "helpers", "preamble") if getattr(problem, key)},
    }
    for key, value in problem.meta.items():
        if key not in row and key not in _KNOWN and _is_json(value):
            row[key] = value
    return row


def _entry(test: Test) -> dict[str, Any]:
    return {"kind": test.kind, **(json.loads(test.source) if kind_of(test).fields else {"source": test.source})}


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        return False
    return True


FORMAT = Format("codepref's own", _COLUMNS, read)
