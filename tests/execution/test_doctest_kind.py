"""Tests of the kind of test "doctest": examples as in an interactive session."""

from __future__ import annotations

import pytest

from codepref.records import Test

pytestmark = pytest.mark.xdist_group("execution")

RIGHT = "def f(x):\n    if x < 0:\n        raise ValueError('below zero')\n    return x + 1\n"
WRONG = "def f(x):\n    return x\n"


def examples(source: str) -> Test:
    return Test("t", "d", source, "doctest")


@pytest.mark.parametrize(
    "source",
    [
        ">>> f(1)\n2\n",
        "'''\n>>> f(1)\n2\n>>> f(2)\n3\n'''\n",
        "Adds one.\n\n    >>> x = 1\n    >>> f(x)\n    2\n",
        ">>> for x in (1, 2):\n...     assert f(x) == x + 1\n>>> [f(1), f(2)]\n[2, 3]\n",
        ">>> f(-1)\nTraceback (most recent call last):\n    ...\nValueError: below zero\n>>> f(1)\n2\n",
        ">>> from solution import f\n>>> f(1)\n2\n",
        "import math\n'''\n>>> math.floor(f(1.5))\n2\n'''\n",
        ">>> f(1) # doctest: +ELLIPSIS\n2\n",
    ],
)
def test_examples_run_apart_from_the_solution(verdict_on, source):
    right = verdict_on(RIGHT, examples(source))
    assert (right.codes, right.isolation) == ("P", "separate"), right.detail
    assert verdict_on(WRONG, examples(source)).codes in ("F", "E")


def test_examples_may_use_an_import_of_a_long_preamble(verdict_on):
    preamble = f"from calendar import isleap\nTEXT = '{'x' * 1000}'\n"
    verdict = verdict_on(
        "def f(x):\n    return x\n", examples(">>> f(True) == isleap(2000)\nTrue\n"), preamble=preamble
    )
    assert verdict.codes == "P", verdict.detail


def test_examples_that_may_print_share_the_process_of_the_solution(verdict_on):
    source = ">>> f(1)\nthe sum is 2\n"
    verdict = verdict_on("def f(x):\n    print('the sum is', x + 1)\n", examples(source))
    assert (verdict.codes, verdict.isolation) == ("P", "shared"), verdict.detail
    assert verdict_on(RIGHT, examples(source)).codes == "F"


@pytest.mark.parametrize(
    ("source", "code"),
    [
        (">>> f(1)\n3\n", "F"),
        (">>> f()\n3\n", "E"),
        (">>> x = f(1)\n", "E"),
        ("x = 1\n", "E"),
        (">>> f(\n3\n", "E"),
        (">>>f(1)\n2\n", "E"),
    ],
)
def test_examples_have_the_code_of_what_happens(verdict_on, source, code):
    assert verdict_on(RIGHT, examples(source)).codes == code


def test_an_object_that_equals_everything_fails(verdict_on):
    solution = "class Any(int):\n    def __eq__(self, other):\n        return True\ndef f(x):\n    return Any(7)\n"
    assert verdict_on(solution, examples(">>> f(1)\n2\n>>> f(1) == 2\nTrue\n")).codes == "F"
