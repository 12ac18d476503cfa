"""Why a cell of the self-test matrix has another code than plain processes give it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from codepref.execution.execute import execute
from codepref.execution.limits import Limits
from codepref.records import Problem, Solution, Test


def judged_alone(task: Mapping[str, Any], seconds: float) -> str:
    """codepref's code for one solution and one test, with nothing else about."""
    name = task["task_id"]
    problem = Problem(name, "", _entry_point(task["tests"][0]), (Test(name, "0", task["tests"][0]),))
    (matrix,) = execute([problem], [Solution(name, 0, task["solutions"][0])], limits=Limits(seconds), jobs=1)
    return matrix.verdicts[0].codes


def _entry_point(test: str) -> str:
    called = re.search(r"(\w+)\(", test)
    return called[1] if called else "f"


def cause_of_cell(pair: str, alone: str, solution: str, test: str, detail: str) -> str:
    """The first cause that applies to a cell with the codes `pair` (reference, codepref) in the whole matrix, and
    `alone` when it was run by itself. Pure.
    """
    right, ours = pair
    if right == "T":
        return "out of time in the reference: the cell is not counted"
    if ours == "S":
        return "skipped: the solution had used up its time-outs at earlier tests"
    if ours == "I":
        return f"codepref failed: {detail[:100]}"
    if alone[0] == alone[1]:
        if "T" in pair:
            return "the limit's edge: both agree when the cell is run by itself"
        if alone[1] == ours:
            return "state: an earlier test changed what this one sees in the reference"
        return "state: an earlier test changed what this one sees in codepref, or its process was a fresh one"
    if "T" in pair + alone:
        return "the limit's edge: codes change from run to run"
    if ours == "X":
        return f"forbidden by the sandbox: {detail[:100]}"
    if "M" in pair:
        return "the memory limit: counted from another process size"
    if re.search(r"recursion", detail, re.IGNORECASE):
        return "recursion depth: the stack below the solution differs"
    if re.search(r"^\s*class \w+|lambda|yield|re\.|\biter\(|\bmap\(|\bzip\(", solution + "\n" + test, re.MULTILINE):
        return f"perhaps an object that is no plain data: {detail[:100]}"
    return "unexplained"
