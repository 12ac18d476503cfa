"""Tests of functions that take or return linked lists and trees, as in some of LeetCode's problems."""

from __future__ import annotations

import json
from typing import Any

import pytest

from codepref.execution.execute import execute
from codepref.problems.load import problems_from_rows
from codepref.problems.nodes import NodeForms, node_forms
from codepref.records import Problem, Solution

OWN_NODE = "class ListNode:\n    def __init__(self, x):\n        self.val = x\n        self.next = None\n\n\n"


def leetcode(starter: str, function: str, calls: list[tuple[list[Any], Any]]) -> Problem:
    """Return a problem from a row in the form of LiveCodeBench, whose inputs have one argument on each line."""
    tests = [
        {"input": "\n".join(map(json.dumps, given)), "output": json.dumps(result), "testtype": "functional"}
        for given, result in calls
    ]
    row = {
        "question_content": "Do it.",
        "question_id": "n1",
        "starter_code": starter,
        "public_test_cases": json.dumps(tests),
        "private_test_cases": "",
        "metadata": json.dumps({"func_name": function}),
    }
    (problem,) = problems_from_rows([row])
    return problem


def codes(problem: Problem, *programs: str) -> list[str]:
    solutions = [Solution(problem.task_id, at, program) for at, program in enumerate(programs)]
    (matrix,) = execute([problem], solutions, jobs=1, vacuous_tests="keep")
    assert {verdict.isolation for verdict in matrix.verdicts} == {"separate"}
    return [verdict.codes for verdict in matrix.verdicts]


def test_a_list_of_nodes_is_reversed() -> None:
    starter = "class Solution:\n    def turn(self, head: Optional[ListNode]) -> Optional[ListNode]:\n        "
    problem = leetcode(starter, "turn", [([[1, 2, 3]], [3, 2, 1]), ([[]], []), ([[7]], [7])])
    method = (
        "class Solution:\n    def turn(self, head: Optional[ListNode]) -> Optional[ListNode]:\n        done = None\n"
        "        while head:\n            head.next, done, head = done, head, head.next\n        return done\n"
    )
    function = (
        "def turn(head):\n    made = None\n    while head:\n        node = ListNode(head.val)\n"
        "        node.next = made\n        made, head = node, head.next\n    return made\n"
    )
    same = "class Solution:\n    def turn(self, head):\n        return head\n"
    plain = "class Solution:\n    def turn(self, head):\n        return [3, 2, 1]\n"
    circle = same.replace("return head", "if head:\n            head.next = head\n        return head")
    assert codes(problem, method, OWN_NODE + function, same, plain, circle) == ["PPP", "PPP", "FPP", "EEE", "EPE"]


def test_a_tree_is_written_level_by_level() -> None:
    starter = "class Solution:\n    def flip(self, root: 'TreeNode | None') -> 'TreeNode | None':\n        pass"
    problem = leetcode(
        starter, "flip", [([[4, 2, 7, None, 3]], [4, 7, 2, None, None, 3]), ([[1, None, 2]], [1, 2]), ([[]], [])]
    )
    flip = (
        "class Solution:\n    def flip(self, root):\n        if root:\n"
        "            root.left, root.right = self.flip(root.right), self.flip(root.left)\n        return root\n"
    )
    assert codes(problem, flip, flip.replace("if root:", "if root and root.val < 4:")) == ["PPP", "FPP"]


def test_lists_of_lists_and_plain_arguments_mix() -> None:
    starter = "class Solution:\n    def merge(self, lists: List[Optional[ListNode]], low: int) -> List[int]:\n        "
    problem = leetcode(starter, "merge", [([[[1, 4], [], [2]], 2], [2, 4])])
    right = (
        "class Solution:\n    def merge(self, lists, low):\n        out = []\n        for node in lists:\n"
        "            while node:\n                out.append(node.val)\n                node = node.next\n"
        "        return sorted(value for value in out if value >= low)\n"
    )
    assert codes(problem, right, right.replace(">= low", "> low")) == ["P", "F"]


def test_numbers_may_stand_for_nodes_of_the_first_tree() -> None:
    starter = "class Solution:\n    def up(self, root: TreeNode, p: TreeNode, q: TreeNode) -> TreeNode:\n        "
    problem = leetcode(starter, "up", [([[3, 5, 1, 6, 2], 6, 2], 5), ([[3, 5, 1], 5, 1], 3)])
    assert json.loads(problem.tests[0].source)["arguments_as"] == ["TreeNode", "TreeNode in 0", "TreeNode in 0"]
    right = (
        "class Solution:\n    def up(self, root, p, q):\n        if root in (None, p, q):\n            return root\n"
        "        left, right = self.up(root.left, p, q), self.up(root.right, p, q)\n"
        "        return root if left and right else left or right\n"
    )
    assert codes(problem, right, "class Solution:\n    def up(self, root, p, q):\n        return root\n") == [
        "PP",
        "FP",
    ]


def test_a_method_that_returns_nothing_changes_its_first_argument() -> None:
    starter = "class Solution:\n    def fold(self, head: Optional[ListNode]) -> None:\n        "
    problem = leetcode(starter, "fold", [([[1, 2]], [1, 9])])
    right = "class Solution:\n    def fold(self, head):\n        head.next.val = 9\n"
    assert codes(problem, right, right.replace("9", "8")) == ["P", "F"]


def test_the_annotations_may_stand_in_the_statement_or_the_gold_solution() -> None:
    gold = "def size(head: ListNode) -> int:\n    n = 0\n    while head:\n        n, head = n + 1, head.next\n"
    gold += "    return n\n"
    row = {
        "question": "Count the nodes.",
        "solutions": json.dumps([gold]),
        "input_output": json.dumps({"fn_name": "size", "inputs": [[[5, 6]], [[]]], "outputs": [2, 0]}),
        "starter_code": "",
    }
    (problem,) = problems_from_rows([row])
    assert codes(problem, gold, "def size(head):\n    return 2\n") == ["PP", "PF"]
    stated = {
        **row,
        "solutions": "",
        "question": "Count the nodes.\n```python\ndef size(head: Optional['ListNode']) -> int:\n```",
    }
    (problem,) = problems_from_rows([stated])
    assert codes(problem, gold) == ["PP"]


@pytest.mark.parametrize(
    ("head", "forms"),
    [
        ("def f(self, a: Optional[ListNode], k: int) -> Optional[ListNode]: ...", (("ListNode", ""), "ListNode")),
        ("def f(a: 'Optional[TreeNode]')->List[List[int]]:\n    pass", (("TreeNode",), "")),
        ("def f(a: list[ListNode]) -> ListNode | None:", (("[ListNode]",), "ListNode")),
        ("def f(a: Union[TreeNode, None], b) -> t.List[t.Optional[TreeNode]]:", (("TreeNode", ""), "[TreeNode]")),
        ("def f(a: int) -> int:  # no ListNode", ((), "")),
        ("def g(a: ListNode) -> int:", ((), "")),
    ],
)
def test_annotations_say_what_is_a_node(head: str, forms: tuple[tuple[str, ...], str]) -> None:
    assert node_forms("f", [head], [[[1], [2]]], [[1]]) == NodeForms(*forms)


def test_nodes_have_the_solution_s_class_only_if_it_is_a_class_of_the_solution() -> None:
    """Setting `next` on a module would reach the solutions that later run in the same process."""
    starter = "def first(head: Optional[ListNode]) -> int:\n    "
    problem = leetcode(starter, "first", [([[4, 5]], 4)])
    module = "import math\ndef ListNode(value):\n    return math\ndef first(head):\n    return head.val\n"
    imported = "from collections import deque as ListNode\ndef first(head):\n    return head.val\n"
    clean = "import math\ndef first(head):\n    return head.val - hasattr(math, 'next')\n"
    assert codes(problem, module, imported, clean) == ["P", "P", "P"]


def test_a_class_of_nodes_may_need_the_next_node() -> None:
    starter = "class Solution:\n    def first(self, head: Optional[ListNode]) -> int:\n        "
    problem = leetcode(starter, "first", [([[4, 5]], 9)])
    program = (
        "class ListNode:\n    def __init__(self, val, next):\n        self.val, self.next = val, next\n\n\n"
        "class Solution:\n    def first(self, head):\n        return head.val + head.next.val\n"
    )
    assert codes(problem, program) == ["P"]
