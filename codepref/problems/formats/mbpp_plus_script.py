"""MBPP+ OriginFmt, which is also the hub's mbppplus: one script that runs all inputs and compares with results."""

from __future__ import annotations

from codepref.problems.fields import Row, task_id_field, text_field
from codepref.problems.formats.mbpp import mbpp_problem
from codepref.problems.repairs import repair
from codepref.records import Problem, Test

COLUMNS = frozenset({"task_id", "prompt", "code", "test_list", "test"})


def read(row: Row, where: str) -> Problem:
    """One line. The script is one Test of kind "asserts". Raises UserError as `mbpp_problem`."""
    task_id = task_id_field(row, where, prefix="Mbpp/")
    source, repaired = repair(task_id, text_field(row, "test", where))
    meta: dict[str, object] = {"format": "mbpp+ script", **({"repaired": repaired} if repaired else {})}
    return mbpp_problem(row, where, [Test(task_id, "script", source, "asserts")], meta)
