"""codepref's own JSON lines; docs/problems.md documents every field."""

from __future__ import annotations

from typing import cast, get_args

from codepref.errors import UserError
from codepref.problems.fields import (
    Row,
    entry_point_field,
    infer_entry_point,
    prompt_parts,
    task_id_field,
    text_field,
    why_unreadable,
)
from codepref.problems.formats.own_tests import check_asking, read_tests
from codepref.problems.kinds import kind_of
from codepref.problems.source import bound_names, parse, read_statements
from codepref.records import Problem, Style

COLUMNS = frozenset({"task_id", "prompt", "tests"})
_KNOWN = {*COLUMNS, "entry_point", "gold", "style", "helpers", "preamble"}


def read(row: Row, where: str) -> Problem:
    """One line. Raises UserError for a wrong field, a test that is no Python, or an entry point that cannot be told."""
    task_id, prompt = task_id_field(row, where), text_field(row, "prompt", where)
    style, gold = text_field(row, "style", where, default="instruct"), row.get("gold")
    if style not in get_args(Style):
        raise UserError(f'{where}: style must be "complete", "instruct" or "program", not {style!r}')
    if gold is not None and not isinstance(gold, str):
        raise UserError(f"{where}: gold must be a whole Python program")
    helpers, preamble = (text_field(row, key, where, default="") for key in ("helpers", "preamble"))
    for key, program in (("gold", gold), ("helpers", helpers), ("preamble", preamble)):
        if program is not None and parse(program) is None:
            raise UserError(f"{where}: {key} must be a whole Python program, and is none: {why_unreadable(program)}")
    tests = read_tests(row, task_id, where)
    if tests and kind_of(tests[0]).whole_program:
        style = "program"
    elif tests and style == "program":
        raise UserError(f'{where}: style "program" goes with tests of kind stdio alone')
    if row.get("entry_point") is not None:
        entry_point = entry_point_field(row, where)
    elif style == "program":
        entry_point = "main"  # a whole program is asked for, and no test calls a function
    else:
        helping = set[str]().union(*(bound_names(item.node) for item in read_statements(helpers).statements))
        asserts = [test.source for test in tests if kind_of(test).calls_entry_point]
        entry_point = infer_entry_point(asserts, gold, where, known=helping)
    check_asking(tests, entry_point, helpers, where)
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
