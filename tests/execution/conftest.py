from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from codepref.execution.engine import Engine
from codepref.execution.limits import Limits
from codepref.execution.tasks import Task
from codepref.records import Problem, Solution, Test, Verdict


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of published files, outside the repository. Tests that need it are skipped if it is missing."""
    folder = Path(os.environ.get("CODEPREF_DATA", Path(__file__).parents[3] / "shared" / "data"))
    if not (folder / "humaneval").is_dir():
        pytest.skip(f"no published files at {folder} (set CODEPREF_DATA)")
    return folder


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    with Engine(jobs=1) as shared:
        yield shared


@pytest.fixture
def verdict_on(engine: Engine) -> Callable[..., Verdict]:
    """A function that runs one solution and returns its verdict: verdict_on(solution, *tests, limits=None, **fields).

    A test is a Test record, or a text that becomes a test of the kind "asserts" or "check". fields: fields of Problem.
    """

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
