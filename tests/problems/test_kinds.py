"""Kinds of tests in files: unittest suites of BigCodeBench, and entries that name a kind in codepref's own format."""

from __future__ import annotations

import importlib.util
import json
from datetime import date

import pytest

from codepref.config.templates import SOLUTION_TEMPLATE
from codepref.errors import UserError
from codepref.execution.engine import execute_tasks
from codepref.execution.limits import Limits
from codepref.execution.tasks import Task
from codepref.problems import load_problems
from codepref.problems.kinds import KINDS
from codepref.records import Solution
from codepref.sampling.prompts import request_messages

OWN = {"task_id": "a", "prompt": "Add the numbers."}
PROGRAM = {"kind": "stdio", "input": "1 2", "output": "3"}


def test_a_row_of_bigcodebench_becomes_a_problem_with_a_unittest_suite(write_lines):
    row = {
        "task_id": "BigCodeBench/7",
        "complete_prompt": 'import csv\nLIMIT = 3\n\ndef task_func(x):\n    """Say x."""\n',
        "canonical_solution": "    return x\n",
        "test": "import unittest\nclass TestCases(unittest.TestCase):\n    def test(self): task_func(1)\n",
        "entry_point": "task_func",
        "libs": "['csv']",
    }
    (problem,) = load_problems(write_lines([row]))
    assert problem.gold == row["complete_prompt"] + row["canonical_solution"]
    assert problem.style == "complete"
    assert problem.preamble == "import csv\nLIMIT = 3\n"
    assert [(test.kind, test.source) for test in problem.tests] == [("unittest", row["test"])]
    assert problem.meta == {"format": "bigcodebench", "libs": "['csv']"}


def test_published_gold_solutions_pass_if_their_libraries_are_installed(data):
    path = data / "bigcodebench" / "bigcodebench-first20.jsonl.gz"
    if not path.exists():
        pytest.skip(f"no {path}")
    problems = load_problems(path)
    assert len(problems) == 20
    wanted = {f"BigCodeBench/{number}" for number in (1, 10)}
    if importlib.util.find_spec("pandas"):
        wanted.add("BigCodeBench/1000")
    tasks = [Task(one, [Solution(one.task_id, 0, one.gold)], one.tests) for one in problems if one.task_id in wanted]
    matrices = list(execute_tasks(tasks, limits=Limits(cpu_seconds=20), jobs=1))
    assert {matrix.task_id: matrix.verdicts[0].codes for matrix in matrices} == dict.fromkeys(wanted, "P")


def test_own_tests_can_name_their_kind(write_lines):
    suite = "import unittest\nclass T(unittest.TestCase):\n    def test(self): add(1, 2)\n"
    rows = [
        {**OWN, "tests": [PROGRAM, {**PROGRAM, "input": ""}]},
        {
            **OWN,
            "task_id": "b",
            "entry_point": "add",
            "tests": ["assert add(1, 2) == 3", {"kind": "unittest", "source": suite}],
        },
    ]
    programs, functions = load_problems(write_lines(rows))
    assert [test.kind for test in programs.tests] == ["stdio", "stdio"]
    assert programs.style == "program"
    assert "standard input" in request_messages(programs, SOLUTION_TEMPLATE)[0]["content"]
    assert request_messages(programs, "Mine: {prompt}")[0]["content"].startswith("Mine: ")
    assert json.loads(programs.tests[0].source) == {"input": "1 2", "output": "3"}
    assert [test.kind for test in functions.tests] == ["asserts", "unittest"]
    assert functions.tests[1].source == suite


@pytest.mark.parametrize(
    ("tests", "message"),
    [
        ([PROGRAM, "assert add(1, 2) == 3"], "cannot be mixed with other kinds"),
        ([{"kind": "stdio", "input": "1"}], "needs texts under the keys input and output"),
        ([{"kind": "stdio", "input": "\ud800", "output": ""}], "must be JSON"),
        ([{"kind": "other", "source": ""}], "kind must be one of stdio"),
        ([{"kind": "unittest"}], "needs a text under the key source"),
        ([{"kind": "unittest", "source": "class"}], "test 0 cannot be read as Python"),
        ([3], "list of texts or of objects"),
        ("assert add(1, 2) == 3", "list of texts or of objects"),
    ],
)
def test_a_malformed_test_is_refused(write_lines, tests, message):
    with pytest.raises(UserError, match=message):
        load_problems(write_lines([{**OWN, "tests": tests}]))


@pytest.mark.parametrize(
    "entry",
    [
        {"kind": "calls", "function": "add", "arguments": [b"x"], "expected": 1},
        {"kind": "stdio", "input": "1", "output": "2", "tolerance": date(2026, 1, 1)},
        {"kind": "checker", "input": "1", "output": "2", "checker": b"def check(a): pass"},
        {"kind": "inputs", "entry_point": "add", "inputs": {1, 2}, "reference": "def add(x): return x"},
    ],
)
def test_a_value_that_json_cannot_write_is_the_users_mistake(entry: dict[str, object]) -> None:
    with pytest.raises(UserError, match=r"^row 3 holds a value that cannot be written as JSON"):
        KINDS[str(entry["kind"])].from_entry(entry, "row 3")
