"""Tests of the timeout factor: the CPU time of the slowest right solution limits the CPU time of a test."""

from __future__ import annotations

import pytest

from codepref.cli.options import read_limits
from codepref.cli.parser import build_parser
from codepref.errors import UserError
from codepref.execution.artifacts import task_key
from codepref.execution.engine import Engine
from codepref.execution.limits import SCORING_LIMITS, Limits
from codepref.execution.tasks import Task
from codepref.records import Problem, Solution, Test

pytestmark = pytest.mark.xdist_group("execution")

TESTS = (Test("t", "0", "assert f() == 1"),)
QUICK, LOOP = "def f():\n    return 1\n", "def f():\n    while True:\n        pass\n"
SLOW = (
    "import time\ndef f():\n    end = time.process_time() + 0.8\n    while time.process_time() < end:\n        pass\n"
)
SLOW += "    return 1\n"


def verdicts(engine: Engine, sources: list[str], limits: Limits, gold: str | None = None) -> list:
    solutions = [Solution("t", at, source) for at, source in enumerate(sources)]
    (matrix,) = engine.run([Task(Problem("t", "", "f", gold=gold), solutions, TESTS)], limits=limits)
    assert len(matrix.verdicts) == len(sources)
    return list(matrix.verdicts)


def test_the_cpu_time_of_the_first_and_the_second_attempt():
    limits = Limits(cpu_seconds=3.0, timeout_factor=20)
    assert limits.first_cpu_seconds == 0.5
    assert limits.second_cpu_seconds(0.001) == 0.5
    assert (
        limits.second_cpu_seconds(0.03) == limits.second_cpu_seconds(0.04) == 1.0
    )  # rounded up in steps, so that it is the same in every run
    assert limits.second_cpu_seconds(0.06) == 2.0
    assert limits.second_cpu_seconds(1.0) == 3.0
    assert limits.second_cpu_seconds(None) == 3.0
    assert Limits(cpu_seconds=12.0).first_cpu_seconds == 2.0
    assert Limits(cpu_seconds=0.1).first_cpu_seconds == 0.1
    assert Limits(cpu_seconds=3.0, timeout_factor=None).first_cpu_seconds == 3.0


def test_the_factor_must_be_positive():
    with pytest.raises(UserError):
        Limits(timeout_factor=0)


def test_the_old_name_still_works_with_a_warning():
    with pytest.warns(FutureWarning, match="patience is now called timeout_factor"):
        assert Limits(patience=None) == Limits(timeout_factor=None)
    with pytest.raises(TypeError, match="no argument impatience"):
        Limits(impatience=1)


def test_the_old_option_still_works_with_a_warning():
    options = ["execute", "--problems", "p", "--solutions", "s", "--out", "o"]
    new = build_parser().parse_args([*options, "--timeout-factor", "7"])
    with pytest.warns(FutureWarning, match="--patience is now called --timeout-factor"):
        old = build_parser().parse_args([*options, "--patience", "7"])
    assert read_limits(old) == read_limits(new) == Limits(timeout_factor=7)


def test_files_and_keys_of_earlier_versions_are_still_recognised():
    limits = Limits()
    assert limits.recorded() == {
        "cpu_seconds": 3.0,
        "wall_seconds": 30.0,
        "load_cpu_seconds": 3.0,
        "memory_bytes": 1 << 30,
        "max_timeouts": 2,
        "reference_cpu_seconds": 60.0,
        "patience": 20.0,
    }
    assert task_key(Problem("t", "", "f"), TESTS, limits, False) == "b84619dca6197734"


def test_a_gold_solution_counts_in_a_key_only_where_its_time_can_decide_a_limit():
    plain, other = (Problem("t", "", "f", gold=f"f = lambda: {number}") for number in (1, 2))
    assert task_key(plain, TESTS, Limits(), False) != task_key(other, TESTS, Limits(), False)
    assert task_key(plain, TESTS, SCORING_LIMITS, False) == task_key(other, TESTS, SCORING_LIMITS, False)


def test_a_loop_beside_a_quick_right_solution_is_stopped_early(engine):
    quick, loop = verdicts(engine, [QUICK, LOOP], Limits(cpu_seconds=4.0))
    assert (quick.codes, loop.codes) == ("P", "T")
    assert loop.cpu_ms < 2000


def test_without_a_right_solution_the_whole_limit_is_allowed(engine):
    wrong, slow = verdicts(engine, [QUICK.replace("1", "2"), SLOW], Limits(cpu_seconds=2.0))
    assert (wrong.codes, slow.codes) == ("F", "P")


def test_a_solution_much_slower_than_a_right_one_runs_out_of_time(engine):
    assert [v.codes for v in verdicts(engine, [SLOW, QUICK], Limits(cpu_seconds=2.0))] == ["T", "P"]
    assert [v.codes for v in verdicts(engine, [SLOW, QUICK], Limits(cpu_seconds=2.0, timeout_factor=None))] == [
        "P",
        "P",
    ]


def test_the_gold_solution_sets_the_time_and_has_no_row(engine):
    assert [v.codes for v in verdicts(engine, [SLOW], Limits(cpu_seconds=2.0), gold=QUICK)] == ["T"]
    assert [v.codes for v in verdicts(engine, [SLOW], Limits(cpu_seconds=2.0), gold=SLOW + "\n")] == ["P"]
    assert [v.codes for v in verdicts(engine, [SLOW], Limits(cpu_seconds=2.0), gold="raise ValueError\n")] == ["P"]
