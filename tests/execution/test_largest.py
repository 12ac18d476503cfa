"""Tests of the choice of the largest inputs of a problem."""

import json

import pytest

from codepref.execution.largest import MAX_NUMBER, arguments_size, largest_tests
from codepref.problems.inputs import InputsTest, decode_inputs, parse_inputs
from codepref.problems.stdio import stdio_source
from codepref.records import Problem, Test

PROBLEM = Problem("t", "Add.", "f")


def ids(*tests: Test, count: int = 2) -> list[str]:
    return [test.test_id for test in largest_tests(PROBLEM, tests, count)]


@pytest.mark.parametrize(
    ("arguments", "size"),
    [
        ([], 0),
        ([[1, 2, 3], "abcd", 5], 12),
        ([[10**9]], 1),  # an element counts once, whatever its value is
        ([10**9], MAX_NUMBER),
        ([-7, True, None, 2.5], 10),
        ([{"ab": [1, 2]}, ((), {3})], 5),
    ],
)
def test_the_size_of_arguments(arguments: list[object], size: int) -> None:
    assert arguments_size(arguments) == size


def test_asserts_are_sorted_by_the_size_of_their_arguments() -> None:
    tests = [
        Test("t", "short", "assert f([1]) == 1  # with a long comment that does not count"),
        Test("t", "long", "assert f([1, 2, 3, 4]) == 10"),
        Test("t", "number", "assert f(50) == 1"),
        Test("t", "long~0", "f([1, 2, 3, 4, 5, 6])", count=0),
    ]
    assert ids(*tests) == ["number", "long"]


def test_inputs_of_programs_and_of_calls() -> None:
    stdin = [Test("t", str(size), stdio_source("1\n" * size, "x"), kind="stdio") for size in (3, 9, 5)]
    assert ids(*stdin, count=1) == ["9"]
    calls = [
        Test("t", name, json.dumps({"function": "f", "arguments": arguments, "expected": 1}), kind="calls")
        for name, arguments in (("list", [[1, 2]]), ("text", "[(1, 2, 3)]"))
    ]
    assert ids(*calls, count=1) == ["text"]


def test_a_test_of_many_inputs_keeps_the_largest_ones() -> None:
    source = InputsTest("f", "[[[1]], [[1, 2, 3]], [float('inf')], [[4, 5]]]", "def f(x): return x").to_source()
    (test,) = largest_tests(PROBLEM, [Test("t", "0", source, kind="inputs")], 2)
    assert decode_inputs(parse_inputs(test.source).inputs) == [[[1, 2, 3]], [[4, 5]]]


def test_other_tests_are_sorted_by_their_text_and_broken_ones_do_not_matter() -> None:
    tests = [Test("t", "a", "def check(c): pass", kind="check"), Test("t", "b", "not json", kind="calls")]
    assert ids(*tests) == ["a", "b"]
