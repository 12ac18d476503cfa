"""Tests with programs that try to forge a verdict, leave the sandbox, or change another verdict (see `runner.py`).

If the tests run as root, each attack runs as root, and also as an ordinary user where this is possible.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("psutil")
from ordinary import IMPOSSIBLE, NOBODY
from runner import FILES, KINDS, LIMITS, PROBLEM, SECRET, TESTS, result, state

from codepref.execution.engine import Engine
from codepref.execution.tasks import Task
from codepref.records import Solution

pytestmark = pytest.mark.xdist_group("attacks")

HERE = Path(__file__).parent
PENDING = {
    path: match[1] for path in FILES if (match := re.search(r"^# pending: (.*)$", path.read_text(), re.MULTILINE))
}
"""File -> reason, for files that show a fault of the sandbox that is not fixed yet."""
CASES = [
    pytest.param(
        path,
        id=f"{path.parent.name}/{path.stem}",
        marks=[pytest.mark.xfail(reason=PENDING[path], strict=True)] if path in PENDING else [],
    )
    for path in FILES
]


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    os.environ.update(SECRET)
    try:
        with Engine(jobs=1) as shared:
            yield shared
    finally:
        for name in SECRET:
            del os.environ[name]


@pytest.fixture(scope="module")
def state_before(engine: Engine) -> tuple[str, int]:
    return state(engine)


@pytest.fixture(scope="module")
def results_of_nobody() -> dict[str, dict]:
    """The facts about each file, from a run as an ordinary user."""
    if os.getuid() != 0:
        pytest.skip("the tests run as an ordinary user already")
    command = [sys.executable, "-B", str(HERE / "ordinary.py")]
    environment = {**os.environ, "PYTHONPATH": str(HERE.parents[1])}
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=500)
    if ended.returncode == IMPOSSIBLE:
        pytest.skip(f"no ordinary user can run this interpreter here: {ended.stderr.strip()}")
    assert ended.returncode == 0, ended.stderr
    return {facts["file"]: facts for facts in map(json.loads, ended.stdout.splitlines())}


def test_there_are_enough_attacks_and_no_unknown_ones() -> None:
    assert {path.parent.name for path in FILES} == set(KINDS)
    assert min(sum(path.parent.name == kind for path in FILES) for kind in ("forgeries", "escapes")) >= 30


@pytest.mark.parametrize("path", CASES)
def test_an_attack_fails_and_its_honest_twin_passes(engine: Engine, state_before: tuple[str, int], path: Path) -> None:
    facts = result(engine, path)
    assert state(engine) == state_before
    assert not facts["wrong"], facts


@pytest.mark.parametrize("path", CASES)
def test_an_attack_fails_as_an_ordinary_user_too(results_of_nobody: dict[str, dict], path: Path) -> None:
    facts = results_of_nobody[f"{path.parent.name}/{path.stem}"]
    assert facts["uid"] == NOBODY
    assert facts["unharmed"], facts
    assert not facts["wrong"], facts


def test_no_process_and_no_file_is_left() -> None:
    psutil = pytest.importorskip("psutil")
    with Engine(jobs=2) as engine:
        solutions = [Solution("add", at, path.read_text()) for at, path in enumerate(FILES) if "bomb" in path.stem]
        list(engine.run([Task(PROBLEM, solutions, TESTS)], limits=LIMITS))
        family = [process for worker in engine._workers for process in _family(psutil, worker._process.pid)]
    psutil.wait_procs(family, timeout=10)
    assert not [process for process in family if process.is_running() and process.status() != "zombie"]


def _family(psutil, pid: int) -> list:
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]
