"""The Python file of HumanEval-X (arXiv 2303.17568): HumanEval without entry points. Its tests call themselves."""

from __future__ import annotations

from codepref.errors import UserError
from codepref.problems.fields import Row, text_field
from codepref.problems.formats.base import Format
from codepref.problems.formats.humaneval import read as read_humaneval
from codepref.problems.formats.humaneval_pro import last_function
from codepref.records import Problem


def read(row: Row, where: str) -> Problem:
    """Return the problem of one row. Its entry point is the last function that the declaration or the prompt begins."""
    name = last_function(text_field(row, "declaration", where)) or last_function(text_field(row, "prompt", where))
    if not name:
        raise UserError(f"{where}: neither declaration nor prompt defines a function in Python, and only Python is run")
    problem = read_humaneval({**row, "entry_point": name}, where)
    return problem


FORMAT = Format("HumanEval-X", frozenset({"task_id", "prompt", "declaration", "canonical_solution", "test"}), read)
