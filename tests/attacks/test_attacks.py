"""Programs that try to forge a verdict, to leave the sandbox, or to change what a neighbour gets; see `runner.py`.

All run twice where the tests run as root: as root, and as an ordinary user.
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
from runner import FILES, KINDS, LIMITS, PROBLEM, SECRET, TESTS, calm, outcome

from codepref.execution.engine import Engine
from codepref.execution.tasks import Task
from codepref.records import Solution

pytestmark = pytest.mark.xdist_group("attacks")

HERE = Path(__file__).parent
PENDING = {
    path: found[1] for path in FILES if (found := re.search(r"^# pending: (.*)$", path.read_text(), re.MULTILINE))
}
"""Files that show a fault which is still to be mended."""
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
        with Engine(jobs=1) as made:
            yield made
    finally:
        for name in SECRET:
            del os.environ[name]


@pytest.fixture(scope="module")
def calm_before(engine: Engine) -> tuple[str, int]:
    return calm(engine)


@pytest.fixture(scope="module")
def told_to_nobody() -> dict[str, dict]:
    """What an engine of an ordinary user says of each file."""
    if os.getuid() != 0:
        pytest.skip("the tests run as an ordinary user already")
    command = [sys.executable, "-B", str(HERE / "ordinary.py")]
    environment = {**os.environ, "PYTHONPATH": str(HERE.parents[1])}
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=500)
    if ended.returncode == IMPOSSIBLE:
        pytest.skip(f"no ordinary user can run this interpreter here: {ended.stderr.strip()}")
    assert ended.returncode == 0, ended.stderr
    return {told["file"]: told for told in map(json.loads, ended.stdout.splitlines())}


def test_there_are_enough_attacks_and_no_unknown_ones() -> None:
    assert {path.parent.name for path in FILES} == set(KINDS)
    assert min(sum(path.parent.name == kind for path in FILES) for kind in ("forgeries", "escapes")) >= 30


@pytest.mark.parametrize("path", CASES)
def test_attack_fails_and_its_honest_twin_passes(engine: Engine, calm_before: tuple[str, int], path: Path) -> None:
    told = outcome(engine, path)
    assert calm(engine) == calm_before
    assert not told["wrong"], told


@pytest.mark.parametrize("path", CASES)
def test_the_same_as_an_ordinary_user(told_to_nobody: dict[str, dict], path: Path) -> None:
    told = told_to_nobody[f"{path.parent.name}/{path.stem}"]
    assert told["uid"] == NOBODY
    assert told["calm"], told
    assert not told["wrong"], told


def test_no_process_and_no_file_is_left() -> None:
    psutil = pytest.importorskip("psutil")
    with Engine(jobs=2) as mine:
        solutions = [Solution("add", at, path.read_text()) for at, path in enumerate(FILES) if "bomb" in path.stem]
        list(mine.run([Task(PROBLEM, solutions, TESTS)], limits=LIMITS))
        family = [process for worker in mine._workers for process in _family(psutil, worker._process.pid)]
    psutil.wait_procs(family, timeout=10)
    assert not [process for process in family if process.is_running() and process.status() != "zombie"]


def _family(psutil, pid: int) -> list:
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]
