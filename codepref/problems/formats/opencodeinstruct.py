"""OpenCodeInstruct (arXiv 2504.04030): a request, an answer, and asserts that a model wrote."""

from __future__ import annotations

from codepref.problems.columns import listed, row_id
from codepref.problems.fields import Row, text_field
from codepref.problems.formats.base import Format
from codepref.problems.formats.python_tests import entry_point_of, program_of, statement_field, text_tests
from codepref.problems.formats.statements import kept
from codepref.records import Problem


def read(row: Row, where: str) -> Problem:
    """Return the problem of one row.

    The answer is the gold solution, unless `tests_execution_status` holds a status other than "pass".
    """
    prompt, texts = statement_field(row, ("input",), where), listed(row.get("unit_tests"), "unit_tests", where)
    task_id = row_id(row, "OpenCodeInstruct", ("id", "question_id"), [prompt, texts])
    tests = text_tests(texts, task_id, "unit_tests", where)
    answer = program_of(text_field(row, "output", where, default=""))
    statuses = listed(row.get("tests_execution_status"), "tests_execution_status", where)
    return Problem(
        task_id=task_id,
        prompt=prompt,
        entry_point=entry_point_of(tests, answer or None, where, statement=prompt),
        tests=tests,
        gold=answer if answer and all(status == "pass" for status in statuses) else None,
        style="instruct",
        meta=kept(
            row, "opencodeinstruct", ("domain", "generation_algorithm", "average_test_score", "tests_execution_status")
        ),
    )


FORMAT = Format("OpenCodeInstruct", frozenset({"input", "unit_tests"}), read)
