"""LiveCodeBench (arXiv 2403.07974): tests as JSON text, the private ones packed (see `codepref.problems.packed`)."""

from __future__ import annotations

from codepref.problems.columns import first_text, row_id, struct_of
from codepref.problems.fields import Row, text_field
from codepref.problems.formats.base import Format
from codepref.problems.formats.cases import read_cases
from codepref.problems.formats.statements import case_problem, kept
from codepref.problems.packed import unpacked
from codepref.records import Problem

TIME_LIMIT = 6.0
"""LiveCodeBench's own time limit of a test, in seconds."""

_TESTS = ("public_test_cases", "private_test_cases")
_KEPT = ("question_title", "platform", "contest_id", "contest_date", "difficulty")


def read(row: Row, where: str) -> Problem:
    """Return the problem of one row. Its tests are the public and then the private ones. `question_id` gives the id."""
    statement = text_field(row, "question_content", where)
    starter = text_field(row, "starter_code", where, default="")
    function = first_text(struct_of(row.get("metadata"), "metadata", where), "func_name", "fn_name")
    cases = [
        case
        for column in _TESTS
        for case in read_cases(
            unpacked(row.get(column), column, where), column, where, function=function, starter=starter
        )
    ]
    return case_problem(
        cases,
        task_id=row_id(row, "LiveCodeBench", ("question_id",), (statement,)),
        statement=statement,
        starter=starter,
        meta={**kept(row, "livecodebench", _KEPT), "time_limit": TIME_LIMIT},
        where=where,
    )


FORMAT = Format("LiveCodeBench", frozenset({"question_content", "public_test_cases"}), read)
