from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from codepref.execution.engine import Engine
from codepref.execution.limits import Limits
from codepref.execution.tasks import Task
from codepref.records import Problem, Solution, Test, Verdict


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    with Engine(jobs=1) as shared:
        yield shared


@pytest.fixture
def verdict_on(engine: Engine) -> Callable[..., Verdict]:
    """verdict_on(solution, test, ..., **fields of Problem): the verdict on tests that are texts or Test records."""

    def run(solution: str, *tests: str | Test, limits: Limits | None = None, **fields) -> Verdict:
        records = [
            test if isinstance(test, Test) else Test("t", str(at), test, "check" if "def check(" in test else "asserts")
            for at, test in enumerate(tests)
        ]
        problem = Problem("t", "", fields.pop("entry_point", "f"), **fields)
        tasks = [Task(problem, [Solution("t", 0, solution)], records)]
        limits = limits or Limits(cpu_seconds=0.5, wall_seconds=3, memory_mb=256)
        (matrix,) = engine.run(tasks, limits=limits)
        return matrix.verdicts[0]

    return run
