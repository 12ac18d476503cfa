"""Patience: how much CPU time a test may take, when the other solutions' or the gold solution's is known."""

from __future__ import annotations

import pytest

from codepref.errors import UserError
from codepref.execution.engine import Engine
from codepref.execution.limits import Limits
from codepref.execution.tasks import Task
from codepref.records import Problem, Solution, Test

pytestmark = pytest.mark.xdist_group("execution")

TESTS = (Test("t", "0", "assert f() == 1"),)
QUICK, LOOP = "def f():\n    return 1\n", "def f():\n    while True:\n        pass\n"
SLOW = (
    "import time\ndef f():\n    end = time.process_time() + 0.8\n    while time.process_time() < end:\n        pass\n"
)
SLOW += "    return 1\n"


def judged(engine: Engine, sources: list[str], limits: Limits, gold: str | None = None) -> list:
    solutions = [Solution("t", at, source) for at, source in enumerate(sources)]
    (matrix,) = engine.run([Task(Problem("t", "", "f", gold=gold), solutions, TESTS)], limits=limits)
    assert len(matrix.verdicts) == len(sources)
    return list(matrix.verdicts)


def test_how_long_is_allowed():
    limits = Limits(cpu_seconds=3.0, timeout_factor=20)
    assert limits.first_cpu_seconds == 0.5
    assert limits.second_cpu_seconds(0.001) == 0.5
    assert (
        limits.second_cpu_seconds(0.03) == limits.second_cpu_seconds(0.04) == 1.0
    )  # in steps, so that it is the same in every run
    assert limits.second_cpu_seconds(0.06) == 2.0
    assert limits.second_cpu_seconds(1.0) == 3.0
    assert limits.second_cpu_seconds(None) == 3.0
    assert Limits(cpu_seconds=12.0).first_cpu_seconds == 2.0
    assert Limits(cpu_seconds=0.1).first_cpu_seconds == 0.1
    assert Limits(cpu_seconds=3.0, timeout_factor=None).first_cpu_seconds == 3.0


def test_patience_must_be_positive():
    with pytest.raises(UserError):
        Limits(timeout_factor=0)


def test_a_loop_beside_a_quick_right_solution_is_not_waited_for(engine):
    quick, loop = judged(engine, [QUICK, LOOP], Limits(cpu_seconds=4.0))
    assert (quick.codes, loop.codes) == ("P", "T")
    assert loop.cpu_ms < 2000


def test_without_a_right_solution_the_whole_limit_is_allowed(engine):
    wrong, slow = judged(engine, [QUICK.replace("1", "2"), SLOW], Limits(cpu_seconds=2.0))
    assert (wrong.codes, slow.codes) == ("F", "P")


def test_a_solution_much_slower_than_a_right_one_runs_out_of_time(engine):
    assert [v.codes for v in judged(engine, [SLOW, QUICK], Limits(cpu_seconds=2.0))] == ["T", "P"]
    assert [v.codes for v in judged(engine, [SLOW, QUICK], Limits(cpu_seconds=2.0, timeout_factor=None))] == ["P", "P"]


def test_the_gold_solution_tells_how_long_and_has_no_row(engine):
    assert [v.codes for v in judged(engine, [SLOW], Limits(cpu_seconds=2.0), gold=QUICK)] == ["T"]
    assert [v.codes for v in judged(engine, [SLOW], Limits(cpu_seconds=2.0), gold=SLOW + "\n")] == ["P"]
    assert [v.codes for v in judged(engine, [SLOW], Limits(cpu_seconds=2.0), gold="raise ValueError\n")] == ["P"]
