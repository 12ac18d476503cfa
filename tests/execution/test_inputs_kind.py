"""Tests of the kind of test "inputs": expected outputs from the reference, and EvalPlus's comparisons."""

from __future__ import annotations

import math

import pytest

from codepref.execution.sandbox.kinds.compare import accepted
from codepref.problems.inputs import InputsTest
from codepref.records import Test

pytestmark = pytest.mark.xdist_group("execution")


def inputs_test(reference: str, inputs: str, **fields) -> Test:
    return Test("t", "0", InputsTest("f", inputs, reference, **fields).to_source(), "inputs")


@pytest.mark.parametrize(
    ("output", "expected", "atol", "compare", "right"),
    [
        (1, 1, 0, "equal", True),
        (1, 2, 0, "equal", False),
        (0.30000000000000004, 0.3, 0, "equal", True),
        (0.3001, 0.3, 0, "equal", False),
        (0.3001, 0.3, 1e-3, "equal", True),
        (1, 1.0000001, 0, "equal", False),  # close, but of different types
        (14, 13.999999999999998, 0, "equal", True),  # a float that is rounded stands for the whole number
        (0, 5.551115123125783e-17, 0, "equal", True),
        (2, 1.0, 0, "equal", False),
        (10**12 + 1, 1e12, 0, "equal", False),  # off by one
        (2**52 + 1, 2.0**52, 0, "equal", False),
        (2**52 + 1, 2.0**52, 1e-6, "equal", False),
        (2**53 + 1, 2.0**53, 0, "equal", True),  # no float stands for 2**53 + 1
        (333333433333343333335, 10**9 * (10**9 + 1) * (2 * 10**9 + 1) / 6 / 1e6, 0, "equal", False),
        (10**9 * (10**9 + 1) * (2 * 10**9 + 1) // 6, 10**9 * (10**9 + 1) * (2 * 10**9 + 1) / 6, 0, "equal", True),
        (10**27, 1.00001e27, 0, "equal", False),
        (2.0**53, 2**53 + 1, 0, "equal", False),  # an expected int is exact
        (2**53, 2**53 + 1, 0, "equal", False),
        (6.0, 6, 0, "equal", True),
        (True, 0.9999999, 0, "equal", False),
        ((3, 10**20 + 1), (3, 1e20), 0, "equal", True),
        ([[10**20 + 1, "a"]], [[1e20, "a"]], 0, "equal", True),
        ({"n": 10**20 + 1}, {"n": 1e20}, 0, "equal", True),
        ({"n": 10**20 + 1}, {"m": 1e20}, 0, "equal", False),
        ((4, 10**20 + 1), (3, 1e20), 0, "equal", False),
        ([3, 10**20 + 1], (3, 1e20), 0, "equal", False),
        (10**400, 1.0, 0, "equal", False),
        (10**400, math.inf, 0, "equal", False),
        (5, math.inf, 0, "equal", False),
        (7, math.nan, 0, "equal", False),
        (10**400, 10**400 + 1, 1e-6, "equal", True),  # within the relative tolerance of 1e-7
        (10**400, 2 * 10**400, 1e-6, "equal", False),
        ([10**400], [2 * 10**400], 1e-6, "equal", False),
        ([1.0, 2.0 + 1e-9], [1.0, 2.0], 0, "equal", True),
        ([1.0], [1.0, 2.0], 0, "equal", False),
        ((1.0, 2.0), [1.0, 2.0], 0, "equal", False),
        ([1, "a"], [1, "b"], 1e-3, "equal", False),
        (math.nan, math.nan, 0, "equal", False),
        (math.inf, math.inf, 0, "equal", True),
        (1.0, math.inf, 0, "equal", False),
        ([2, 1, 1], [1, 2], 0, "set", True),
        ([2, 3], [1, 2], 0, "set", False),
        ("anything", "else", 0, "not_none", True),
        (None, "else", 0, "not_none", False),
        (True, "else", 0, "not_none", True),
        (False, None, 0, "not_none", True),
        (10**400, 1.0, 1e-3, "equal", False),
    ],
)
def test_comparison(output, expected, atol, compare, right):
    assert accepted(output, expected, atol, compare) is right


def test_an_oracle_decides_when_the_outputs_differ():
    assert accepted(1, 2, 0, "oracle:x", lambda: True)
    assert not accepted(1, 2, 0, "oracle:x", lambda: 0)


SORT = "def f(x):\n    return sorted(x)\n"
MANY = "[[list(range(n, 0, -1))] for n in range(300)]"


def test_right_and_wrong_solutions(verdict_on):
    test = inputs_test(SORT, MANY)
    assert verdict_on("def f(x):\n    x.sort()\n    return x\n", test).codes == "P"
    verdict = verdict_on("def f(x):\n    return sorted(x) if len(x) != 222 else x\n", test)
    assert verdict.codes == "F"
    assert "input 222" in verdict.detail


@pytest.mark.parametrize(
    ("solution", "code"),
    [
        ("def g(x):\n    pass\n", "E"),
        ("def f(x):\n    raise ValueError\n", "E"),
        ("def f(x):\n    while True: pass\n", "T"),
        ("def f(x):\n    return object()\n", "F"),
        ("class L(list):\n    def __eq__(self, other):\n        return True\ndef f(x):\n    return L([5])\n", "F"),
        ("def f(x):\n    return bytearray(10**10)\n", "M"),
        ("import os\ndef f(x):\n    os._exit(0)\n", "E"),
    ],
)
def test_codes(verdict_on, solution, code):
    assert verdict_on(solution, inputs_test(SORT, MANY)).codes == code


def test_a_solution_cannot_read_expected_outputs_from_its_arguments(verdict_on):
    peek = (
        "def f(x):\n    import gc\n    return [o for o in gc.get_objects() if type(o) is list and o == sorted(x)][0]\n"
    )
    assert verdict_on(peek, inputs_test("def f(x):\n    return sorted(x) + [77]\n", "[[[3, 1]]]")).codes in "FE"


def test_oracles_and_the_comparison_not_none(verdict_on):
    oracle = "def accept(arguments, output, expected, atol):\n    return arguments[0] % output == 0\n"
    divisor = inputs_test("def f(n):\n    return n\n", "[[6], [9]]", compare="oracle:divides", oracle=oracle)
    assert verdict_on("def f(n):\n    return 3\n", divisor).codes == "P"
    assert verdict_on("def f(n):\n    return 4\n", divisor).codes == "F"
    assert verdict_on("def f(n):\n    return 0\n", divisor).codes == "F"
    matches = inputs_test("import re\ndef f(s):\n    return re.match('a', s)\n", "[['a'], ['b']]", compare="not_none")
    assert verdict_on("def f(s):\n    return s == 'a'\n", matches).codes == "P"
    assert verdict_on("def f(s):\n    return s or None\n", matches).codes == "F"


def test_a_reference_that_fails_is_not_the_solutions_fault(verdict_on):
    verdict = verdict_on(SORT, inputs_test("def f(x):\n    return 1 / 0\n", "[[1]]"), "assert f([2, 1]) == [1, 2]")
    assert verdict.codes == "IP"
    assert "reference" in verdict.detail


@pytest.mark.parametrize(
    ("reference", "solution", "code"),
    [
        # the same bytes as the reference's answer
        ("def f(x):\n    return [x, [x]]\n", "def f(x):\n    return [x, [x]]\n", "P"),
        # different bytes, equal values
        ("def f(x):\n    return {1: 2, 3: 4}\n", "def f(x):\n    return {3: 4, 1: 2}\n", "P"),
        ("def f(x):\n    return 1\n", "def f(x):\n    return True\n", "P"),
        # the same bytes, but NaN equals nothing
        ("def f(x):\n    return float('nan')\n", "def f(x):\n    return float('nan')\n", "F"),
        ("def f(x):\n    return [{1: float('nan')}]\n", "def f(x):\n    return [{1: float('nan')}]\n", "F"),
        # the comparison of arrays is ambiguous, which is not the reference's fault
        ("import numpy\ndef f(x):\n    return numpy.arange(3)\n", "import numpy\nf = lambda x: numpy.arange(3)\n", "F"),
    ],
)
def test_answers_of_equal_and_of_different_bytes(verdict_on, reference, solution, code):
    verdict = verdict_on(solution, inputs_test(reference, "[[1], [2]]"))
    assert verdict.codes == code, verdict.detail
