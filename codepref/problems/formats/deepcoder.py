"""DeepCoder-Preview: `problem` and `tests`. The tests have the form of the data set that a row was taken from."""

from __future__ import annotations

from codepref.problems.columns import first_text, programs, row_id, struct_of
from codepref.problems.fields import Row, text_field
from codepref.problems.formats.base import Format
from codepref.problems.formats.cases import read_cases
from codepref.problems.formats.statements import case_problem, kept
from codepref.problems.packed import unpacked
from codepref.records import Problem


def read(row: Row, where: str) -> Problem:
    """Return the problem of one row. If no column of ids holds a value, the id is "DeepCoder/" and a hash."""
    statement = text_field(row, "problem", where)
    starter = text_field(row, "starter_code", where, default="")
    function = first_text(struct_of(row.get("metadata"), "metadata", where), "func_name", "fn_name")
    return case_problem(
        read_cases(unpacked(row.get("tests"), "tests", where), "tests", where, function=function, starter=starter),
        task_id=row_id(row, "DeepCoder", ("problem_id", "question_id", "task_id", "id"), (statement, row.get("tests"))),
        statement=statement,
        starter=starter,
        golds=programs(row.get("solutions")),
        meta=kept(row, "deepcoder", ("difficulty", "source", "dataset")),
        where=where,
    )


FORMAT = Format("DeepCoder", frozenset({"problem", "tests"}), read)
