"""Tests of helpers that need the solution, of names of libraries, and of arguments that cannot cross."""

from __future__ import annotations

import pytest

from codepref.execution.engine import Engine
from codepref.execution.tasks import Task
from codepref.records import Problem, Solution, Test

pytestmark = pytest.mark.xdist_group("execution")

NODE = "class Node:\n    def __init__(self, item, left=None):\n        self.item, self.left = item, left\n"
DEPTH = "def f(node):\n    return 0 if node is None else 1 + f(node.left)\n"


def test_helpers_that_build_objects_of_the_solution_run_after_it(verdict_on):
    helpers = "first = Node('a', Node('b'))\nlonely = Node('z')\nlonely.left = first\n"
    tests = ("assert f(first) == 2", "assert f(lonely) == 3", "assert f(lonely.left.left) == 1")
    verdict = verdict_on(NODE + DEPTH, *tests, helpers=helpers)
    assert (verdict.codes, verdict.isolation) == ("PPP", "separate")
    assert verdict_on(NODE + "def f(node):\n    return 1\n", *tests, helpers=helpers).codes == "FFP"


def test_helpers_that_fail_are_the_solutions_fault_only_if_they_need_it(verdict_on):
    verdict = verdict_on(DEPTH, "assert f(first) == 1", helpers="first = Node('a')\n")
    assert verdict.codes == "E"
    assert "Node" in verdict.detail
    assert verdict_on(DEPTH, "assert f(None) == 0", helpers="1 / 0\n").codes == "I"


def test_functions_of_helpers_may_use_the_solution(verdict_on):
    helpers = "def build(items):\n    return Node(items[0], build(items[1:])) if items else None\n"
    verdict = verdict_on(NODE + DEPTH, "assert f(build([1, 2, 3])) == 3", helpers=helpers)
    assert (verdict.codes, verdict.isolation) == ("P", "separate")


def test_helpers_decide_too_that_a_test_is_shared(verdict_on):
    helpers = (
        "import contextlib, io\ndef printed(function):\n    stream = io.StringIO()\n"
        "    with contextlib.redirect_stdout(stream):\n        function()\n    return stream.getvalue()\n"
    )
    verdict = verdict_on("def f():\n    print(3)\n", "assert printed(f) == '3\\n'", helpers=helpers)
    assert (verdict.codes, verdict.isolation) == ("P", "shared")


@pytest.mark.parametrize("body", ["return lambda *_: 0", "return {}.get", "return type", "return iter([])"])
def test_an_argument_that_an_answer_made_never_makes_a_test_shared(verdict_on, body):
    solution = f"class Equal:\n    def __eq__(self, other):\n        return True\ndef f():\n    {body}\ndef g(x):\n"
    solution += "    return Equal()\n"
    for test in ("assert g(getattr(f(), '__call__')) == 1", "x = f()\nassert g(x) == 1", "assert g([type(f())]) == 1"):
        verdict = verdict_on(solution, test)
        assert verdict.codes in ("E", "F")
        if "__call__" not in test:
            assert verdict.isolation == "separate"


def test_one_solution_never_makes_a_test_shared_for_the_next(engine: Engine):
    test = Test("t", "0", "import random\nrng = random.Random(3)\nassert f(rng) == 1")
    shares, plain = "def f(x):\n    return 1\n", "def g():\n    pass\n"
    for order in ([shares, plain, shares], [plain, shares, plain]):
        solutions = [Solution("t", at, text) for at, text in enumerate(order)]
        (matrix,) = engine.run([Task(Problem("t", "", "f"), solutions, [test])])
        wanted = ["shared" if text == shares else "separate" for text in order]
        assert [verdict.isolation for verdict in matrix.verdicts] == wanted


def test_the_expected_value_is_not_sent_to_a_name_of_the_solution(verdict_on):
    solution = "class math:\n    isclose = staticmethod(lambda *_: True)\n"
    solution += "def Counter(x):\n    return 0\ndef f(x):\n    return 0\n"
    assert (
        verdict_on(solution, "assert math.isclose(f(2), 4.5)", "assert Counter(f('a')) == Counter('b')").codes == "FE"
    )


def test_a_name_that_the_test_binds_is_not_the_solutions(verdict_on):
    test = "try:\n    tolerance\nexcept NameError:\n    tolerance = 1e-9\nassert abs(f(5) - 2.5) < tolerance"
    assert verdict_on("tolerance = 9\ndef f(x):\n    return 0\n", test).codes == "F"


def test_names_and_streams_that_a_shared_test_replaces_are_put_back(verdict_on):
    solution = "def f():\n    return input() + helper()\ndef helper():\n    return 'b'\n"
    replaces = "import sys, io\nsys.stdin = io.StringIO('a')\ndef helper():\n    return 'c'\nassert f() == 'ac'"
    assert verdict_on(solution, replaces, replaces.replace("helper", "other").replace("'ac'", "'ab'")).codes == "PP"
