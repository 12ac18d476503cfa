"""Tests of extracting tests from raw model text."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codepref.records import Problem
from codepref.sampling.asserts import DROP_REASONS, normal_test
from codepref.sampling.extract import extract_tests

ADD = Problem("add", "Write add(a, b).", "add", helpers="def make(n):\n    return [n]\n")


def kept(raw: str, prefix: str = "") -> list[str]:
    return list(extract_tests(raw, ADD, limit=None, prefix=prefix).kept)


@pytest.mark.parametrize(
    ("raw", "tests"),
    [
        ("assert add(1, 2)==3", ["assert add(1, 2) == 3"]),
        ("Some tests:\n```python\nassert add(1, 2) == 3, 'sum'\n```\nDone.", ["assert add(1, 2) == 3"]),
        ("Here you are:\nassert add(1, 2) == 3\nThese cover (nearly", ["assert add(1, 2) == 3"]),
        ("assert add(\n    [1,\n2], [3]\n) == [1, 2, 3]\n", ["assert add([1, 2], [3]) == [1, 2, 3]"]),
        ("assert add(1, 2) == 3\nassert add(4, [5,", ["assert add(1, 2) == 3"]),
        ("assert not add(0, 0)\nassert add(1, 0)", ["assert not add(0, 0)", "assert add(1, 0)"]),
        ("def test_add():\n    assert add(1, 2) == 3\n    assert add(2,", ["assert add(1, 2) == 3"]),
        ("def check(candidate):\n    assert candidate(1, 2) == 3\n", ["assert add(1, 2) == 3"]),
        ("def check(f):\n    x = 1\n    assert f(x, 2) == 3", ["assert add(1, 2) == 3"]),
        ("result = add(1, 2)\nexpected = 3\nassert result == expected", ["assert add(1, 2) == 3"]),
        ("x = 1\nx = 2\nassert add(x, x) == 4", ["assert add(2, 2) == 4"]),
        ("assert add(make(1), [2]) == [1, 2]", ["assert add(make(1), [2]) == [1, 2]"]),
        ("assert [add(n, 1) for n in range(2)] == [1, 2]", ["assert [add(n, 1) for n in range(2)] == [1, 2]"]),
        ("assert all(map(lambda n: add(n, 0) == n, [1]))", ["assert all(map(lambda n: add(n, 0) == n, [1]))"]),
        ("if __name__ == '__main__':\n    assert add(1, 2) == 3", ["assert add(1, 2) == 3"]),
        ("assert math.isclose(add(0.1, 0.2), 0.3)", ["import math\nassert math.isclose(add(0.1, 0.2), 0.3)"]),
        (
            "from collections import Counter as C\nassert C(add('a', 'b')) == C('ab')",
            ["from collections import Counter as C\nassert C(add('a', 'b')) == C('ab')"],
        ),
        ("assert np.allclose(add(1.0, 2), 3)", ["import numpy as np\nassert np.allclose(add(1.0, 2), 3)"]),
        (
            "def add(a, b):\n    assert add(a, 0) == a\n    return a + b\nassert add(1, 2) == 3",
            ["assert add(1, 2) == 3"],
        ),
        ("<think>assert add(9, 9) == 9</think>assert add(1, 2) == 3", ["assert add(1, 2) == 3"]),
    ],
)
def test_asserts_are_extracted_in_a_form_that_runs_alone(raw: str, tests: list[str]) -> None:
    assert kept(raw) == tests


@pytest.mark.parametrize(
    ("call", "test"),
    [
        ("assertEqual(add(1, 2), 3, 'sum')", "assert add(1, 2) == 3"),
        ("assertTrue(add(1, 2) > 2)", "assert add(1, 2) > 2"),
        ("assertFalse(add(0, 0))", "assert not add(0, 0)"),
        ("assertIsNone(add(0, 0))", "assert add(0, 0) is None"),
        ("assertIn(3, add([3], []))", "assert 3 in add([3], [])"),
        ("assertIsInstance(add(1, 2), int)", "assert isinstance(add(1, 2), int)"),
        ("assertCountEqual(add([2], [1]), [1, 2])", "assert sorted(add([2], [1])) == sorted([1, 2])"),
        ("assertAlmostEqual(add(0.1, 0.2), 0.3)", "assert round(abs(add(0.1, 0.2) - 0.3), 7) == 0"),
        ("assertAlmostEqual(add(0.1, 0.2), 0.3, places=2)", "assert round(abs(add(0.1, 0.2) - 0.3), 2) == 0"),
        ("assertAlmostEqual(add(0.1, 0.2), 0.3, delta=0.01)", "assert abs(add(0.1, 0.2) - 0.3) <= 0.01"),
    ],
)
def test_a_unittest_method_becomes_an_assert(call: str, test: str) -> None:
    raw = f"import unittest\nclass T(unittest.TestCase):\n    def test_add(self):\n        self.{call}\n"
    assert kept(raw) == [test]


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("assert add(1,", "unparsable"),
        ("assert \n", "unparsable"),
        ("assert sub(1, 2) == 3", "no_call"),
        ("assert True", "no_call"),
        ("assert add", "no_call"),
        ("assert 'add(1, 2)' == 3", "no_call"),
        ("assert (add(1, 2) == 3, 'always true')", "trivial"),
        ("assert add(1, 2) == add(1, 2)", "trivial"),
        ("assert add(1, 2) == 3 or True", "trivial"),
        ("assert [add(1, 2) == 3]", "trivial"),
        ("assert ____ == add(1, 2)", "not_self_contained"),
        ("for n in range(3):\n    assert add(n, 0) == n", "not_self_contained"),
        ("assert pandas.isna(add(1, 2))", "not_self_contained"),
        ("x = [1]\nx.append(2)\nassert add(x, []) == [1, 2]", "not_self_contained"),
        ("it = add(1, 2)\nassert next(it) == 1", "no_call"),
    ],
)
def test_a_dropped_assert_is_counted_by_its_reason(raw: str, reason: str) -> None:
    extracted = extract_tests(raw, ADD, limit=None)
    assert extracted.kept == ()
    assert extracted.dropped == {reason: 1}


def test_a_completion_can_continue_an_assert() -> None:
    assert kept("add(1, 2) == 3\nassert add(2, 2) == 4\nassert add(", prefix="assert ") == [
        "assert add(1, 2) == 3",
        "assert add(2, 2) == 4",
    ]
    assert kept("\n    assert add(1, 2) == 3\n", prefix="assert ") == ["assert add(1, 2) == 3"]


def test_duplicates_and_tests_above_the_limit_are_dropped() -> None:
    raw = "assert add(1, 2) == 3\nassert add(1,2) == 3\nassert add(0, 0) == 0\nassert add(5, 0) == 5\n"
    extracted = extract_tests(raw, ADD, limit=2)
    assert extracted.kept == ("assert add(1, 2) == 3", "assert add(0, 0) == 0")
    assert extracted.dropped == {"duplicate": 1, "over_limit": 1}
    assert len(extract_tests(raw, ADD, limit=None, keep_duplicates=True).kept) == 4


def test_tests_of_an_unfinished_function_keep_their_place() -> None:
    raw = "assert add(1, 0) == 1\ndef test_b():\n    assert add(2, 0) == 2\n    x = (\nassert add(3, 0) == 3\n"
    assert kept(raw)[:2] == ["assert add(1, 0) == 1", "assert add(2, 0) == 2"]


def test_only_a_single_assert_has_a_normal_form() -> None:
    assert normal_test("assert add( 1,2 )==3, 'no'", ADD) == "assert add(1, 2) == 3"
    assert normal_test("assert add(1, 2) == 3\nassert add(1, 1) == 2", ADD) is None
    assert normal_test("assert add(1", ADD) is None


PIECES = st.sampled_from(
    [
        "assert ",
        "add(1, 2)",
        " == 3",
        "\n",
        "\n    ",
        "assert add(1, 2) == 3\n",
        "def test_x():\n",
        "class T:\n",
        "(",
        "x",
        "    assert add(x, x)\n",
        "x = 1\n",
        "    self.assertEqual(add(1, x), 2)\n",
        "```python\n",
        "```\n",
        "'",
        '"""',
        "# a\n",
        "def check(candidate):\n",
        "    assert candidate(1) is None\n",
        "for x in [1]:\n",
        "import math\n",
        "math.pi",
        ", ",
        "lambda x: ",
        "not ",
        " or True",
        "<think>",
        "</think>",
        "\x00",
        "\t",
        "é",
        "-" * 50,
        "self.assertTrue(add(1))\n",
    ]
)


@given(st.lists(PIECES, max_size=16).map("".join) | st.text(max_size=60), st.sampled_from(["", "assert "]))
def test_every_kept_test_is_one_assert_that_calls_the_entry_point(raw: str, prefix: str) -> None:
    extracted = extract_tests(raw, ADD, limit=None, prefix=prefix)
    assert extracted.dropped.keys() <= set(DROP_REASONS)
    for test in extracted.kept:
        *imports, statement = ast.parse(test).body
        assert isinstance(statement, ast.Assert)
        assert all(isinstance(node, ast.Import | ast.ImportFrom) for node in imports)
        calls = [node.func for node in ast.walk(statement) if isinstance(node, ast.Call)]
        assert any(isinstance(function, ast.Name) and function.id == "add" for function in calls)
    again = extract_tests("\n".join(extracted.kept), ADD, limit=None)
    assert again.kept == extracted.kept
    assert not again.dropped


@pytest.mark.parametrize(
    "raw", ["assert " + "not " * 3000 + "add(1)", "assert add(" + "-" * 3000 + "1)", "assert add(1" + "+1" * 5000 + ")"]
)
def test_deeply_nested_text_raises_no_error(raw: str) -> None:
    extract_tests(raw, ADD, limit=None)
    extract_tests("x = " + raw.removeprefix("assert ") + "\nassert x == add(1)", ADD, limit=None)
