"""Tests of reading solutions and tests into records, and of the messages about wrong lines."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codepref.errors import UserError
from codepref.problems import load_problems
from codepref.records import Problem
from codepref.sampling.answers import load_solutions, load_tests, solutions_from_rows

Write = Callable[..., Path]

ADD = Problem("add", "Write add(a, b).", "add")
TOTAL = Problem(
    "total",
    "from typing import List\n\ndef total(xs: List[int]) -> int:\n",
    "total",
    style="complete",
    preamble="from typing import List\n",
)
PROBLEMS = [ADD, TOTAL]


def test_a_completion_of_a_code_prompt_continues_it_unchanged(write_lines: Write) -> None:
    path = write_lines([{"task_id": "total", "completion": "    return sum(xs)\nprint('x'"}])
    (solution,) = load_solutions(path, PROBLEMS)
    assert solution.text == TOTAL.prompt + "    return sum(xs)\nprint('x'"
    assert solution.raw == "    return sum(xs)\nprint('x'"


def test_the_program_is_extracted_from_a_completion_of_a_request(write_lines: Write) -> None:
    raw = "Here:\n```python\ndef add(a, b):\n    return a + b\nprint(add(1, 2))\n```\nDone."
    (solution,) = load_solutions(write_lines([{"task_id": "add", "completion": raw}]), PROBLEMS)
    assert solution.text == "def add(a, b):\n    return a + b\n"


def test_a_whole_program_gets_the_missing_part_of_the_preamble(write_lines: Write) -> None:
    bare = "def total(xs: List[int]):\n    return sum(xs)\n"
    rows = [
        {"task_id": "total", "solution": text} for text in (bare, "from typing import List\n" + bare, "def broken(")
    ]
    texts = [solution.text for solution in load_solutions(write_lines(rows), PROBLEMS)]
    assert texts == ["from typing import List\n\n\n" + bare, "from typing import List\n" + bare, "def broken("]


def test_a_solution_id_is_the_number_of_the_line_in_its_task(write_lines: Write) -> None:
    rows = [{"task_id": task, "solution": "x = 1"} for task in ("add", "total", "add", "add")]
    ids = [(item.task_id, item.solution_id) for item in load_solutions(write_lines(rows), PROBLEMS)]
    assert ids == [("add", 0), ("total", 0), ("add", 1), ("add", 2)]


@pytest.mark.parametrize(
    "row", [{"completion": ""}, {"solution": ""}, {"solution": "", "completion": "def add(): ..."}]
)
@pytest.mark.parametrize("task", ["add", "total"])
def test_an_empty_answer_is_a_solution_without_text(task: str, row: dict[str, Any]) -> None:
    (solution,) = solutions_from_rows([{"task_id": task, **row}], PROBLEMS)
    assert solution.text == ""


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("{", "not valid JSON"),
        ({"task_id": "ad", "solution": ""}, "task 'ad' is not among the problems, whose task ids look like 'add'"),
        ({"solution": ""}, r"has no task_id \(columns: solution\)"),
        ({"task_id": "add", "text": ""}, 'needs "solution" or "completion". Its columns are task_id, text'),
        ({"task_id": "add", "solution": 3}, "solution must be text, not int"),
    ],
)
def test_the_message_about_a_wrong_line_has_its_number(write_lines: Write, row: Any, message: str) -> None:
    path = write_lines([{"task_id": "add", "solution": ""}, row])
    with pytest.raises(UserError, match=message) as caught:
        load_solutions(path, PROBLEMS)
    assert f"{path}:2" in str(caught.value)


def test_a_task_of_mbpp_is_found_by_its_number() -> None:
    (solution,) = solutions_from_rows([{"task_id": 7, "solution": ""}], [Problem("Mbpp/7", "", "f")])
    assert solution.task_id == "Mbpp/7"


@pytest.mark.parametrize("task", ["HumanEval/7", "Python/7", "BigCodeBench/7", "a/b/7"])
@pytest.mark.parametrize("name", [7, "7", 7.0])
def test_a_task_is_found_by_the_number_at_the_end_of_its_id(task: str, name: Any) -> None:
    (solution,) = solutions_from_rows([{"task_id": name, "solution": ""}], [Problem(task, "", "f")])
    assert solution.task_id == task


def test_a_number_that_several_tasks_have_is_refused() -> None:
    problems = [Problem("HumanEval/7", "", "f"), Problem("Mbpp/7", "", "f"), Problem("7", "", "f")]
    (solution,) = solutions_from_rows([{"task_id": 7, "solution": ""}], problems)
    assert solution.task_id == "7"
    with pytest.raises(UserError, match=r"task 7 can be HumanEval/7, Mbpp/7. Give the whole id"):
        solutions_from_rows([{"task_id": 7, "solution": ""}], problems[:2])
    with pytest.raises(UserError, match="task 8 is not among the problems"):
        solutions_from_rows([{"task_id": 8, "solution": ""}], problems)


@pytest.mark.parametrize(
    "row", [{"completion": None}, {"solution": None}, {"completion": None, "solution": None}, {"completion": math.nan}]
)
@pytest.mark.parametrize("task", ["add", "total"])
def test_an_answer_that_is_null_is_a_solution_without_text(task: str, row: dict[str, Any]) -> None:
    rows = [{"task_id": task, **row}, {"task_id": task, "solution": "x = 1"}]
    assert [solution.text for solution in solutions_from_rows(rows, PROBLEMS)] == ["", "x = 1"]


def test_a_null_solution_beside_a_completion_leaves_the_completion() -> None:
    row = {"task_id": "add", "solution": None, "completion": "def add(a, b):\n    return a + b\n"}
    assert solutions_from_rows([row], PROBLEMS)[0].text == row["completion"]


def test_null_responses_of_a_pool_are_solutions_and_malformed_ones_are_refused() -> None:
    row = {"task_id": "add", "responses": [{"response": None}, {"response": "def add(a, b): ..."}]}
    first, second = solutions_from_rows([row], PROBLEMS)
    assert (first.text, second.solution_id) == ("", 1)
    with pytest.raises(UserError, match=r"row 0 responses\[0\]: completion must be text, not dict"):
        solutions_from_rows([{"task_id": "add", "responses": [{"text": "x"}]}], PROBLEMS)


def test_a_null_completion_of_tests_gives_no_test(write_lines: Write) -> None:
    rows: list[dict[str, Any]] = [{"task_id": "add", "completion": None}, {"task_id": "add", "test": None}]
    rows.append({"task_id": "add", "test": "assert add(1, 2) == 3"})
    loaded = load_tests(write_lines(rows), PROBLEMS, per_completion=5)
    assert (loaded.lines, loaded.silent, len(loaded.tests["add"])) == (3, 2, 1)


def test_tests_with_the_same_normal_form_are_counted_together(write_lines: Write) -> None:
    rows = [
        {"task_id": "add", "test": "assert add(1, 2) == 3"},
        {"task_id": "add", "test": "assert add( 1,2 )==3, 'wrong'"},
        {"task_id": "add", "test": "assert add('a', \"b\") == 'ab'"},
        {"task_id": "add", "completion": "```python\nassert add(1, 2) == 3\nassert add(1, 2) == 3\n```"},
        {"task_id": "add", "completion": "I cannot."},
        {"task_id": "add", "test": "assert add(1"},
        {"task_id": "add", "test": "assert True"},
        {"task_id": "add", "test": "def check(candidate):\n    assert candidate(1, 2) == 3\n"},
    ]
    loaded = load_tests(write_lines(rows), PROBLEMS, per_completion=None)
    tests = loaded.tests["add"]
    assert [(test.test_id, test.source.split("\n")[0], test.kind, test.count) for test in tests] == [
        ("0", "assert add(1, 2) == 3", "asserts", 3),
        ("1", "assert add('a', 'b') == 'ab'", "asserts", 1),
        ("2", "def check(candidate):", "check", 1),
    ]
    assert loaded.dropped == {"duplicate": 1, "unparsable": 1, "no_call": 1}
    assert (loaded.lines, loaded.silent) == (8, 3)


def test_the_number_of_tests_per_completion_is_limited(write_lines: Write) -> None:
    rows = [{"task_id": "add", "completion": "".join(f"assert add({n}, 0) == {n}\n" for n in range(9))}]
    loaded = load_tests(write_lines(rows), PROBLEMS, per_completion=5)
    assert len(loaded.tests["add"]) == 5
    assert loaded.dropped == {"over_limit": 4}


@pytest.mark.parametrize(
    "rows",
    [
        [{"completion": "add(1, 2) == 3\nassert add(2, 2) == 4\n", "prompt": "# check add\nassert "}],
        [
            {"completion": "\n", "prompt": "# check add\nassert "},
            {"completion": "add(1, 2) == 3\nassert add(2, 2) == 4"},
        ],
        [{"completion": "add(1, 2) == 3\nassert add(2, 2) == 4"}],
        [{"completion": "add(1, 2) == 3, 'one'\nassert add(2, 2) == 4"}],
        [{"completion": "assert add(1, 2) == 3\nassert add(2, 2) == 4"}],
        [{"completion": "print(add(1, 2))\nassert add(1, 2) == 3\nassert add(2, 2) == 4", "prompt": "Write tests."}],
    ],
)
def test_a_completion_can_continue_the_assert_of_its_prompt(write_lines: Write, rows: list[dict[str, Any]]) -> None:
    path = write_lines([{"task_id": "add", **row} for row in rows])
    sources = [test.source for test in load_tests(path, PROBLEMS, per_completion=None).tests["add"]]
    assert sources == ["assert add(1, 2) == 3", "assert add(2, 2) == 4"]


def test_published_completions_give_the_expected_numbers(data: Path) -> None:
    """Load the published solutions and tests of CodeGen-16B.

    CodeT extracts 4,143 tests of different spelling from them, at most 5 from each completion. These tests have 3,778
    normal forms. codepref drops about 300 of them: they hold a placeholder (`assert ____ == f(2)`), or they name the
    function only in a string.
    """
    problems = load_problems(data / "codegen16b" / "problems.jsonl.gz")
    solutions = load_solutions(data / "codegen16b" / "solutions.jsonl.gz", problems)
    assert len(solutions) == 8_200
    assert len({(solution.task_id, solution.text) for solution in solutions}) == 6_106
    loaded = load_tests(data / "codegen16b" / "tests.jsonl.gz", problems, per_completion=5)
    assert loaded.lines == 8_200
    assert 3_400 < sum(map(len, loaded.tests.values())) < 3_550
    assert all(len({test.source for test in tests}) == len(tests) for tests in loaded.tests.values())
