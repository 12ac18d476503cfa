"""Programs that try to forge a verdict or to leave the sandbox, one file each, each with its honest twin.

A file: a comment that says what it tries, `# expect:` with the letters that are right for it, the program, and after
the line `# honest twin` a program that uses the same means and must pass. Every program defines `add`; a forgery
returns a wrong sum, an escape returns the right sum only when it got out, so the letter P always means that it worked.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from codepref.execution.engine import Engine
from codepref.execution.limits import Limits
from codepref.execution.tasks import Task
from codepref.records import Problem, Solution, Test

pytestmark = pytest.mark.xdist_group("attacks")

HERE = Path(__file__).parent
FILES = sorted([*HERE.glob("forgeries/*.txt"), *HERE.glob("escapes/*.txt")])
TESTS = (
    Test("add", "0", "assert add(1, 2) == 3"),
    Test("add", "1", "def check(candidate):\n    assert candidate(1000, 234) == 1234\n", "check"),
    Test("add", "2", "assert abs(add(1, 2) - 3) < 1e-6"),
    Test("add", "3", "result = add(1, 2)\nassert result in (3, 3.0) and not result != 3 and 2 < result < 4"),
    Test("add", "4", "assert [add(1, 2)] == [3] and {'sum': (add(1, 2),)} == {'sum': (3,)}"),
)
PROBLEM = Problem("add", "Add two numbers.", "add", TESTS)
LIMITS = Limits(cpu_seconds=0.4, wall_seconds=1.5, memory_mb=128, max_timeouts=1)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    os.environ["CODEPREF_TEST_SECRET"] = "secret"
    try:
        with Engine(jobs=1) as made:
            yield made
    finally:
        del os.environ["CODEPREF_TEST_SECRET"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_attack_fails_and_its_honest_twin_passes(engine: Engine, path: Path) -> None:
    attack, twin = path.read_text().split("# honest twin\n")
    expected = set(re.search(r"^# expect: (.*)$", attack, re.MULTILINE)[1].split())
    solutions = [Solution("add", 0, attack), Solution("add", 1, twin)]
    (matrix,) = engine.run([Task(PROBLEM, solutions, TESTS)], limits=LIMITS)
    attacked, honest = matrix.verdicts
    assert honest.letters == "PPPPP", honest.detail
    assert honest.isolation == attacked.isolation == "separate"
    assert "P" not in attacked.letters
    assert set(attacked.letters) - {"S"} <= expected, attacked.detail


def test_no_process_and_no_file_is_left(engine: Engine) -> None:
    psutil = pytest.importorskip("psutil")
    with Engine(jobs=2) as mine:
        solutions = [Solution("add", at, path.read_text()) for at, path in enumerate(FILES) if "bomb" in path.stem]
        list(mine.run([Task(PROBLEM, solutions, TESTS)], limits=LIMITS))
        family = [process for worker in mine._workers for process in _family(psutil, worker._process.pid)]
    psutil.wait_procs(family, timeout=10)
    assert not [process for process in family if process.is_running() and process.status() != "zombie"]
    assert not Path("/tmp/codepref-escape").exists()
    assert not Path("/dev/shm/codepref-escape").exists()


def _family(psutil, pid: int) -> list:
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]
