"""Tests with attack files that contain their own problems (see `families.py`). No attack may get a wrong code.

If the tests run as root, each attack runs as root, and also as an ordinary user where this is possible.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("psutil")
from families import FAMILIES, FILES, OPEN, judge, read
from ordinary import IMPOSSIBLE, NOBODY
from runner import SECRET, state

from codepref.execution.engine import Engine

pytestmark = [pytest.mark.xdist_group("families"), pytest.mark.slow]

HERE = Path(__file__).parent
CASES = [pytest.param(path, id=f"{path.parent.name}/{path.stem}") for path in FILES]
AS_ORDINARY_USER = "import families, ordinary, runner; runner.main = families.main; ordinary.main()"
"""A program that judges the files as an ordinary user. `ordinary.main` changes the user and calls `runner.main`."""


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
    command = [sys.executable, "-B", "-c", AS_ORDINARY_USER]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE.parents[1]), str(HERE)])}
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=1200)
    if ended.returncode == IMPOSSIBLE:
        pytest.skip(f"no ordinary user can run this interpreter here: {ended.stderr.strip()}")
    assert ended.returncode == 0, ended.stderr
    return {result["file"]: result for result in map(json.loads, ended.stdout.splitlines())}


def test_every_family_has_files_and_no_two_attacks_are_the_same() -> None:
    counts = Counter(path.parent.name for path in [*FILES, *OPEN])
    assert set(counts) == set(FAMILIES)
    assert sum(counts.values()) >= 64
    assert min(counts.values()) >= 5
    attacks = Counter((read(path).attack, tuple(read(path).tests)) for path in [*FILES, *OPEN])
    assert max(attacks.values()) == 1


@pytest.mark.parametrize("path", CASES)
def test_attack_gains_nothing_and_its_honest_twin_passes(
    engine: Engine, state_before: tuple[str, int], path: Path
) -> None:
    result = judge(engine, state_before, path)
    assert result["state"], result
    assert not result["wrong"], result


@pytest.mark.parametrize("path", CASES)
def test_the_same_as_an_ordinary_user(results_of_nobody: dict[str, dict], path: Path) -> None:
    result = results_of_nobody[f"{path.parent.name}/{path.stem}"]
    assert result["uid"] == NOBODY
    assert result["state"], result
    assert not result["wrong"], result
