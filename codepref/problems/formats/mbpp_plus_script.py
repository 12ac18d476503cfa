"""MBPP+ OriginFmt, and the hub's mbppplus: the test of a task is one script that runs all inputs."""

from __future__ import annotations

from codepref.problems.fields import Row, task_id_field, text_field
from codepref.problems.formats.base import Format
from codepref.problems.formats.mbpp import mbpp_problem
from codepref.problems.repairs import repair
from codepref.records import Problem, Test


def read(row: Row, where: str) -> Problem:
    """Return the problem of one row. The script is one test of kind "asserts"."""
    task_id = task_id_field(row, where, prefix="Mbpp/")
    source, repairs = repair(task_id, text_field(row, "test", where))
    meta: dict[str, object] = {"format": "mbpp+ script", **({"repaired": repairs} if repairs else {})}
    return mbpp_problem(row, where, [Test(task_id, "script", source, "asserts")], meta)


FORMAT = Format("MBPP+ OriginFmt", frozenset({"task_id", "prompt", "code", "test_list", "test"}), read)
