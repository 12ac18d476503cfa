"""Tests of kind "calls": one call of a function or method, and the result that is expected."""

from __future__ import annotations

import json
from typing import Any

import pytest

from codepref.errors import UserError
from codepref.execution.execute import execute
from codepref.execution.sandbox.kinds.base import PreparedTest
from codepref.execution.sandbox.kinds.calls import Calls
from codepref.execution.sandbox.kinds.compare_json import same_value
from codepref.execution.vacuous import do_nothing_programs
from codepref.problems import load_problems
from codepref.problems.calls import call_source, check_call
from codepref.records import Problem, Solution, Test, Verdict

ADD = "def add(a, b):\n    return a + b\n"
METHOD = "class Solution:\n    def add(self, a, b):\n        return a + b\n"


def problem(*calls: tuple[list[Any], Any], owner: str = "", wrapped: bool = False) -> Problem:
    sources = (call_source("add", a, e, owner=owner, wrapped=wrapped, where="test") for a, e in calls)
    tests = tuple(Test("t", str(at), source, "calls") for at, source in enumerate(sources))
    return Problem("t", "Add.", owner or "add", tests)


def run(problem: Problem, *programs: str) -> list[Verdict]:
    solutions = [Solution("t", at, program) for at, program in enumerate(programs)]
    (matrix,) = execute([problem], solutions, jobs=1, vacuous_tests="keep")
    return list(matrix.verdicts)


def codes(problem: Problem, *programs: str) -> list[str]:
    return [verdict.codes for verdict in run(problem, *programs)]


SUMS = [([1, 2], 3), ([[1], [2]], [1, 2]), (["a", "b"], "ab")]


@pytest.mark.parametrize("owner", ["", "Solution"])
def test_a_function_or_a_method_is_called_in_a_process_of_its_own(owner: str) -> None:
    verdicts = run(problem(*SUMS, owner=owner), ADD, METHOD, "def add(a, b):\n    return b + a\n", "x = 1\n")
    assert [verdict.codes for verdict in verdicts] == ["PPP", "PPP", "PFF", "EEE"]
    assert {verdict.isolation for verdict in verdicts} == {"separate"}


def test_each_call_of_a_method_gets_a_new_instance() -> None:
    program = (
        "class Solution:\n    def __init__(self):\n        self.calls = 0\n"
        "    def add(self, a, b):\n        self.calls += 1\n        return a + b if self.calls == 1 else None\n"
    )
    assert codes(problem(*SUMS, owner="Solution"), program) == ["PPP"]


@pytest.mark.parametrize(
    "source",
    [
        "[", "[]", "{}", '{"function": "f", "expected": 1}', '{"function": "f", "arguments": 1, "expected": 1}',
        '{"function": "f", "arguments": "[1,", "expected": 1}', '{"function": "f", "arguments": "f.g", "expected": 1}',
        '{"function": "f", "arguments": [], "expected": 1, "arguments_as": 1}',
    ],
)  # fmt: skip
def test_a_malformed_source_is_a_fault_of_the_test_and_does_not_end_its_process(source: str) -> None:
    test = PreparedTest(Calls(), source)
    assert test.kind.names_without_compiling(test) == set()
    test.compile()
    assert test.error.startswith("the test does not compile")


@pytest.mark.parametrize("owner", ["", "Solution"])
def test_each_call_has_its_own_time_limit(owner: str) -> None:
    loops = "def add(a, b):\n    while a == 1:\n        pass\n    return a + b\n"
    raises = "def add(a, b):\n    return a + b if a == 1 else a / 0\n"
    assert codes(problem(*SUMS, owner=owner), loops, raises) == ["TPP", "PEE"]


def test_a_solution_that_changes_its_arguments_changes_no_other_call() -> None:
    program = "def add(a, b):\n    a += b\n    b.clear()\n    return a\n"
    same = ([[1], [2]], [1, 2])
    assert codes(problem(same, same, same), program) == ["PPP"]


def test_objects_that_equal_everything_are_wrong() -> None:
    program = (
        "class Anything(list):\n    def __eq__(self, other):\n        return True\n    def __len__(self):\n"
        "        return 2\n    def __hash__(self):\n        return 3\n\n\ndef add(a, b):\n    return Anything()\n"
    )
    assert codes(problem(*SUMS), program, program.replace("(list)", "")) == ["FFF", "FFF"]


def test_a_result_may_stand_in_a_list_of_one_if_the_test_says_so() -> None:
    pair = ([1, 2], [3])
    programs = (ADD, "def add(a, b):\n    return [a + b]\n", "def add(a, b):\n    return [[a + b]]\n")
    assert codes(problem(pair, wrapped=True), *programs) == ["P", "P", "F"]
    assert codes(problem(pair), *programs) == ["F", "P", "F"]


def test_arguments_may_be_values_that_json_has_not() -> None:
    case = ([(1, 2), {3: {4}}], [2, 1])
    program = "def add(a, b):\n    assert b == {3: {4}}\n    return a[::-1] if isinstance(a, tuple) else None\n"
    assert codes(problem(case), program) == ["P"]


@pytest.mark.parametrize(
    ("output", "expected", "right"),
    [
        ((1, (2,)), [1, [2]], True),
        ([1], [1, 1], False),
        ({1, 2}, [1, 2], False),
        ({1: "a"}, {"1": "a"}, True),
        ({1: "a", "1": "a"}, {"1": "a"}, False),
        ({frozenset(): 1}, {"": 1}, False),
        ({True: 1, None: 2, 1.5: 3}, {"true": 1, "null": 2, "1.5": 3}, True),
        ({"b": 1, "a": [2]}, {"a": [2], "b": 1}, True),
        (0.1 + 0.2, 0.3, True),
        (0.31, 0.3, False),
        (float("inf"), 1e308, False),
        (float("nan"), float("nan"), True),
        (3, 3.0, True),
        (3.0, 3, True),
        (3.0000001, 3, False),
        (2**60 + 1, 2**60, False),
        (2**60, float(2**60), True),
        (True, 1, True),
        ("1", 1, False),
        (1, "1", False),
        (None, None, True),
        (False, None, False),
        (b"a", "a", False),
        ([], None, False),
        ("", [], False),
    ],
)
def test_results_are_compared_as_values_of_json(output: Any, expected: Any, right: bool) -> None:
    assert same_value(output, expected) is right


def test_a_numpy_number_is_a_number_and_an_array_is_no_list() -> None:
    program = "import numpy\ndef add(a, b):\n    return numpy.{}(a) + b\n"
    assert codes(problem(([1, 2], 3)), program.format("int64"), program.format("float64")) == ["P", "P"]
    assert codes(problem(([[1], 2], [3])), program.format("array")) == ["F"]


@pytest.mark.parametrize("owner", ["", "Solution"])
def test_programs_that_do_nothing_pass_only_calls_that_expect_nothing(owner: str) -> None:
    one = problem(*SUMS, ([1, 0], None), owner=owner)
    assert codes(one, *do_nothing_programs(one, one.tests).values()) == ["EEEE", "FFFP", "FFFF"]


def test_a_problem_whose_calls_expect_nothing_stays_unjudged() -> None:
    (matrix,) = execute([problem(([1, 0], None))], [Solution("t", 0, "def add(a, b): pass")], jobs=1)
    assert matrix.verdicts[0].codes == "S"


def test_own_files_can_hold_calls(write_lines: Any) -> None:
    call = {"kind": "calls", "function": "add", "arguments": [1, 2], "expected": 3}
    row = {"task_id": "t", "prompt": "Add.", "entry_point": "add", "tests": [call, {**call, "class": "Solution"}]}
    (loaded,) = load_problems(write_lines([row]))
    assert [json.loads(test.source).get("class") for test in loaded.tests] == [None, "Solution"]
    assert codes(loaded, ADD, METHOD) == ["PP", "PP"]
    for wrong in ({"arguments": 3}, {"function": "a b"}, {"wrapped": True}, {"arguments": "[f()]"}):
        with pytest.raises(UserError, match="must be JSON of the form"):
            load_problems(write_lines([{**row, "tests": [{**call, **wrong}]}]))


@pytest.mark.parametrize("source", ["", "[]", "{", '{"function": "f"}', "[" * 100_000, '{"function": 3}'])
def test_a_malformed_source_is_refused(source: str) -> None:
    with pytest.raises(UserError, match="must be JSON of the form"):
        check_call(source, "test")
