"""Finds the cause when codepref and plain processes give a cell of the self-test matrix different verdict codes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from codepref.execution.execute import execute
from codepref.execution.limits import Limits
from codepref.records import Problem, Solution, Test


def code_alone(task: Mapping[str, Any], seconds: float) -> str:
    """Run the first solution of a task against its first test only, and return codepref's verdict code.

    seconds: the CPU time that the test may take.
    """
    name = task["task_id"]
    problem = Problem(name, "", _entry_point(task["tests"][0]), (Test(name, "0", task["tests"][0]),))
    (matrix,) = execute([problem], [Solution(name, 0, task["solutions"][0])], limits=Limits(seconds), jobs=1)
    return matrix.verdicts[0].codes


def _entry_point(test: str) -> str:
    called = re.search(r"(\w+)\(", test)
    return called[1] if called else "f"


def cause_of_cell(pair: str, alone: str, solution: str, test: str, detail: str) -> str:
    """Return the first cause that applies to a cell with different codes, or "unexplained".

    pair: the code of the reference and the code of codepref, from runs of the whole matrix. alone: the same two codes,
    from runs of this cell alone. solution, test: their sources. detail: the message of codepref's verdict on the
    solution.
    """
    expected, ours = pair
    if expected == "T":
        return "out of time in the reference: the cell is not counted"
    if ours == "S":
        return "skipped: earlier tests had used up the time-outs that a solution may have"
    if ours == "I":
        return f"codepref failed: {detail[:100]}"
    if alone[0] == alone[1]:
        if "T" in pair:
            return "edge of the limit: both agree when the cell is run by itself"
        if alone[1] == ours:
            return "state: an earlier test changed what this test sees in the reference"
        return "state: an earlier test changed what this test sees in codepref, or codepref ran it in a new process"
    if "T" in pair + alone:
        return "edge of the limit: codes change from run to run"
    if ours == "X":
        return f"forbidden by the sandbox: {detail[:100]}"
    if "M" in pair:
        return "memory limit: the two count from different process sizes"
    if re.search(r"recursion", detail, re.IGNORECASE):
        return "recursion depth: the stack below the solution differs"
    if re.search(r"^\s*class \w+|lambda|yield|re\.|\biter\(|\bmap\(|\bzip\(", solution + "\n" + test, re.MULTILINE):
        return f"perhaps an object that is not plain data: {detail[:100]}"
    return "unexplained"
