"""Tests for problems with several right answers: checkers, free orders and tolerances."""

from __future__ import annotations

import json
from typing import Any

import pytest

from codepref.errors import UserError
from codepref.execution.execute import execute
from codepref.execution.sandbox.kinds.compare_unordered import same_items, same_lines
from codepref.problems.checkers import check_checker
from codepref.problems.load import problems_from_rows
from codepref.records import Problem, Solution

CHECKER = """\
import sys

def main():
    given = open(sys.argv[1]).read().split()
    with open(sys.argv[2]) as file:
        example = file.read().split()
    answer = [int(word) for word in open(sys.argv[3]).read().split()]
    total = int(given[0])
    good = len(answer) == 2 and sum(answer) == total and len(example) == 2
    print(1 if good else 0)

if __name__ == "__main__":
    main()
"""
"""A checker that accepts any two numbers with the given sum."""

BY_STATUS = """\
import sys
from pathlib import Path
total, answer = (list(map(int, Path(name).read_text().split())) for name in (sys.argv[1], sys.argv[3]))
if sum(answer) != total[0]:
    sys.exit(1)
"""

SPLIT = {
    "id": "1/A",
    "description": "Split a number into two.",
    "official_tests": [{"input": "7\n", "output": "3 4\n"}, {"input": "10\n", "output": "5 5\n"}],
}


def codes(problem: Problem, *programs: str) -> list[str]:
    solutions = [Solution(problem.task_id, at, program) for at, program in enumerate(programs)]
    (matrix,) = execute([problem], solutions, jobs=1)
    return [verdict.codes for verdict in matrix.verdicts]


@pytest.mark.parametrize("checker", [CHECKER, BY_STATUS])
def test_a_checker_of_the_data_set_decides(checker: str) -> None:
    (problem,) = problems_from_rows([{**SPLIT, "generated_checker": checker}])
    assert {test.kind for test in problem.tests} == {"checker"}
    assert codes(
        problem,
        "n = int(input())\nprint(1, n - 1)",
        "n = int(input())\nprint(n, 1)",
        "print(3, 4)",
        "print('no numbers')",
        "raise ValueError",
    ) == ["PP", "FF", "PF", "FF", "EE"]


def test_a_solution_has_no_part_in_its_checker() -> None:
    """The solution can neither see nor change the checker, its files or its modules. It can only print a text."""
    (problem,) = problems_from_rows([{**SPLIT, "generated_checker": CHECKER}])
    attack = (
        "import sys, builtins\nsys.argv[:] = ['x', 'a', 'b', 'c']\nbuiltins.int = lambda word: 7\nprint('7', end='')"
    )
    listing = "import os, sys\nprint(os.listdir('.'), sys.argv)"
    files = "for name in ('input.txt', 'correct_output.txt'):\n    print(open(name).read())"
    writes = "open('solution_output.txt', 'w').write('3 4')\nopen('correct_output.txt', 'w').write('1')\nprint('1')"
    assert codes(problem, attack, listing, files, writes, "print(1)")[1:] == ["FF", "EE", "FF", "FF"]
    assert "P" not in codes(problem, attack)[0]


def test_a_checker_that_accepts_everything_proves_nothing() -> None:
    (problem,) = problems_from_rows([{**SPLIT, "generated_checker": "print('1')"}])
    assert codes(problem, "print(3, 4)") == ["SS"]


def test_only_the_last_line_of_a_checker_decides() -> None:
    says = "import sys\ntext = open(sys.argv[3]).read()\nprint('expected 1')\nprint('OK' if '3' in text else 'not 1')\n"
    (problem,) = problems_from_rows(
        [{**SPLIT, "official_tests": [SPLIT["official_tests"][0]], "generated_checker": says}]
    )
    assert codes(problem, "print(3)", "print(4)") == ["P", "F"]


def test_a_checker_that_never_ends_stops_no_worker() -> None:
    endless = "import sys\nwhile open(sys.argv[3]).read().strip() == 'stay':\n    pass\nprint(1)"
    (problem,) = problems_from_rows(
        [{**SPLIT, "official_tests": [SPLIT["official_tests"][0]], "generated_checker": endless}]
    )
    (matrix,) = execute([problem], [Solution(problem.task_id, 0, "print('stay')")], jobs=1, vacuous_tests="keep")
    assert matrix.verdicts[0].codes in "TES"


@pytest.mark.parametrize("name", ["eval(x)", "exec(x)", "__import__('os')", "import pickle", "from os import _exit"])
def test_a_checker_that_may_run_an_output_is_refused(name: str) -> None:
    entry = {"kind": "checker", "input": "", "output": "1", "checker": f"x = 1\n{name}\nprint(1)"}
    with pytest.raises(UserError, match="could run what a solution prints"):
        problems_from_rows([{"prompt": "Print.", "tests": [entry]}], strict=True)


def own(**entry: Any) -> Problem:
    (problem,) = problems_from_rows([{"task_id": "t", "prompt": "Do it.", "entry_point": "f", "tests": [entry]}])
    return problem


def test_the_items_of_a_result_may_come_in_any_order() -> None:
    expected = [[1, 2], [3, 4], [3, 4]]
    call = {"kind": "calls", "function": "f", "arguments": [], "expected": expected}
    answers = ([[3, 4], [1, 2], [3, 4]], [[2, 1], [4, 3], [3, 4]], [[1, 2], [3, 4]], [[1, 2], [1, 2], [3, 4]])
    programs = [f"def f():\n    return {answer}" for answer in answers]
    assert codes(own(**call), *programs) == ["F", "F", "F", "F"]
    assert codes(own(**call, order="items"), *programs) == ["P", "F", "F", "F"]
    assert codes(own(**call, order="all"), *programs) == ["P", "P", "F", "F"]


def test_a_test_may_name_its_tolerance() -> None:
    call = {"kind": "calls", "function": "f", "arguments": [], "expected": [1000.0, 2.0]}
    programs = [f"def f():\n    return [{answer}, 2.0]" for answer in ("1000.005", "1000.0000005", "1001.0", "1000")]
    assert codes(own(**call), *programs) == ["F", "P", "F", "P"]
    assert codes(own(**call, tolerance=1e-5), *programs) == ["P", "P", "F", "P"]
    program = {"kind": "stdio", "input": "", "output": "1000.0\n"}
    programs = [f"print({answer})" for answer in ("1000.005", "1001.0")]
    assert codes(own(**program), *programs) == ["F", "F"]
    assert codes(own(**program, tolerance=1e-5), *programs) == ["P", "F"]


def test_the_lines_or_the_words_of_an_output_may_come_in_any_order() -> None:
    test = {"kind": "stdio", "input": "", "output": "1 2\n3 4.0\n"}
    programs = [f"print({text!r})" for text in ("3  4.0\n1 2\n", "2 1\n4.0 3", "1 2\n3", "1 2\n3 4.0\n5")]
    assert codes(own(**test), *programs) == ["F", "F", "F", "F"]
    assert codes(own(**test, order="lines"), *programs) == ["P", "F", "F", "F"]
    assert codes(own(**test, order="words"), *programs) == ["P", "P", "F", "F"]


@pytest.mark.parametrize(
    ("statement", "keys"),
    [
        ("You may return the answer in any order.", {"order": "items"}),
        ("Return all such pairs, in any order.", {"order": "items"}),
        ("The order of the output does not matter.", {"order": "all"}),
        ("The words are given in any order. Return them sorted.", {}),
        ("Answers within 10^-5 of the actual answer will be accepted. Return a list.", {"tolerance": 1e-5}),
        ("The absolute or relative error must not exceed $10^{-4}$.", {"tolerance": 1e-4}),
        ("The error must not exceed 10^{-9}.", {}),
    ],
)
def test_the_statement_says_which_other_results_are_right(statement: str, keys: dict[str, Any]) -> None:
    row = {
        "question": statement,
        "input_output": json.dumps({"fn_name": "f", "inputs": [[1], [2]], "outputs": [[1, 2], [2, 3]]}),
        "solutions": "",
        "starter_code": "",
    }
    (problem,) = problems_from_rows([row])
    fields = json.loads(problem.tests[0].source)
    assert {key: fields[key] for key in ("order", "tolerance") if key in fields} == keys


def test_a_malformed_comparison_is_refused() -> None:
    for more in (
        {"order": "lines"},
        {"tolerance": 0},
        {"tolerance": True},
        {"result_as": "Node"},
        {"arguments_as": [1]},
    ):
        entry = {"kind": "calls", "function": "f", "arguments": [[1]], "expected": 1, **more}
        with pytest.raises(UserError, match="must be JSON of the form"):
            problems_from_rows([{"prompt": "Do.", "entry_point": "f", "tests": [entry]}], strict=True)
    for more in ({"order": "items"}, {"tolerance": "1"}):
        entry = {"kind": "stdio", "input": "", "output": "", **more}
        with pytest.raises(UserError, match="must be JSON of the form"):
            problems_from_rows([{"prompt": "Do.", "tests": [entry]}], strict=True)


REFUSE = "if open(sys.argv[3]).read().split() != ['7']:\n    "


@pytest.mark.parametrize(
    "checker",
    [
        f"import sys\n{REFUSE}print('WA')\n    sys.exit(1)\n",
        f"import sys\n{REFUSE}print('WA', file=sys.stderr)\n    sys.exit(1)\n",
        f"import sys\n{REFUSE}exit(1)\nexit(0)\n",
        f"import sys\n{REFUSE}raise SystemExit('no')\nquit()\n",
        f"import sys\n{REFUSE}sys.exit(3)\nsys.stdout.buffer.write(b'1')\n",
        f"import sys\n{REFUSE}sys.exit(3)\nassert open(sys.argv[3]).name == sys.argv[3]\n",
    ],
)
def test_a_checker_can_decide_by_its_status(checker: str) -> None:
    row = {**SPLIT, "official_tests": [{"input": "7\n", "output": "7\n"}], "generated_checker": checker}
    (problem,) = problems_from_rows([row])
    assert codes(problem, "print(input())", "print(8)") == ["P", "F"]


def test_a_line_of_the_output_that_a_checker_prints_does_not_decide() -> None:
    checker = (
        "import sys\nfound = open(sys.argv[3]).read()\nif found.strip() == '7':\n    print(1)\n"
        "else:\n    print('expected 7, got', found)\n"
    )
    row = {**SPLIT, "official_tests": [{"input": "7\n", "output": "7\n"}], "generated_checker": checker}
    (problem,) = problems_from_rows([row])
    assert codes(problem, "print(7)", "print('x')\nprint(1)", "print()\nprint(1)") == ["P", "F", "F"]


@pytest.mark.parametrize("name", ["sympy", "yaml", "read_pickle", "__dict__"])
def test_a_checker_that_can_run_what_it_reads_is_left_out(name: str) -> None:
    checker = f"import sys\nfrom tools import {name}\nprint(1 if {name}(open(sys.argv[3]).read()) else 0)\n"
    with pytest.raises(UserError, match=name):
        check_checker(checker, "row 1")


def test_many_items_match_in_any_order_within_a_tolerance() -> None:
    numbers = [0.1 * at + 95 for at in range(3000)]
    near = [value - 1e-9 for value in reversed(numbers)]
    assert same_items(near, numbers, deep=False, tolerance=1e-6)
    assert not same_items([*near[1:], 0.0], numbers, deep=False, tolerance=1e-6)
    rows = [{"at": at} for at in range(3000)]
    assert same_items(rows[::-1], rows, deep=False, tolerance=0)
    lines = "\n".join(f"{value:.9f} x" for value in near)
    expected = "\n".join(f"{value:.9f} x" for value in numbers)
    assert same_lines(lines, expected, words=False, tolerance=1e-6)


def test_a_list_that_holds_itself_twice_many_times_costs_little() -> None:
    items: list[Any] = []
    for _ in range(60):
        items = [items, items]
    assert not same_items([items, 1], [[1], 2], deep=False, tolerance=0)
