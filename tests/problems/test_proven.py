"""Tests of the checks whether the text of a test shows that programs which do nothing fail the test."""

from __future__ import annotations

import json

import pytest

from codepref.problems.proven import check_proves, output_proves, statements_call, statements_prove


@pytest.mark.parametrize(
    "source",
    [
        "assert f(1) == 2",
        "assert 2 == f(1)",
        "assert f(1) == 'a', 'message'",
        "import math\nx = 3\nassert f(x, math.pi) == [1, (2, None)]",
        "assert callable(f)\nassert f(g(2)) == {}",
    ],
)
def test_an_equality_with_a_literal_proves_something(source):
    assert statements_prove(source, "f", "def g(x):\n    return x\n")


@pytest.mark.parametrize(
    "source",
    [
        "assert f(1) is None",
        "assert f(1) == None",
        "assert f(1) == 'certainly wrong'",
        "assert f(1) != 2",
        "assert f(1) == f(2)",
        "assert f(1) == x",
        "assert f(1)",
        "assert abs(f(1)) == 2",
        "assert g(1) == 2",
        "f(1) == 2",
        "if x:\n    assert f(1) == 2",
        "for x in []:\n    assert f(x) == 2",
        "try:\n    assert f(1) == 2\nexcept Exception:\n    pass",
        "def test_it():\n    assert f(1) == 2",
        "def f(x):\n    return 2\nassert f(1) == 2",
        "f = lambda x: 2\nassert f(1) == 2",
        "from other import f\nassert f(1) == 2",
        "from other import *\nassert f(1) == 2",
        "globals()['f'] = lambda x: 2\nassert f(1) == 2",
        "exec('f = lambda x: 2')\nassert f(1) == 2",
        "assert f(",
    ],
)
def test_any_other_text_must_be_run(source):
    assert not statements_prove(source, "f", "")


@pytest.mark.parametrize(
    "source",
    [
        "assert f(1)",
        "assert not f(1)",
        "assert f(1) is None",
        "assert f(1) == None",
        "assert 2 != f(1)",
        "assert round(f(1), 2) == 1.5",
        "assert f(1) == 3 + 4",
        "assert f(g(1)) and x",
        "assert (f(1)[0] == [0]).all()",
        "assert list(f(*x)) == [1]",
        "assert 1 in (f(1), f(2))",
        "assert sorted(x, key=f(1))",
        "x = 3\nassert x\nassert f(x)",
    ],
)
def test_an_assert_that_always_calls_the_function_fails_if_the_function_raises(source):
    assert statements_call(source, "f", "")


@pytest.mark.parametrize(
    "source",
    [
        "assert f",
        "assert callable(f)",
        "assert x and f(1)",
        "assert 1 < x < f(1)",
        "assert f(1) if x else 2",
        "assert [f(x) for x in []] == []",
        "assert (lambda: f(1))",
        "assert x, f(1)",
        "assert g(1)",
        "f(1)",
        "try:\n    assert f(1)\nexcept ValueError:\n    pass",
        "def test_it():\n    assert f(1)",
        "assert (f := g)(1) or f(1)",
        "f = g\nassert f(1)",
        "import sys\nsys.exit(0)\nassert f(1)",
        "exit()\nassert f(1)",
        "assert f(",
    ],
)
def test_any_other_text_may_pass_if_the_function_raises(source):
    assert not statements_call(source, "f", "")


def test_a_helper_with_the_name_of_the_entry_point_hides_the_solution():
    assert not statements_prove("assert f(1) == 2", "f", "def f(x):\n    return 2\n")


@pytest.mark.parametrize(
    ("body", "proves"),
    [
        ("assert candidate(1) == 2", True),
        ("x = 1\n    for y in range(3):\n        candidate(y)\n    assert candidate(x) == 2", True),
        ("assert candidate(1) is None", False),
        ("return\n    assert candidate(1) == 2", False),
        ("if x:\n        return\n    assert candidate(1) == 2", False),
        ("candidate = len\n    assert candidate('ab') == 2", False),
        ("assert candidate(1) == 2\n    yield", False),
        ("try:\n        assert candidate(1) == 2\n    except AssertionError:\n        pass", False),
    ],
)
def test_a_check_proves_something_if_an_equality_cannot_be_avoided(body, proves):
    assert check_proves(f"METADATA = {{}}\ndef check(candidate):\n    {body}\n", "f", "") is proves


@pytest.mark.parametrize(
    "source",
    [
        "def check(candidate, x):\n    assert candidate(1) == 2\n",
        "import functools\n@functools.cache\ndef check(candidate):\n    assert candidate(1) == 2\n",
        "def check(candidate):\n    assert candidate(1) == 2\ndef check(candidate):\n    pass\n",
        "def check(candidate):\n    assert candidate(1) == 2\ncheck = print\n",
        "def check(candidate):\n    assert f(1) == 2\n",
    ],
)
def test_any_other_check_must_be_run(source):
    assert not check_proves(source, "f", "")


@pytest.mark.parametrize(
    ("output", "proves"), [("3\n", True), ("", False), ("\n", False), ("certainly  wrong\n", False)]
)
def test_an_output_proves_something(output, proves):
    assert output_proves(json.dumps({"input": "", "output": output}), "main", "") is proves
