"""codepref's own format. docs/reference/problems.md documents every field."""

from __future__ import annotations

from typing import cast, get_args

from codepref.errors import UserError
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
from codepref.records import Problem, Style

_COLUMNS = frozenset({"task_id", "prompt", "tests"})
_KNOWN = {*_COLUMNS, "entry_point", "gold", "style", "helpers", "preamble"}


def read(row: Row, where: str) -> Problem:
    """Return the problem of one row.

    Raises UserError for a wrong field, a malformed test, tests that do not fit each other or the style, and an entry
    point that is neither named nor evident.
    """
    task_id, prompt = task_id_field(row, where), text_field(row, "prompt", where)
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
        raise UserError(f'{where}: style "program" needs tests of kind stdio')
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


FORMAT = Format("codepref's own", _COLUMNS, read)
