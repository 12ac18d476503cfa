"""Tests of the verdict code for each way to pass or fail, and that the end of a process keeps the codes before it."""

from __future__ import annotations

import re

import pytest

from codepref.errors import UserError
from codepref.execution.limits import Limits

pytestmark = pytest.mark.xdist_group("execution")

ONE = "assert f(1) == 2"
RIGHT = "def f(x):\n    return x + 1\n"


@pytest.mark.parametrize(
    ("solution", "code", "detail"),
    [
        (RIGHT, "P", ""),
        ("def f(x):\n    return x\n", "F", "test 0: AssertionError"),
        ("def f(x):\n    raise ValueError('bad ' + str(x))\n", "E", "the solution raised ValueError: bad 1"),
        ("def f(x):\n    assert x > 1\n", "E", "the solution raised AssertionError"),
        ("def f(x):\n    return undefined\n", "E", "NameError"),
        ("def g(x):\n    return x\n", "E", "name 'f' is not defined"),
        ("f = 3\n", "E", "TypeError"),
        ("def f(x:\n", "E", "SyntaxError"),
        ("def f(x):\n    return '\0'\n", "E", "null bytes"),
        ("def f(x):\n    return '\ud800'\n", "E", "UnicodeEncodeError"),
        ("import nowhere_to_be_found\n", "E", "ModuleNotFoundError"),
        ("def f(x):\n    while True:\n        pass\n", "T", "CPU time"),
        ("import time\ndef f(x):\n    time.sleep(100)\n", "T", "asleep"),
        ("while True:\n    pass\n", "T", "CPU time"),
        ("def f(x):\n    return bytearray(10**10)\n", "M", "MemoryError"),
        ("x = bytearray(10**10)\n", "M", "MemoryError"),
        ("def f(x):\n    return open('/etc/hostname').read()\n", "X", "PermissionError"),
        ("import socket\nsocket.socket()\n", "X", "PermissionError"),
        ("def f(x):\n    import os\n    os._exit(0)\n", "E", "ended"),
        ("import sys\nsys.exit(0)\n", "E", "SystemExit"),
        ("def f(x):\n    import os\n    os.abort()\n", "E", "ended"),
        ("", "E", "no code"),
        (" \n", "E", "no code"),
    ],
)
def test_the_code_and_the_detail_of_a_solution(verdict_on, solution, code, detail):
    verdict = verdict_on(solution, ONE)
    assert verdict.codes == code
    assert detail in verdict.detail
    assert verdict.isolation == "separate"


def test_ten_megabytes_and_a_million_brackets_get_a_verdict(verdict_on):
    assert verdict_on("x = '" + "a" * 10_000_000 + "'\n" + RIGHT, ONE, limits=Limits(cpu_seconds=5)).codes == "P"
    assert verdict_on("x = " + "(" * 1_000_000, ONE, limits=Limits(cpu_seconds=5)).codes in ("E", "M", "T")


def test_a_test_that_ends_the_process_leaves_the_others_their_codes(verdict_on):
    solution = """
import os
def f(x):
    if x == 1:
        os._exit(0)
    if x == 2:
        while True: pass
    return x
"""
    tests = [f"assert f({x}) == {x}" for x in range(5)]
    assert verdict_on(solution, *tests).codes == "PETPP"


def test_after_a_few_timeouts_the_rest_is_skipped(verdict_on):
    verdict = verdict_on("def f(x):\n    while x: pass\n", "assert f(1)", "assert f(0) is None", *["assert f(1)"] * 3)
    assert verdict.codes == "TPTSS"


def test_after_a_few_timeouts_quick_tests_still_run(verdict_on):
    solution = "def f(x):\n    while x < 4: pass\n    return x\n"
    verdict = verdict_on(solution, *[f"assert f({x}) == {x}" for x in range(7)], "assert f(9) == 8")
    assert verdict.codes == "TTSSPPPF"


def test_a_program_that_times_out_while_loading_gets_t_for_every_test(verdict_on):
    assert verdict_on("while True: pass\n", *["assert f(1) == 1"] * 4).codes == "TTTT"


def test_a_timeout_costs_little_more_cpu_than_its_limit(verdict_on):
    verdict = verdict_on("def f(x):\n    while True: pass\n", ONE, limits=Limits(cpu_seconds=0.2))
    assert 200 <= verdict.cpu_ms < 400


def test_faults_of_the_test_itself_get_their_codes(verdict_on):
    verdict = verdict_on(RIGHT, "assert f(1) == 3", "1 / 0", "assert f(", "while True: pass", "assert f(1) == 2")
    assert verdict.codes == "FEETP"
    assert verdict.detail.startswith("test 0: AssertionError")


def test_a_test_cannot_catch_the_end_of_the_solution(verdict_on):
    swallow = "try:\n    f(1)\nexcept BaseException:\n    pass\n"
    assert verdict_on("import os\ndef f(x):\n    os._exit(0)\n", swallow).codes == "E"
    assert verdict_on("def f(x):\n    while True: pass\n", swallow).codes == "T"
    assert verdict_on("def f(x):\n    raise ValueError\n", swallow).codes == "P"


def test_helpers_come_from_the_problem_not_from_the_solution(verdict_on):
    solution = "def helper(x):\n    return 100\ndef f(x):\n    return 0\n"
    assert verdict_on(solution, "assert helper(f(1)) == 100", helpers="def helper(x):\n    return x\n").codes == "F"
    assert verdict_on(RIGHT, "assert helper(f(1)) == 2", helpers="def helper(x):\n    return x\n").codes == "P"


def test_broken_helpers_are_not_the_solutions_fault(verdict_on):
    verdict = verdict_on(RIGHT, ONE, ONE, helpers="1 / 0")
    assert verdict.codes == "II"
    assert "helpers" in verdict.detail


def test_the_preamble_provides_imports_that_a_solution_leaves_out(verdict_on):
    solution = "def f(x: List[int]) -> int:\n    return x[0]\n"
    assert verdict_on(solution, "assert f([2]) == 2", preamble="from typing import List\n").codes == "P"
    assert verdict_on(solution, "assert f([2]) == 2").codes == "E"


def test_limits_must_be_positive():
    with pytest.raises(UserError, match="cpu_seconds must be a positive finite number"):
        Limits(cpu_seconds=0)
    with pytest.raises(UserError, match="memory_mb"):
        Limits(memory_mb=float("nan"))


@pytest.mark.parametrize("value", [None, "3", True, [3], float("inf")])
@pytest.mark.parametrize("name", ["cpu_seconds", "memory_mb", "max_timeouts", "reference_cpu_seconds"])
def test_limits_of_the_wrong_type_are_refused(name, value):
    with pytest.raises(
        UserError, match=f"limits: {name} must be a positive finite number, not {re.escape(repr(value))}"
    ):
        Limits(**{name: value})


@pytest.mark.parametrize("name", ["wall_seconds", "load_cpu_seconds", "timeout_factor"])
def test_limits_with_a_default_that_follows_from_others_may_be_none(name):
    assert getattr(Limits(**{name: None}), name) is None
