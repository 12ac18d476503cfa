"""MBPP (arXiv 2108.07732), full and sanitized. Each entry of `test_list` is one Test."""

from __future__ import annotations

from codepref.errors import UserError
from codepref.problems.entry_points import infer_entry_point
from codepref.problems.fields import Row, task_id_field, text_field, texts_field
from codepref.problems.formats.base import Format
from codepref.records import Problem, Test


def read(row: Row, where: str) -> Problem:
    """Return the problem of one row. Its `helpers` hold the imports and the set-up code of the tests."""
    task_id, tests = task_id_field(row, where, prefix="Mbpp/"), texts_field(row, "test_list", where)
    return mbpp_problem(
        row,
        where,
        [Test(task_id, str(place), source, "asserts") for place, source in enumerate(tests)],
        {"format": "mbpp"},
    )


def mbpp_problem(row: Row, where: str, tests: list[Test], meta: dict[str, object]) -> Problem:
    """Return the problem of a row with MBPP's columns, with these tests and this `meta`.

    The prompt is the request and the first assert, which shows the function's name and arguments. EvalPlus makes its
    prompts in this way, while the paper shows all three asserts. Raises UserError for a wrong field, for an empty
    `test_list`, and for asserts and code that do not show which function is the entry point.
    """
    asserts, code = texts_field(row, "test_list", where), text_field(row, "code", where)
    request = text_field(row, "text" if row.get("text") is not None else "prompt", where)
    if not asserts:
        raise UserError(f"{where}: test_list is empty, so the name of the function is unknown")
    setup = (*texts_field(row, "test_imports", where), text_field(row, "test_setup_code", where, default=""))
    return Problem(
        task_id=task_id_field(row, where, prefix="Mbpp/"),
        prompt=f"{request.strip()}\n{asserts[0].strip()}\n",
        entry_point=infer_entry_point(asserts, code, where),
        tests=tuple(tests),
        gold=code.replace("\r\n", "\n"),
        style="instruct",
        helpers="".join(f"{part.strip()}\n" for part in setup if part.strip()),
        meta=meta,
    )


FORMAT = Format("MBPP, full or sanitized", frozenset({"task_id", "code", "test_list"}), read)
