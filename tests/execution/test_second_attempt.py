"""Tests that a second attempt decides only the tests that the first attempt left open."""

from __future__ import annotations

import pytest

from codepref.execution.limits import Limits
from codepref.execution.state import TaskState, merged
from codepref.execution.tasks import Task
from codepref.records import Problem, Solution, Test


@pytest.mark.parametrize(
    ("first", "second", "codes"),
    [
        ("PFT", "PPP", "PFP"),
        ("TTT", "PFE", "PFE"),
        ("PTS", "FPF", "PPF"),
        ("MXE", "PPP", "MXE"),
        ("PT", "PT", "PT"),
    ],
)
def test_decided_tests_keep_their_code(first: str, second: str, codes: str) -> None:
    result = merged((first, False, 1.0, "first", b""), (second, True, 2.0, "second", b""))
    assert result[0] == codes
    assert result[1:3] == (True, 2.0)


def test_the_detail_is_that_of_the_attempt_that_decided_a_failure() -> None:
    assert merged(("FT", False, 0.0, "wrong", b""), ("PP", False, 0.0, "", b""))[3] == "wrong"
    assert merged(("PT", False, 0.0, "late", b""), ("PF", False, 0.0, "wrong", b""))[3] == "wrong"
    assert merged(("PT", False, 0.0, "late", b""), ("PP", False, 0.0, "", b""))[3] == ""


def test_each_digest_comes_from_the_attempt_that_decided_the_test() -> None:
    first, second = b"\x01\0\0\0" + bytes(4), b"\x02\0\0\0\x03\0\0\0"
    assert merged(("PT", False, 0.0, "", first), ("PP", False, 0.0, "", second))[4] == b"\x01\0\0\0\x03\0\0\0"
    assert merged(("PT", False, 0.0, "", b""), ("PP", False, 0.0, "", second))[4] == bytes(4) + b"\x03\0\0\0"


def test_a_solution_gains_nothing_by_a_timeout_after_a_failure() -> None:
    gold, guess = "def f(x):\n    return x\n", "def f(x):\n    return 2\n"
    tests = (Test("t", "0", "assert f(1) == 1"), Test("t", "1", "assert f(2) == 2"))
    task = Task(Problem("t", "", "f", gold=gold), [Solution("t", 0, guess)], tests)
    state = TaskState(task, Limits(cpu_seconds=3.0, timeout_factor=100), jobs=1)
    results = {guess: ("FT", "test 0: AssertionError"), gold: ("PP", "")}
    for first in (state.next_job(), state.next_job()):
        ((index, source),) = first.sources()
        codes, detail = results[source]
        first.settle(index, codes, False, 100.0, detail, bytes(8))
    second = state.next_job()
    ((index, source),) = second.sources()
    assert source == guess
    second.settle(index, "PP", False, 900.0, "", bytes(8))
    (verdict,) = state.matrix().verdicts
    assert (verdict.codes, verdict.detail) == ("FP", "test 0: AssertionError")
