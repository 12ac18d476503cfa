"""Tests of test texts that only report a failure: they print it, return it, or catch the AssertionError."""

from __future__ import annotations

import ast

import pytest

from codepref.execution.execute import execute
from codepref.execution.limits import Limits
from codepref.execution.sandbox.kinds.main_block import as_program
from codepref.problems.test_text import read_test_text
from codepref.records import Problem, Solution, Test

pytestmark = pytest.mark.xdist_group("execution")

RIGHT = "def f(x):\n    if x is None:\n        raise TypeError('no number')\n    return x + 1\n"
WRONG = {
    "another number": "def f(x):\n    return 0\n",
    "a text": "def f(x):\n    return 'a'\n",
    "raises": "def f(x):\n    raise ValueError('no')\n",
}
MEANT = {
    "PASS or FAIL": "if f(1) == 2:\n    print('PASS')\nelse:\n    print('FAIL')\n",
    "FAIL alone": "if abs(f(1) - 2) > 1e-9:\n    print(f'Test failed: {f(1)}')\n",
    "in a loop": (
        "for x, y in [(1, 2)]:\n    if f(x) == y:\n        print('ok')\n    else:\n        print('wrong', x)\n"
    ),
    "conditional expression": "print('PASS' if round(f(1), 2) == 2 else 'FAIL')\n",
    "match": "match f(1):\n    case 2:\n        print('ok')\n    case _:\n        print('Incorrect')\n",
    "swallowed": "try:\n    assert f(1) == 2\n    print('passed')\nexcept AssertionError:\n    print('failed')\n",
    "any error swallowed": "try:\n    assert f(1) == 2\nexcept Exception as e:\n    print('Error:', e)\n",
    "traceback": "import traceback\ntry:\n    assert f(1) == 2\nexcept Exception:\n    traceback.print_exc()\n",
    "flag": "ok = True\ntry:\n    assert f(1) == 2\nexcept AssertionError:\n    ok = False\nprint(ok)\n",
    "swallowed around a call": (
        "def test_it():\n    assert f(1) == 2\ntry:\n    test_it()\nexcept AssertionError:\n    print('no')\n"
    ),
    "helper that prints": (
        "def compare(a, b):\n    if a == b:\n        print('PASS')\n    else:\n"
        "        print('FAIL')\ncompare(f(1), 2)\n"
    ),
    "answer that nothing uses": "def run():\n    for x in (1, 2):\n"
    "        if f(x) != x + 1:\n            return False\n"
    "    return True\nrun()\n",
    "answer that is printed": "def run():\n    return f(1) == 2\nprint(run())\n",
    "answer of a test": "def test_it():\n    return abs(f(1) - 2) < 1e-9\n",
    "comparison in a test": "def test_it():\n    f(1) == 2\n",
    "printed comparison in a test": "def test_it():\n    print(f(1) == 2)\n",
    "answer of check": "def check(candidate):\n    if candidate(1) == 2:\n        return True\n    return False\n",
    "isclose": "import math\nmath.isclose(f(1), 2)\n",
    "tuple": "assert (f(1) == 2, 'f(1) is 2')\n",
    "generator": "assert (f(x) == x + 1 for x in range(3))\n",
    "list": "assert [f(1) == 2, f(2) == 3]\n",
    "lambda": "assert lambda: f(1) == 2\n",
    "method without a class": "def test_it(self):\n    self.assertEqual(f(1), 2)\n",
    "function as parameter f": "def test_it(f):\n    assert f(1) == 2\n",
    "exit with status 0": "import sys\nif f(1) == 2:\n    sys.exit(0)\nsys.exit(1)\n",
    "exit in the middle": "import sys\ndef main():\n    sys.exit(0 if f(1) == 2 else 'no')\nmain()\nprint('end')\n",
}
HONEST = {
    "expects an error and prints": (
        "try:\n    f(None)\nexcept TypeError as e:\n    print('failed:', e)\nassert f(1) == 2\n"
    ),
    "expects any error": (
        "try:\n    f(None)\n    assert False, 'no error'\nexcept Exception as e:\n"
        "    print('raised', e)\nassert f(1) == 2\n"
    ),
    "expects an error in an assert": (
        "try:\n    assert f(None) == 1\nexcept Exception as e:\n    print('caught', e)\nassert f(1) == 2\n"
    ),
    "prints FAIL if nothing is raised": (
        "try:\n    f(None)\n    print('FAIL')\nexcept TypeError:\n    print('PASS')\nassert f(1) == 2\n"
    ),
    "answers are used": "def same(a, b):\n    return a == b\nassert same(f(1), 2)\nassert not same(f(1), 3)\n",
    "a comparison that raises": (
        "import pytest\ndef test_it():\n    with pytest.raises(TypeError):\n"
        "        f(None) == 3\n    assert f(1) == 2\n"
    ),
    "several attempts": (
        "for x in (1, 2):\n    try:\n        assert f(x) == 3\n        break\n    except AssertionError:\n"
        "        continue\nelse:\n    assert False\n"
    ),
    "summary": (
        "passed = failed = 0\nif f(1) == 2:\n    passed += 1\n"
        "print(f'{passed} passed, {failed} failed')\nassert passed\n"
    ),
}
NOTHING = {
    "number that is only computed": "ok = round(f(1)) == 2\n",
    "failures that are only counted": "failed = 0\nif abs(f(1) - 2) > 1e-9:\n    failed += 1\nprint('n:', failed)\n",
    "exit before the assert": "import sys\nsys.exit(0)\nassert f(1) == 2\n",
    "other function of this name": "def g():\n    global f\n    f = lambda x: 2\ng()\nassert f(1) == 2\n",
    "frame": "import sys\nsys._getframe().f_globals['f'] = lambda x: 2\nassert f(1) == 2\n",
    "another check": "def g():\n    global check\n    check = len\n"
    "def check(candidate):\n    assert candidate(1) == 2\n"
    "g()\ncheck = lambda candidate: None\n",
}


def codes(source: str, *programs: str) -> list[str]:
    kind, text = read_test_text(source)
    problem = Problem("t", "Write f.", "f", tests=(Test("t", "0", text, kind),))
    (matrix,) = execute(
        [problem], [Solution("t", at, text) for at, text in enumerate(programs)], limits=Limits(cpu_seconds=1), jobs=1
    )
    return [verdict.codes for verdict in matrix.verdicts]


@pytest.mark.parametrize("name", MEANT)
def test_a_text_that_only_reports_a_failure_fails_a_wrong_solution(name):
    right, *wrong = codes(MEANT[name], RIGHT, *WRONG.values())
    assert right == "P"
    assert set(wrong) <= {"F", "E"}


@pytest.mark.parametrize("name", HONEST)
def test_a_report_that_is_no_failure_does_not_count(name):
    assert codes(HONEST[name], RIGHT) == ["P"]


@pytest.mark.parametrize("name", NOTHING)
def test_a_text_that_no_number_fails_judges_nothing(name):
    assert codes(NOTHING[name], RIGHT, WRONG["another number"]) == ["S", "S"]


def test_a_loop_that_waits_for_an_answer_is_a_test():
    right, wrong = codes("while abs(f(1)) != 2:\n    pass\n", RIGHT, WRONG["another number"])
    assert (right, wrong in ("T", "S")) == ("P", True)


def test_a_solution_that_ends_the_program_itself_does_not_pass():
    assert codes(
        "import sys\nif f(1) == 2:\n    sys.exit(0)\nsys.exit(1)\n", "def f(x):\n    raise SystemExit(0)\n"
    ) == ["E"]


def test_the_text_of_an_ordinary_test_stays():
    text = "def test_it():\n    print('f failed once')\n    assert f(1) == 2\n"
    assert ast.unparse(as_program(ast.parse(text))) == ast.unparse(ast.parse(text))
