"""Checks whether gold solutions are correct by the tests of their problems, and what these tests prove."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from codepref.config.scale import ScaleSection
from codepref.execution.execute import execute, execute_into
from codepref.execution.limits import Limits
from codepref.execution.reading import iter_verdicts
from codepref.records import Problem, Solution, VacuousTests


@dataclass(frozen=True, slots=True)
class GoldFailure:
    """A gold solution that the tests of its problem do not show to be correct.

    codes: its verdict codes. detail: the first failure in words, or why the solution is unjudged.
    """

    task_id: str
    codes: str
    detail: str


def check_gold(
    problems: Sequence[Problem],
    *,
    limits: Limits | None = None,
    jobs: int | None = None,
    unconfined: bool = False,
    vacuous_tests: VacuousTests = "leave-out",
    scale: ScaleSection | None = None,
) -> list[GoldFailure]:
    """Run gold solutions against their problems' own tests, and return those that are not shown to be correct.

    A returned solution failed a test, or one of its tests has no result, or the tests prove nothing (see
    `Verdict.correct`). Problems without a gold solution or without tests are skipped. The result is in the order of the
    problems.
    Raises what `execute` raises.
    """
    checked = [problem for problem in problems if problem.gold is not None and problem.tests]
    solutions = [Solution(problem.task_id, 0, problem.gold or "") for problem in checked]
    engine: dict[str, Any] = {"jobs": jobs, "unconfined": unconfined, "vacuous_tests": vacuous_tests}
    engine["scale"] = scale
    matrices = execute(checked, solutions, limits=limits or Limits(), **engine)
    return [
        GoldFailure(verdict.task_id, verdict.codes, verdict.detail)
        for matrix in matrices
        for verdict in matrix.verdicts
        if verdict.correct is not True
    ]


@dataclass(frozen=True, slots=True)
class ProblemCheck:
    """What running a problem's own tests shows about the problem.

    Attributes:
        gold: "none" if there is no gold solution, and otherwise "pass", "fail" or "unjudged".
        codes: the verdict codes of the gold solution.
        detail: the first failure of the gold solution, or the reason why it is unjudged, or "".
        vacuous: the ids of tests that prove nothing.
        proves_nothing: words for programs that should fail and pass all tests that are left, or the reason why no test
            is left, or "" (see `Screening.passed_by`).
    """

    task_id: str
    gold: str
    codes: str = ""
    detail: str = ""
    vacuous: tuple[str, ...] = ()
    proves_nothing: str = ""


def check_problems(
    problems: Sequence[Problem], *, limits: Limits | None = None, jobs: int | None = None, unconfined: bool = False
) -> list[ProblemCheck]:
    """Run gold solutions, and programs that do nothing, against the problems' own tests.

    Return a ProblemCheck for each problem with tests, in the order of the problems. Raises what `execute` raises.
    """
    checked = [problem for problem in problems if problem.tests]
    solutions = [Solution(problem.task_id, 0, problem.gold or "") for problem in checked]
    with tempfile.TemporaryDirectory(prefix="codepref-inspect-") as folder:
        summary = execute_into(
            checked, solutions, out=folder, limits=limits or Limits(), jobs=jobs, unconfined=unconfined
        )
        matrices = {matrix.task_id: matrix for matrix in iter_verdicts(folder)}
    vacuous, nothing = summary["vacuous_tests_by_problem"], summary["problems_that_prove_nothing"]
    checks = []
    for problem in checked:
        (verdict,) = matrices[problem.task_id].verdicts
        correct = {True: "pass", False: "fail", None: "unjudged"}[verdict.correct]
        checks.append(
            ProblemCheck(
                problem.task_id,
                correct if problem.gold else "none",
                verdict.codes if problem.gold else "",
                verdict.detail if problem.gold else "",
                tuple(vacuous.get(problem.task_id, ())),
                nothing.get(problem.task_id, ""),
            )
        )
    return checks
