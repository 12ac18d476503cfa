"""A command makes waiting OpenMP threads sleep, unless the user has set how they wait."""

import os

import pytest

from codepref.cli.main import main

NAMES = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")


@pytest.mark.parametrize(
    ("user_sets", "expected"),
    [
        ({}, {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "1000"}),
        ({"OMP_WAIT_POLICY": "ACTIVE"}, {"OMP_WAIT_POLICY": "ACTIVE"}),
        ({"GOMP_SPINCOUNT": "0"}, {"GOMP_SPINCOUNT": "0"}),
    ],
)
def test_waiting_threads_sleep_unless_the_user_sets_how_they_wait(
    user_sets: dict[str, str], expected: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in NAMES:
        monkeypatch.setenv(name, "")  # pytest then restores the variable that the command sets
        monkeypatch.delenv(name)
    for name, value in user_sets.items():
        monkeypatch.setenv(name, value)
    assert main(["execute", "--problems", "missing.jsonl", "--solutions", "missing.jsonl", "--out", "o"]) == 2
    assert {name: os.environ[name] for name in NAMES if name in os.environ} == expected
