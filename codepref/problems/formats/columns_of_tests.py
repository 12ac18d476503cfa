"""rStar-Coder (arXiv 2505.21297) and CURE (arXiv 2506.03136): inputs and outputs in columns of their own."""

from __future__ import annotations

from codepref.errors import UserError
from codepref.problems.columns import first_text, listed, programs, row_id, seconds_of
from codepref.problems.fields import Row, text_field
from codepref.problems.formats.base import Format
from codepref.problems.formats.cases import read_cases
from codepref.problems.formats.statements import case_problem, kept
from codepref.records import Problem


def read_rstar(row: Row, where: str) -> Problem:
    """Return the problem of one row of rStar-Coder. The id comes from `question_id` or `id`.

    With `func_name` or `fn_name`, the tests call this function, or this method of the class `class_name`.
    """
    statement = text_field(row, "question", where)
    tests = {"inputs": listed(row["inputs"], "inputs", where), "outputs": listed(row["outputs"], "outputs", where)}
    function = first_text(row, "func_name", "fn_name").strip()
    return case_problem(
        read_cases(tests, "inputs", where, function=function),
        task_id=row_id(row, "rStar-Coder", ("question_id", "id"), (statement, row["inputs"])),
        statement=statement,
        starter=text_field(row, "starter_code", where, default=""),
        golds=[*programs(row.get("code")), *programs(row.get("solutions"))],
        owner=first_text(row, "class_name").strip() if function else "",
        meta=kept(row, "rstar-coder", ("test_case_type", "seed_source", "source")),
        where=where,
    )


def read_cure(row: Row, where: str) -> Problem:
    """Return the problem of one row of CURE. The id comes from `task_id` or `problem_id`.

    The examples are not among the tests.
    """
    statement = text_field(row, "question", where)
    method = row.get("exe_method") or "stdin"
    if method not in ("stdin", "stdio"):
        raise UserError(f"{where}: tests of the method {str(method)[:40]!r} cannot be run (exe_method)")
    inputs, outputs = (listed(row[key], key, where) for key in ("test_input", "test_output"))
    meta = kept(row, "cure", ("difficulty",))
    if seconds := seconds_of(row.get("test_time_limit")):
        meta["time_limit"] = seconds
    return case_problem(
        read_cases({"inputs": inputs, "outputs": outputs}, "test_input", where),
        task_id=row_id(row, "CURE", ("task_id", "problem_id"), (statement, inputs)),
        statement=statement,
        golds=programs(row.get("solutions")),
        meta=meta,
        where=where,
    )


RSTAR = Format("rStar-Coder", frozenset({"question", "inputs", "outputs"}), read_rstar)
CURE = Format("CURE", frozenset({"question", "test_input", "test_output"}), read_cure)
