"""Tests of the kind of test "unittest": codes, mocks, and wrong solutions that try to pass.

A suite runs in one process with the solution.
"""

from __future__ import annotations

import pytest

from codepref.execution.limits import Limits
from codepref.records import Test

pytestmark = pytest.mark.xdist_group("execution")

RIGHT = "import random\nBASE = 1\ndef task_func(x):\n    return x + BASE\ndef draw():\n    return random.random()\n"
HEAD = "import unittest\nfrom unittest.mock import patch\nclass TestCases(unittest.TestCase):\n"
ADDS = HEAD + "    def test_one(self):\n        self.assertEqual(task_func(1), 2)\n"


def suite(source: str, name: str = "u") -> Test:
    return Test("t", name, source, "unittest")


@pytest.mark.parametrize(
    "source",
    [
        ADDS,
        "import random\n" + HEAD + "    @patch('random.random', return_value=3)\n"
        "    def test_mock(self, _):\n        self.assertEqual(draw(), 3)\n",
        HEAD + "    @patch('__test__.BASE', 10)\n    def test_it(self):\n        self.assertEqual(task_func(1), 11)\n",
        "from unittest import TestCase\nclass Other(TestCase):\n    def setUp(self):\n        self.x = 1\n"
        "    def test(self):\n        self.assertEqual(task_func(self.x), 2)\n",
        ADDS + "    @unittest.skip('not now')\n    def test_skipped(self):\n        self.fail()\n",
        ADDS + "    @unittest.expectedFailure\n    def test_known(self):\n        self.fail()\n",
        ADDS + "    def test_parts(self):\n        for x in range(3):\n            with self.subTest(x=x):\n"
        "                self.assertEqual(task_func(x), x + 1)\n",
        ADDS + "    def test_raises(self):\n        with self.assertRaises(TypeError):\n            task_func('a')\n",
        ADDS + "if __name__ == '__main__':\n    unittest.main()\n",
    ],
)
def test_a_correct_solution_passes_a_suite_and_is_marked_as_shared(verdict_on, source):
    verdict = verdict_on(RIGHT, suite(source))
    assert verdict.codes == "P", verdict.detail
    assert verdict.isolation == "shared"


def method(body: str) -> str:
    return HEAD + f"    def test_it(self):\n        {body}\n"


@pytest.mark.parametrize(
    ("source", "code"),
    [
        (method("self.assertEqual(task_func(1), 3)"), "F"),
        (method("assert task_func(1) == 3"), "F"),
        (method("task_func()"), "E"),
        (method("raise SystemExit(0)"), "E"),
        (method("unknown()"), "E"),
        (method("open('/tmp/codepref-no-such-file', 'w')"), "X"),
        (method("import tempfile; tempfile.mkdtemp()"), "P"),
        (method("open('x', 'w').write('y'); self.assertEqual(open('x').read(), 'y')"), "P"),
        (method("bytearray(10**10)"), "M"),
        (method("while True: pass"), "T"),
        (method("import os; os._exit(0)"), "E"),
        (method("self.skipTest('never')"), "E"),
        (HEAD + "    pass\n", "E"),
        ("x = 1\n", "E"),
        ("from unittest import TestCase\n", "E"),
        ("raise ValueError\n", "E"),
        ("import unittest:\n", "E"),
        (ADDS + "    @unittest.expectedFailure\n    def test_known(self):\n        pass\n", "F"),
        (ADDS + "    @classmethod\n    def setUpClass(cls):\n        raise ValueError\n", "E"),
        (ADDS + "    @classmethod\n    def setUpClass(cls):\n        assert False\n", "E"),
        (ADDS + "    def tearDown(self):\n        self.fail('late')\n", "F"),
        (ADDS + "    def test_two(self):\n        self.fail()\n    def test_three(self):\n        1 / 0\n", "E"),
        (ADDS + "    def test_two(self):\n        with self.subTest():\n            self.fail()\n", "F"),
        (ADDS + "    def test_two(self):\n        with self.subTest():\n            1 / 0\n", "E"),
    ],
)
def test_codes(verdict_on, source, code):
    verdict = verdict_on(RIGHT, suite(source))
    assert verdict.codes == code, verdict.detail
    assert verdict.isolation == "shared"


@pytest.mark.parametrize(
    ("solution", "code"),
    [
        ("import sys\nsys.exit(0)\n", "E"),
        ("import os\nos._exit(0)\n", "E"),
        ("import sys\ndef task_func(x):\n    sys.exit(0)\n", "E"),
        ("import os\ndef task_func(x):\n    os._exit(0)\n", "E"),
        ("def task_func(x):\n    raise KeyboardInterrupt\n", "E"),
        ("def task_func(x):\n    import unittest\n    raise unittest.SkipTest\n", "E"),
        ("import os, signal\ndef task_func(x):\n    os.kill(os.getpid(), signal.SIGKILL)\n", "E"),
        ("import os, atexit\natexit.register(os._exit, 0)\ndef task_func(x):\n    raise SystemExit\n", "E"),
        ("import threading, os\ndef task_func(x):\n    threading.Thread(target=os._exit, args=(0,)).start()\n"
         "    while True: pass\n", "E"),
        ("import unittest\nclass TestCases(unittest.TestCase):\n    def test(self): pass\n", "E"),
        ("def task_func(x):\n    return 7\n", "F"),
        ("x = 1\n", "E"),
    ],
)  # fmt: skip
def test_ending_the_process_or_skipping_tests_does_not_pass(verdict_on, solution, code):
    assert verdict_on(solution, suite(ADDS)).codes == code


def test_a_suite_can_stand_beside_tests_of_other_kinds(verdict_on):
    verdict = verdict_on(
        RIGHT, "assert f(1) == 2", suite(ADDS), suite(method("self.fail()"), "v"), entry_point="task_func"
    )
    assert verdict.codes == "EPF"
    assert verdict.isolation == "shared"
    assert verdict_on(RIGHT, "assert task_func(1) == 2", suite(ADDS)).codes == "PP"


def test_each_suite_counts_only_its_own_tests(verdict_on):
    other = "import unittest\nclass TestCases(unittest.TestCase):\n    pass\n"
    assert verdict_on(RIGHT, suite(ADDS), suite(other, "v"), suite(ADDS, "w")).codes == "PEP"


def test_after_the_allowed_timeouts_the_rest_is_skipped(verdict_on):
    slow = [suite(method("while True: pass"), str(at)) for at in range(3)]
    assert verdict_on(RIGHT, *slow, limits=Limits(cpu_seconds=0.3, max_timeouts=2)).codes == "TTS"
