"""CodeContests (arXiv 2203.07814): public, private and generated tests, and solutions in several languages.

Generated tests may have invalid inputs (google-deepmind/code_contests, issue 38).
"""

from __future__ import annotations

from collections.abc import Iterator

from codepref.errors import UserError
from codepref.problems.columns import row_id, seconds_of, structs, unfenced
from codepref.problems.fields import Row, text_field
from codepref.problems.formats.base import Format
from codepref.problems.formats.cases import read_cases
from codepref.problems.formats.statements import case_problem, kept
from codepref.records import Problem

_TESTS = ("public_tests", "private_tests", "generated_tests")
_PYTHON = {3, "3", "PYTHON3", "PYTHON", "python3", "python"}
"""The values of `language` that are taken for Python 3. The number 3 is that of `contest_problem.proto`."""


def read(row: Row, where: str) -> Problem:
    """Return the problem of one row. `name` gives the id.

    The gold solution is the first Python solution of the row that Python 3 can read.
    """
    for column in ("input_file", "output_file"):
        if row.get(column):
            raise UserError(f"{where}: the program must use a file ({column}), and not standard input and output")
    statement = text_field(row, "description", where)
    cases = [case for column in _TESTS for case in read_cases(row.get(column), column, where)]
    meta = kept(row, "code-contests", ("source", "difficulty", "cf_rating", "cf_tags"))
    if seconds := seconds_of(row.get("time_limit")):
        meta["time_limit"] = seconds
    return case_problem(
        cases,
        task_id=row_id(row, "CodeContests", ("name",), (statement,)),
        statement=statement,
        golds=_python(row, where),
        meta=meta,
        where=where,
    )


def _python(row: Row, where: str) -> Iterator[str]:
    for item in structs(row.get("solutions"), "solutions", where):
        if item.get("language") in _PYTHON and isinstance(item.get("solution"), str):
            yield unfenced(item["solution"])


FORMAT = Format("CodeContests", frozenset({"description", *_TESTS[:2]}), read)
