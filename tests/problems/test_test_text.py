"""Tests of the kind that codepref gives to a test that is a text."""

from __future__ import annotations

import pytest

from codepref.errors import UserError
from codepref.execution.sandbox.kinds.pytest_plugin import CANDIDATES as FIXTURES
from codepref.problems.load import problems_from_rows
from codepref.problems.source import parse
from codepref.problems.test_names import CANDIDATES, names_of_solution
from codepref.problems.test_text import read_test_text

SUITE = "import unittest\nclass Adds(unittest.TestCase):\n    def test_one(self):\n        self.assertEqual(f(1), 2)\n"
FUNCTION = "def test_one():\n    assert f(1) == 2\n"

KINDS = [
    ("assert f(1) == 2", "asserts"),
    ("f(1) == 2", "asserts"),
    ("print(f(1) == 2)", "asserts"),
    ("def check(candidate):\n    assert candidate(1) == 2\n", "check"),
    ("def check(candidate, limit=3):\n    assert candidate(1) == 2\n", "check"),
    ("def check(f=None, *, g):\n    assert f(1) == g\n", "asserts"),
    ("def check(f):\n    assert f(1) == 2\ncheck(f)\n", "asserts"),
    ("def check():\n    assert f(1) == 2\ncheck()\n", "asserts"),
    (FUNCTION, "pytest"),
    (FUNCTION + "test_one()\n", "asserts"),
    (FUNCTION + "if __name__ == '__main__':\n    test_one()\n", "asserts"),
    (FUNCTION + "def main():\n    test_one()\nmain()\n", "asserts"),
    (FUNCTION + "def main():\n    test_one()\n", "pytest"),
    (FUNCTION + "for one in [test_one]:\n    one()\n", "asserts"),
    (FUNCTION + "def test_two():\n    assert f(2) == 3\ntest_one()\n", "pytest"),
    ("async def test_one():\n    assert f(1) == 2\n", "pytest"),
    ("def test_one(candidate):\n    assert candidate(1) == 2\n", "pytest"),
    ("import pytest\n@pytest.fixture\ndef test_data():\n    return 1\nassert f(1) == 2\n", "asserts"),
    ("try:\n    import pytest\nexcept ImportError:\n    pass\n" + FUNCTION, "pytest"),
    ("class TestF:\n    def test_one(self):\n        assert f(1) == 2\n", "pytest"),
    ("class TestF:\n    def test_one(self):\n        assert f(1) == 2\nTestF().test_one()\n", "asserts"),
    ("class TestF:\n    class TestG:\n        def test_one(self):\n            assert f(1) == 2\n", "pytest"),
    ("class TestData:\n    def __init__(self):\n        self.x = 1\nassert f(TestData().x) == 2\n", "asserts"),
    (SUITE, "unittest"),
    (SUITE + "if __name__ == '__main__':\n    unittest.main()\n", "unittest"),
    (SUITE + "unittest.main(argv=['x'], exit=False)\n", "unittest"),
    (SUITE + FUNCTION, "pytest"),
    (
        "from unittest import TestCase as Case\nfrom unittest import TestCase\nclass Base(TestCase):\n    pass\n"
        "class Adds(Base):\n    def test_one(self):\n        assert f(1) == 2\n",
        "unittest",
    ),
    (
        "import unittest\nclass Adds(unittest.IsolatedAsyncioTestCase):\n    def test_one(self):\n        pass\n",
        "unittest",
    ),
    (">>> f(1)\n2\n", "doctest"),
    ("'''\n>>> f(1)\n2\n'''\n", "doctest"),
    ("'''\n>>> f(1)\n2\n'''\nassert f(1) == 2\n", "asserts"),
    ("if __name__ == '__main__':\n    assert f(1) == 2\n", "asserts"),
    ("x = f(1)\n", "asserts"),
    ("", "asserts"),
]


@pytest.mark.parametrize(("source", "kind"), KINDS)
def test_a_text_has_the_kind_that_it_shows(source, kind):
    assert read_test_text(source) == (kind, source)


@pytest.mark.parametrize(
    ("source", "kind", "added"),
    [
        ("def check():\n    assert f(1) == 2\n", "asserts", "check()"),
        ("def evaluate():\n    return f(1) == 2 and f(2) == 3\n", "asserts", "assert evaluate()"),
        ("def right():\n    return all(f(x) == x + 1 for x in (1, 2))\n", "asserts", "assert right()"),
        ("def run():\n    assert f(1) == 2\n", "asserts", "run()"),
        ("def one():\n    assert f(1) == 2\ndef two():\n    assert f(2) == 3\n", "asserts", "one()\ntwo()"),
        ("def one():\n    assert f(1) == 2\ndef main():\n    one()\n    return True\n", "asserts", "assert main()"),
        ("def run_tests(candidate):\n    assert candidate(1) == 2\n", "check", "check = run_tests"),
        ("def verify(g):\n    return g(1) == 2\n", "check", "def check(candidate):\n    assert verify(candidate)"),
    ],
)
def test_the_call_that_a_text_lacks_is_added(source, kind, added):
    assert read_test_text(source) == (kind, f"{source.rstrip()}\n\n\n{added}\n")


@pytest.mark.parametrize("source", ["def helper(a, b):\n    return a + b\n", "def data():\n    return [1, 2]\n"])
def test_nothing_is_added_where_a_call_would_say_nothing(source):
    assert read_test_text(source) == ("asserts", source)


def test_a_function_with_the_name_of_the_entry_point_is_no_check():
    source = "def check(x):\n    return x\nassert check(1) == 1\n"
    assert read_test_text(source, "check")[0] == "asserts"


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("from solution import f, g as h\n", {"f", "g"}),
        ("import solution\nassert solution.f(1) == solution.g(2)\n", {"f", "g"}),
        ("import solution as s\nassert s.f(1) == 2\n", {"f"}),
        ("from solution import *\n", set()),
        ("from math import sqrt\nimport os\nos.getcwd()\n", set()),
    ],
)
def test_names_that_a_text_imports_from_the_solution(source, names):
    tree = parse(source)
    assert tree is not None
    assert names_of_solution(tree) == names


def test_the_entry_point_follows_from_what_a_test_imports_from_the_solution():
    source = (
        "from solution import add\ndef test_one():\n    assert add(1, 2) == 3\n    assert len(str(add(1, 1))) == 1\n"
    )
    (problem,) = problems_from_rows([{"task_id": "a", "prompt": "Add.", "tests": [source]}])
    assert (problem.entry_point, problem.tests[0].kind) == ("add", "pytest")


def test_an_entry_of_kind_asserts_is_what_its_text_shows():
    row = {"task_id": "a", "prompt": "p", "entry_point": "f", "tests": [{"kind": "asserts", "source": FUNCTION}]}
    (problem,) = problems_from_rows([row])
    assert problem.tests[0].kind == "pytest"


def test_an_entry_of_kind_doctest_needs_an_example():
    row = {"task_id": "a", "prompt": "p", "entry_point": "f", "tests": [{"kind": "doctest", "source": "f(1) is 2"}]}
    with pytest.raises(UserError, match="needs a text with examples"):
        problems_from_rows([row])


def test_the_sandbox_gives_the_parameters_that_the_reader_knows():
    assert CANDIDATES == FIXTURES
