"""The check that gold solutions are correct by the tests of their problems."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from codepref.execution.execute import execute
from codepref.execution.limits import Limits
from codepref.records import Problem, Solution, VacuousTests


@dataclass(frozen=True, slots=True)
class GoldFailure:
    """A gold solution whose verdict is not that it is correct.

    codes: its verdict codes, one for each test that was not left out. detail: the first failure in words, or why the
    solution is unjudged.
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
) -> list[GoldFailure]:
    """Run gold solutions against their problems' own tests, and return those that are not shown to be correct.

    These solutions failed a test, or a test has no result, or the tests prove nothing (see `Verdict.correct`).
    Problems without a gold solution or without tests are left out. The result is in the order of the problems.
    Raises what `execute` raises.
    """
    checked = [problem for problem in problems if problem.gold is not None and problem.tests]
    solutions = [Solution(problem.task_id, 0, problem.gold or "") for problem in checked]
    engine: dict[str, Any] = {"jobs": jobs, "unconfined": unconfined, "vacuous_tests": vacuous_tests}
    matrices = execute(checked, solutions, limits=limits or Limits(), **engine)
    return [
        GoldFailure(verdict.task_id, verdict.codes, verdict.detail)
        for matrix in matrices
        for verdict in matrix.verdicts
        if verdict.correct is not True
    ]
