"""Rows in the form of data sets whose tests are Python, written for the tests, with right and wrong solutions.

Most rows hold one of three problems: the function `pick(words, at)` returns the words at some places, the class `Till`
adds up prices, and a program adds the two numbers of each line. In some rows, the method `turn` turns a linked list.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

PICK = "Write `pick(words, at)`. It returns the words at the given places. A place below zero counts from the end."
HEAD = 'def pick(words, at):\n    """Return the words at the given places."""\n'
BODY = "    return [words[i] for i in at]\n"
FUNCTION = "def pick(words, at):\n" + BODY
WRONG_FUNCTION = "def pick(words, at):\n    return [words[i] for i in sorted(at)]\n"
ASSERTS = [
    "assert pick(['ox', 'elk', 'yak'], [2, 0]) == ['yak', 'ox']",
    "assert pick(['ox'], []) == []",
    "assert pick(['ox', 'elk'], [-1]) == ['elk']",
]
PYTEST = "from solution import pick\n\n\n" + "".join(
    f"def test_pick_{at}():\n    {text}\n\n\n" for at, text in enumerate(ASSERTS)
)
PARAMETRIZED = """\
import pytest
from solution import pick


@pytest.fixture
def words():
    return ['ox', 'elk', 'yak']


@pytest.mark.parametrize('at, expected', [([2, 0], ['yak', 'ox']), ([-1], ['yak'])])
def test_places(words, at, expected):
    assert pick(words, at) == expected


def test_no_such_place(words):
    with pytest.raises(IndexError):
        pick(words, [9])
"""
METHOD = "class Solution:\n    def pick(self, words: List[str], at: List[int]) -> List[str]:\n    " + BODY
WRONG_METHOD = METHOD.replace("in at]", "in sorted(at)]")
STARTER = METHOD.split("        return")[0] + "        "
CHECK = "def check(candidate):\n" + "".join(f"    {text.replace('pick(', 'candidate(')}\n" for text in ASSERTS)

TILL = (
    "class Till:\n    def __init__(self):\n        self.sum = 0\n    def add(self, price):\n        self.sum += price\n"
)
WRONG_TILL = TILL.replace("+=", "=")
SKELETON = '''\
class Till:
    """A till that adds up prices."""

    def __init__(self):
        """Begin at 0."""

    def add(self, price):
        """Add a price to the attribute sum."""
'''
SUITE = """\
import unittest


class TillTestAdd(unittest.TestCase):
    def test_add(self):
        till = Till()
        till.add(Decimal("1.50"))
        till.add(2)
        self.assertEqual(till.sum, Decimal("3.50"))
"""

PROGRAM = "import sys\nfor line in sys.stdin:\n    a, b = map(int, line.split())\n    print(a + b)\n"
WRONG_PROGRAM = PROGRAM.replace("a + b", "abs(a) + abs(b)")
INPUTS, OUTPUTS = ["1 2\n3 4\n", "10 -4\n"], ["3\n7\n", "6\n"]

LISTS = """\
from typing import *
from math import *


class ListNode:
    def __init__(self, val=0, next=None):
        self.val, self.next = val, next


def list_node(values):
    node = None
    for value in reversed(values):
        node = ListNode(value, node)
    return node


def is_same_list(a, b):
    while a and b and a.val == b.val:
        a, b = a.next, b.next
    return a is None and b is None
"""
CHECK_LISTS = """\
def check(candidate):
    assert is_same_list(candidate(head = list_node([1, 4, 9])), list_node([9, 4, 1]))
    assert is_same_list(candidate(head = list_node([])), list_node([]))
"""
TURN = """\
class Solution:
    def turn(self, head: Optional[ListNode]) -> Optional[ListNode]:
        turned = None
        while head:
            turned, head = ListNode(floor(head.val), turned), head.next
        return turned
"""
WRONG_TURN = TURN.replace("return turned", "return head")


def fenced(program: str) -> str:
    """Return a program in a Markdown fence between two sentences, as models write it."""
    return f"Here it is.\n\n```python\n{program}```\nIt takes linear time.\n"


@dataclass(frozen=True)
class Sample:
    """One row, and what is expected of it.

    format: the name of its format. kinds: the kinds of the tests. right, wrong: a right and a wrong solution. task_id:
    the expected id, or "" if any id is right. gold: whether the row gives a gold solution.
    """

    format: str
    row: dict[str, Any]
    kinds: tuple[str, ...]
    right: str = FUNCTION
    wrong: str = WRONG_FUNCTION
    task_id: str = ""
    gold: bool = False
    entry_point: str = "pick"


def _verl(truth: Any, **columns: Any) -> dict[str, Any]:
    messages = [{"role": "system", "content": "Think first."}, {"role": "user", "content": PICK}]
    reward = {"style": "rule", "ground_truth": truth if isinstance(truth, str) else json.dumps(truth)}
    return {"data_source": "kodcode", "prompt": messages, "ability": "code", "reward_model": reward, **columns}


def _kodcode(test: Any, column: str = "test", **columns: Any) -> dict[str, Any]:
    row = {"style": "instruct", "subset": "Algorithm", "question_id": "Algorithm_7_I", "question": PICK}
    return {**row, "solution": FUNCTION, column: test, "test_info": None, **columns}


def _leetcode(**columns: Any) -> dict[str, Any]:
    row = {"task_id": "pick-words", "question_id": 9, "problem_description": PICK, "starter_code": STARTER}
    row |= {"prompt": "from typing import *\nfrom collections import *\n", "completion": METHOD, "query": PICK}
    return {**row, "entry_point": "Solution().pick", "test": CHECK, **columns}


def _opencode(tests: Any, **columns: Any) -> dict[str, Any]:
    statuses = json.dumps(["pass"] * 3)
    row = {"id": "a1", "input": PICK, "output": f"```python\n{FUNCTION}```", "tests_execution_status": statuses}
    return {**row, "unit_tests": tests, "average_test_score": "1", "domain": "generic", **columns}


def _classeval(**columns: Any) -> dict[str, Any]:
    row = {"task_id": "ClassEval_7", "skeleton": SKELETON, "test": SUITE, "solution_code": TILL, "class_name": "Till"}
    return {**row, "import_statement": ["from decimal import Decimal"], "test_classes": ["TillTestAdd"], **columns}


def _pro(**columns: Any) -> dict[str, Any]:
    row = {"id": 7, "raw_problem": "def nth(words, at):\n", "raw_solution": "    return words[at]\n"}
    row |= {
        "new_problem": "# Call nth for each place.\n" + HEAD,
        "new_solution": "    return [nth(words, i) for i in at]\n",
    }
    return {**row, "test_code": "\n".join(ASSERTS), **columns}


_X: dict[str, Any] = {
    "task_id": "Python/7",
    "prompt": "import math\n\n\ndef helper(x):\n    return x\n\n\n" + HEAD,
    "declaration": "import math\n\n\ndef helper(x):\n    return x\n\n\ndef pick(words, at):\n",
    "canonical_solution": BODY,
    "test": CHECK.replace("candidate", "pick") + "\ncheck(pick)\n",
    "example_test": "",
    "text": PICK,
}
_PRO = "def nth(words, at):\n    return words[at]\n\n\ndef pick(words, at):\n    return [nth(words, i) for i in at]\n"
_MESSAGES = [{"role": "system", "content": "Think."}, {"role": "user", "content": PICK}]
_INFERENCES = [{"completion": WRONG_FUNCTION, "pass_rate": 0.4}, {"completion": fenced(FUNCTION), "pass_rate": 1.0}]
_STDIO = {"stdin": INPUTS, "stdout": OUTPUTS}
_PROGRAM: dict[str, Any] = {"right": PROGRAM, "wrong": WRONG_PROGRAM, "entry_point": "main"}
_METHOD: dict[str, Any] = {"right": METHOD, "wrong": WRONG_METHOD, "entry_point": "Solution"}
_THREE = ("asserts",) * 3

SAMPLES: dict[str, Sample] = {
    "acecode": Sample(
        "acecode",
        {"id": "oss_7", "source": "oss", "question": PICK, "test_cases": ASSERTS, "inferences": _INFERENCES},
        _THREE,
        task_id="oss_7",
        gold=True,
    ),
    "acecode, JSON text": Sample("acecode", {"id": 7, "question": PICK, "test_cases": json.dumps(ASSERTS)}, _THREE),
    "acecode, second version": Sample(
        "acecode", {"id": 7, "question": PICK, "tests": ASSERTS}, _THREE, task_id="AceCode/7"
    ),
    "acecode-rlvr": Sample("acecode-rlvr", {"messages": _MESSAGES, "ground_truth": ASSERTS, "dataset": "code"}, _THREE),
    "acecode-rlvr, JSON text": Sample(
        "acecode-rlvr", {"messages": _MESSAGES, "ground_truth": json.dumps(ASSERTS), "dataset": ["code"]}, _THREE
    ),
    "acecode-rlvr, programs": Sample(
        "acecode-rlvr",
        {"messages": _MESSAGES, "dataset": "code_stdio"}
        | {"ground_truth": json.dumps([{"input": i, "output": o} for i, o in zip(INPUTS, OUTPUTS, strict=True)])},
        ("stdio", "stdio"),
        **_PROGRAM,
    ),
    "classeval": Sample(
        "classeval", _classeval(), ("unittest",), TILL, WRONG_TILL, "ClassEval_7", gold=True, entry_point="Till"
    ),
    "classeval, imports as text": Sample(
        "classeval",
        _classeval(import_statement="from decimal import Decimal\n", solution_code=None),
        ("unittest",),
        TILL,
        WRONG_TILL,
        entry_point="Till",
    ),
    "humaneval-pro": Sample(
        "humaneval-pro",
        _pro(),
        ("asserts",),
        _PRO,
        _PRO.replace("in at]", "in sorted(at)]"),
        "HumanEvalPro/7",
        gold=True,
    ),
    "humaneval-pro, whole solutions": Sample(
        "humaneval-pro",
        _pro(raw_solution=_PRO.split("\n\n\n")[0] + "\n", new_solution=_PRO.split("\n\n\n")[1], id="BigCodeBench/7"),
        ("asserts",),
        task_id="BigCodeBench/7",
        gold=True,
    ),
    "humaneval-x": Sample("humaneval-x", _X, ("check",), task_id="Python/7", gold=True),
    "kodcode": Sample("kodcode", _kodcode(PYTEST), ("pytest",), task_id="Algorithm_7_I", gold=True),
    "kodcode, pipeline": Sample("kodcode", _kodcode(PYTEST, "test_code"), ("pytest",), gold=True),
    "kodcode, verified": Sample(
        "kodcode", {"instruction": PICK, "response": fenced(FUNCTION), "test_code": PYTEST}, ("pytest",), gold=True
    ),
    "kodcode, no import": Sample("kodcode", _kodcode(PYTEST.partition("\n")[2]), ("pytest",), gold=True),
    "kodcode, import of all": Sample(
        "kodcode", _kodcode(PYTEST.replace("import pick", "import *")), ("pytest",), gold=True
    ),
    "kodcode, fixtures": Sample("kodcode", _kodcode(PARAMETRIZED), ("pytest",), gold=True),
    "kodcode, another function first": Sample(
        "kodcode",
        _kodcode(
            PYTEST, test_info=[{"function_name": "helper"}], solution=f"def helper(x):\n    return x\n\n\n{FUNCTION}"
        ),
        ("pytest",),
        gold=True,
    ),
    "kodcode, a class": Sample(
        "kodcode",
        _kodcode(
            "from solution import Till\n\ndef test_add():\n    till = Till()\n    till.add(1)\n    till.add(2)\n"
            "    assert till.sum == 3\n",
            solution=TILL,
        ),
        ("pytest",),
        TILL,
        WRONG_TILL,
        gold=True,
        entry_point="Till",
    ),
    "kodcode, code to complete": Sample(
        "kodcode", _kodcode(PYTEST, style="complete", question=HEAD), ("pytest",), gold=True
    ),
    "kodcode, programs": Sample(
        "kodcode",
        _kodcode(json.dumps(_STDIO), style="online_judge", solution=PROGRAM),
        ("stdio", "stdio"),
        gold=True,
        **_PROGRAM,
    ),
    "leetcodedataset": Sample("leetcodedataset", _leetcode(), ("asserts",), task_id="pick-words", gold=True, **_METHOD),
    "leetcodedataset, older": Sample(
        "leetcodedataset", _leetcode(query=None, meta={"query": PICK}), ("asserts",), gold=True, **_METHOD
    ),
    "leetcodedataset, lists": Sample(
        "leetcodedataset",
        _leetcode(prompt=LISTS, completion=TURN, entry_point="Solution().turn", test=CHECK_LISTS),
        ("asserts",),
        TURN,
        WRONG_TURN,
        gold=True,
        entry_point="Solution",
    ),
    "opencodeinstruct": Sample(
        "opencodeinstruct", _opencode(json.dumps([f"\n{text}\n" for text in ASSERTS])), _THREE, task_id="a1", gold=True
    ),
    "opencodeinstruct, a list": Sample("opencodeinstruct", _opencode(ASSERTS), _THREE, gold=True),
    "opencodeinstruct, indented": Sample(
        "opencodeinstruct", _opencode(json.dumps([f"    {text}" for text in ASSERTS])), _THREE, gold=True
    ),
    "opencodeinstruct, an answer that fails": Sample(
        "opencodeinstruct",
        _opencode(ASSERTS, output=WRONG_FUNCTION, tests_execution_status='["fail", "pass", "pass"]'),
        _THREE,
    ),
    "own without ids": Sample("codepref", {"prompt": PICK, "tests": ASSERTS, "gold": FUNCTION}, _THREE, gold=True),
    "verl, asserts": Sample("verl", _verl({"assert_case": ASSERTS}), _THREE),
    "verl, asserts beside blank inputs": Sample(
        "verl", _verl({"inputs": ["", "", ""], "outputs": [None] * 3, "assert_case": ASSERTS}), _THREE
    ),
    "verl, check of a method": Sample(
        "verl",
        _verl({"functional": f"{CHECK}\n\ncheck(Solution().pick)\n"}, extra_info={"reference": METHOD, "prefix": ""}),
        ("asserts",),
        gold=True,
        **_METHOD,
    ),
    "verl, check of a function": Sample("verl", _verl({"functional": f"{CHECK}\n\ncheck(pick)\n"}), ("asserts",)),
    "verl, check that is not called": Sample(
        "verl",
        _verl({"functional": CHECK}, prompt=[{"role": "user", "content": f"Complete this:\n{STARTER}"}]),
        ("asserts",),
        **_METHOD,
    ),
    "verl, lists": Sample(
        "verl",
        _verl({"functional": f"{CHECK_LISTS}\n\ncheck(Solution().turn)"}, extra_info=json.dumps({"prefix": LISTS})),
        ("asserts",),
        TURN,
        WRONG_TURN,
        entry_point="Solution",
    ),
    "verl, pytest": Sample("verl", _verl({"pytest": PYTEST.replace("import pick", "import *")}), ("pytest",)),
}
"""Samples by what they show."""

BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no test": ({"id": "x", "question": PICK, "test_cases": []}, "holds no test"),
    "blank tests": ({"id": "x", "question": PICK, "test_cases": [" "]}, "holds no test"),
    "no list": ({"id": "x", "question": PICK, "test_cases": 5}, "test_cases must be a list, not int"),
    "numbers for tests": ({"id": "x", "question": PICK, "test_cases": [5]}, "test_cases must hold texts, not int"),
    "no Python": (
        {"id": "x", "question": PICK, "test_cases": ["assert pick(("]},
        "a test in test_cases cannot be read as Python",
    ),
    "tests of no function": (
        {"id": "x", "question": PICK, "test_cases": ["assert 1 == 1"]},
        "no function of a solution",
    ),
    "deep JSON": ({"id": "x", "question": PICK, "test_cases": "[" * 200_000}, "nested too deeply"),
    "text in text": ({"id": "x", "question": PICK, "test_cases": '"' + '\\"' * 3}, "neither JSON"),
    "a blank statement": ({"id": "x", "question": " ", "test_cases": ASSERTS}, "holds no statement"),
    "a number for the statement": (_opencode(ASSERTS, id="x", input=5), "holds no statement"),
    "mathematics": (
        {"messages": _MESSAGES, "ground_truth": "42", "dataset": "gsm8k"},
        "Only rows of data sets of code",
    ),
    "no message of a user": ({"messages": 5, "ground_truth": ASSERTS, "dataset": "code"}, "must be text or a list"),
    "a wrong class name": (_classeval(task_id="x", class_name="Till; import os"), "must be the name of a class"),
    "imports that are no Python": (_classeval(task_id="x", import_statement=["import ("]), "import_statement is not"),
    "no new function": (_pro(id=8, new_problem="Use nth.", new_solution=""), "defines a function"),
    "another language": (
        {**_X, "task_id": "CPP/8", "prompt": "int pick(", "declaration": "int pick(", "canonical_solution": "){}"},
        "asks for CPP, and codepref runs Python only",
    ),
    "no declaration": ({**_X, "task_id": "Python/8", "declaration": "x", "prompt": "x = 1\n"}, "defines a function"),
    "no pytest": (_kodcode("{}", question_id="x"), "holds no test"),
    "other columns of programs": (_kodcode('{"in": ["1"]}', question_id="x"), "stdin and stdout"),
    "an entry point that does more": (
        _leetcode(task_id="x", entry_point="__import__('os').system('id')"),
        "entry_point must be a function, or a method",
    ),
    "helpers that are no Python": (_leetcode(task_id="x", prompt="import ("), "prompt must be Python"),
    "several kinds": (_verl({"assert_case": ASSERTS, "pytest": PYTEST}), "other tests beside assert_case"),
    "asserts beside inputs": (
        _verl({"assert_case": ASSERTS, "inputs": ["1"], "outputs": ["2"]}),
        "other tests beside assert_case",
    ),
    "a number for a file": (_verl({"pytest": 5}), "pytest must hold texts"),
    "a number for the reward": (_verl(PYTEST, reward_model=5), "reward_model must be a struct"),
}
"""Rows that are left out, with their messages."""
