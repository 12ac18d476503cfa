from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from codepref.execution.engine import Engine
from codepref.execution.limits import Limits
from codepref.execution.tasks import Task
from codepref.records import Problem, Solution, Test, Verdict


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    with Engine(jobs=1) as made:
        yield made


@pytest.fixture
def judge(engine: Engine) -> Callable[..., Verdict]:
    """judge(solution, test, ..., **fields of Problem and Limits): the verdict on tests given as text or as Test."""

    def run(solution: str, *tests: str | Test, limits: Limits | None = None, **fields) -> Verdict:
        made = [
            test if isinstance(test, Test) else Test("t", str(at), test, "check" if "def check(" in test else "asserts")
            for at, test in enumerate(tests)
        ]
        problem = Problem("t", "", fields.pop("entry_point", "f"), **fields)
        tasks = [Task(problem, [Solution("t", 0, solution)], made)]
        limits = limits or Limits(cpu_seconds=0.5, wall_seconds=3, memory_mb=256)
        (matrix,) = engine.run(tasks, limits=limits)
        return matrix.verdicts[0]

    return run
