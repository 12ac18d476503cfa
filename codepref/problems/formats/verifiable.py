"""PrimeIntellect's verifiable coding problems, open-r1's copies of them, and SYNTHETIC-1 and 2.

`verification_info` is a struct, JSON text, or the text of a Python dict. In SYNTHETIC-1 several rows may hold answers
to one problem. The first of them gives the problem. The others repeat its id, so they count as bad rows: they are left
out, or refused with `strict`.
"""

from __future__ import annotations

from codepref.errors import UserError
from codepref.problems.columns import programs, row_id, struct_of
from codepref.problems.fields import Row, text_field
from codepref.problems.formats.base import Format
from codepref.problems.formats.cases import read_cases
from codepref.problems.formats.statements import case_problem, kept
from codepref.records import Problem

_PYTHON = {"python", "python3", "py"}


def read(row: Row, where: str) -> Problem:
    """Return the problem of one row. Raises UserError for rows of other languages than Python."""
    statement, info = (
        text_field(row, "prompt", where),
        struct_of(row.get("verification_info"), "verification_info", where),
    )
    language = info.get("language") or "python"
    if str(language).lower() not in _PYTHON:
        raise UserError(f"{where}: the problem asks for {str(language)[:40]}, and codepref runs Python only")
    tests = next((info[key] for key in ("test_cases", "tests", "ground_truth") if info.get(key) is not None), None)
    if tests is None and "inputs" in info:
        tests = info
    return case_problem(
        read_cases(tests, "verification_info", where),
        task_id=row_id(row, "verifiable", ("problem_id", "id"), (statement, tests)),
        statement=statement,
        golds=programs(row.get("gold_standard_solution")),
        meta=kept(row, "verifiable", ("source", "task_type", "in_source_id", "hf_dataset_name", "metadata")),
        where=where,
    )


FORMAT = Format("verifiable coding problems", frozenset({"prompt", "verification_info"}), read)
