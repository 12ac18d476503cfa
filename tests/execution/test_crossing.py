"""Tests that honest programs get the verdicts that they would get if solution and test were one program.

The cases are in `crossing/*.txt`. Each case has a test, a right and a wrong solution, and the isolation that the
verdict of the right solution must have, or `any`. In a slow test each solution also runs in one plain program with its
test. The right one must end without an error there and the wrong one with an error, unless the name of the case
contains "free".
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from codepref.execution.engine import Engine
from codepref.execution.limits import Limits
from codepref.execution.tasks import Task
from codepref.records import Problem, Solution, Test, Verdict

pytestmark = pytest.mark.xdist_group("execution")

FOLDER = Path(__file__).parent / "crossing"
LIMITS = Limits(cpu_seconds=3, wall_seconds=20)


@dataclass(frozen=True)
class Case:
    """One case of a file."""

    name: str
    entry_point: str
    isolation: str
    test: str
    right: str
    wrong: str


def cases(path: Path) -> list[Case]:
    """Return the cases of a file."""
    found = []
    for text in path.read_text(encoding="utf-8").split("=== ")[1:]:
        head, test = text.split("\n--- test\n")
        test, right = test.split("\n--- right\n")
        right, wrong = right.split("\n--- wrong\n")
        found.append(Case(*head.split(), test + "\n", right + "\n", wrong.strip("\n") + "\n"))
    return found


FILES = sorted(FOLDER.glob("*.txt"))


def task(case: Case) -> Task:
    """Return a task with the right and the wrong solution of a case."""
    kind = "check" if "def check(" in case.test else "asserts"
    solutions = [Solution(case.name, 0, case.right), Solution(case.name, 1, case.wrong)]
    return Task(Problem(case.name, "", case.entry_point), solutions, [Test(case.name, "0", case.test, kind)])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_right_solutions_pass_and_wrong_ones_fail_as_in_one_program(engine: Engine, path: Path) -> None:
    listed = cases(path)
    findings = {}
    for case, matrix in zip(listed, engine.run([task(case) for case in listed], limits=LIMITS), strict=True):
        if finding := wrongness(case, *matrix.verdicts):
            findings[case.name] = finding
    assert findings == {}


def wrongness(case: Case, right: Verdict, wrong: Verdict) -> str:
    """Return what is wrong with the verdicts of a case, or ""."""
    if right.codes != "P":
        return f"the right solution has {right.codes} ({right.detail})"
    if wrong.codes not in ("F", "E"):
        return f"the wrong solution has {wrong.codes} ({wrong.detail})"
    return "" if case.isolation in ("any", right.isolation) else f"the isolation is {right.isolation}"


AS_A_PROGRAM = """
import sys, types
module = sys.modules["solution"] = types.ModuleType("solution")
solution, test, entry_point = sys.argv[1:]
import linecache
linecache.cache["<solution>"] = (len(solution), None, solution.splitlines(True), "<solution>")
module.__file__ = "<solution>"
exec(compile(solution, "<solution>", "exec"), module.__dict__)
for name in ("my_module", "string_utils_xyz", "src", "src.solution"):
    sys.modules[name] = module
module.solution = module
exec(test.replace("from .solution", "from solution"), module.__dict__)
if "def check(" in test:
    module.check(getattr(module, entry_point))
"""
"""A program that runs a solution and a test as one module."""


@pytest.mark.slow
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_plain_python_agrees_with_the_lists(path: Path) -> None:
    findings = {}
    for case in cases(path):
        for solution, passes in ((case.right, True), (case.wrong, False)):
            command = [sys.executable, "-c", AS_A_PROGRAM, solution, case.test, case.entry_point]
            ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
            if (ended.returncode == 0) is not passes and "free" not in case.name:
                findings[case.name] = ended.stderr[-300:]
    assert findings == {}
