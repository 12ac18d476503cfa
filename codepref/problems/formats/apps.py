"""APPS (arXiv 2105.09938), TACO (arXiv 2312.14852), and the verified copies that trainers make of them.

`input_output` or `tests` holds inputs and outputs, of a program or, with `fn_name`, of a function or a method of the
class `Solution`.
"""

from __future__ import annotations

from codepref.errors import UserError
from codepref.problems.columns import decoded, first_text, programs, row_id, seconds_of
from codepref.problems.fields import Row, text_field
from codepref.problems.formats.base import Format
from codepref.problems.formats.cases import read_cases
from codepref.problems.formats.statements import case_problem, kept
from codepref.records import Problem

_KEPT = ("difficulty", "source", "url", "name", "tags", "skill_types")
_LITERALS = ("tags", "skill_types")


def read(row: Row, where: str) -> Problem:
    """Return the problem of one row of APPS or TACO. A row without a column of ids gets the id "TACO/" and a hash."""
    return _problem(row, where, "input_output")


def read_verified(row: Row, where: str) -> Problem:
    """Return the problem of one row with `question` and `tests`."""
    return _problem(row, where, "tests")


def _problem(row: Row, where: str, column: str) -> Problem:
    statement, starter = text_field(row, "question", where), text_field(row, "starter_code", where, default="")
    prefix = "APPS" if "problem_id" in row else "TACO"
    meta = kept(row, "apps" if prefix == "APPS" else "taco", _KEPT)
    for name in _LITERALS:
        if name in meta:
            meta[name] = _list_or_text(meta[name], where)
    if seconds := seconds_of(row.get("time_limit")):
        meta["time_limit"] = seconds
    return case_problem(
        read_cases(row.get(column), column, where, function=first_text(row, "fn_name", "func_name")),
        task_id=row_id(row, prefix, ("problem_id", "task_id", "id"), (statement, row.get(column))),
        statement=statement,
        starter=starter,
        golds=programs(row.get("solutions")),
        meta=meta,
        where=where,
    )


def _list_or_text(value: object, where: str) -> object:
    """Return the decoded value, such as a list for the text of a list, or the value if it cannot be decoded."""
    try:
        return decoded(value, "tags", where)
    except UserError:
        return value


FORMAT = Format("APPS, TACO", frozenset({"question", "input_output"}), read)
VERIFIED = Format("APPS and TACO with tests", frozenset({"question", "tests"}), read_verified)
