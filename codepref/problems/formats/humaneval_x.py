"""The Python file of HumanEval-X (arXiv 2303.17568): HumanEval without entry points. Its tests call themselves."""

from __future__ import annotations

from codepref.errors import UserError
from codepref.problems.fields import Row, task_id_field, text_field
from codepref.problems.formats.base import Format
from codepref.problems.formats.humaneval import read as read_humaneval
from codepref.problems.formats.humaneval import refuse_other_languages
from codepref.problems.formats.humaneval_pro import last_function
from codepref.problems.formats.python_tests import statement_field
from codepref.records import Problem


def read(row: Row, where: str) -> Problem:
    """Return the problem of one row.

    Its entry point is the last function or class of `declaration`, or of `prompt` if `declaration` has none.
    """
    program = statement_field(row, ("prompt",), where) + text_field(row, "canonical_solution", where)
    refuse_other_languages(task_id_field(row, where), program, where)
    name = last_function(text_field(row, "declaration", where)) or last_function(text_field(row, "prompt", where))
    if not name:
        raise UserError(f"{where}: neither declaration nor prompt defines a function in Python")
    return read_humaneval({**row, "entry_point": name}, where)


FORMAT = Format("HumanEval-X", frozenset({"task_id", "prompt", "declaration", "canonical_solution", "test"}), read)
