"""MBPP (arXiv 2108.07732), full and sanitized: one Test per assert."""

from __future__ import annotations

from codepref.errors import UserError
from codepref.problems.fields import Row, infer_entry_point, task_id_field, text_field, texts_field
from codepref.records import Problem, Test

COLUMNS = frozenset({"task_id", "code", "test_list"})


def read(row: Row, where: str) -> Problem:
    """One line of either form. `helpers` holds the tests' imports and set-up. Raises UserError as `mbpp_problem`."""
    task_id, tests = task_id_field(row, where, prefix="Mbpp/"), texts_field(row, "test_list", where)
    return mbpp_problem(
        row,
        where,
        [Test(task_id, str(place), source, "asserts") for place, source in enumerate(tests)],
        {"format": "mbpp"},
    )


def mbpp_problem(row: Row, where: str, tests: list[Test], meta: dict[str, object]) -> Problem:
    """A problem from MBPP's columns and these tests.

    The prompt is the request and the first assert, without which nobody could know the function's name and arguments
    (as EvalPlus prompts; the paper shows all three asserts). Raises UserError for a wrong field, or when the entry
    point cannot be told from the asserts and the code.
    """
    asserts, code = texts_field(row, "test_list", where), text_field(row, "code", where)
    request = text_field(row, "text" if row.get("text") is not None else "prompt", where)
    if not asserts:
        raise UserError(f"{where}: test_list is empty, so the function's name is unknown")
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
