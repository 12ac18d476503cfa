"""Tests of the kind of test "pytest": features of pytest that work, codes, and wrong solutions that try to pass."""

from __future__ import annotations

import pytest

from codepref.records import Test

pytestmark = pytest.mark.xdist_group("execution")

RIGHT = """
def f(x):
    if x is None:
        raise ValueError("no number")
    return x + 1
"""
WRONG = "def f(x):\n    return x\n"
PRINTS = "def f(x):\n    print(x + 1)\n    return x + 1\n"
ASYNC = "async def f(x):\n    return x + 1\n"


def suite(source: str, name: str = "p") -> Test:
    return Test("t", name, source, "pytest")


FEATURES = {
    "function": "def test_one():\n    assert f(1) == 2\n",
    "parametrize": (
        "import pytest\n@pytest.mark.parametrize('x, y', [(1, 2), (5, 6)])\n"
        "def test_it(x, y):\n    assert f(x) == y\n"
    ),
    "parametrize twice": (
        "import pytest\n@pytest.mark.parametrize('x', [1, 2], ids=['a', 'b'])\n"
        "@pytest.mark.parametrize('y', [0, pytest.param(3, id='c')])\n"
        "def test_it(x, y):\n    assert f(x + y) == x + y + 1\n"
    ),
    "class": "class TestF:\n    start = 3\n    def test_it(self):\n        assert f(self.start) == 4\n",
    "set-up of a class": (
        "class TestF:\n    @classmethod\n    def setup_class(cls):\n        cls.x = 1\n"
        "    def setup_method(self, method):\n        self.y = 2\n    def teardown_method(self):\n        self.y = 0\n"
        "    def test_it(self):\n        assert f(self.x) == self.y\n"
    ),
    "set-up of a module": (
        "def setup_module(module):\n    module.x = 1\ndef setup_function(function):\n    global y\n    y = 2\n"
        "def test_it():\n    assert f(x) == y\n"
    ),
    "fixture": "import pytest\n@pytest.fixture\ndef x():\n    return 1\ndef test_it(x):\n    assert f(x) == 2\n",
    "fixture that yields": (
        "import pytest\nended = []\n@pytest.fixture(scope='module')\ndef x():\n    yield 1\n    ended.append(1)\n"
        "@pytest.fixture(autouse=True)\ndef before(x):\n    assert not ended\ndef test_it(x):\n    assert f(x) == 2\n"
    ),
    "fixture with parameters": (
        "import pytest\n@pytest.fixture(params=[1, 2, 3])\ndef x(request):\n    return request.param\n"
        "def test_it(x):\n    assert f(x) == x + 1\n"
    ),
    "fixture of a fixture": (
        "import pytest\n@pytest.fixture\ndef one():\n    return 1\n@pytest.fixture\ndef two(one):\n    return f(one)\n"
        "@pytest.mark.usefixtures('one')\ndef test_it(two):\n    assert two == 2\n"
    ),
    "raises": (
        "import pytest\ndef test_it():\n"
        "    with pytest.raises(ValueError, match='no number') as info:\n        f(None)\n"
        "    assert 'number' in str(info.value)\n    assert f(1) == 2\n"
    ),
    "approx": "from pytest import approx\ndef test_it():\n    assert f(0.1 + 0.2) == approx(1.3)\n",
    "marks": (
        "import pytest, sys\n@pytest.mark.slow\ndef test_it():\n    assert f(1) == 2\n"
        "@pytest.mark.skipif(sys.version_info > (3,), reason='old')\ndef test_old():\n    assert False\n"
        "@pytest.mark.xfail(reason='known')\ndef test_known():\n    assert f(1) == 3\n"
    ),
    "from solution import a name": "from solution import f\ndef test_it():\n    assert f(1) == 2\n",
    "from solution import everything": "from solution import *\ndef test_it():\n    assert f(1) == 2\n",
    "import solution": "import solution\ndef test_it():\n    assert solution.f(1) == 2\n",
    "import solution under another name": "import solution as s\ndef test_it():\n    assert s.f(1) == 2\n",
    "a module that does not exist": "from your_module import f\ndef test_it():\n    assert f(1) == 2\n",
    "parameter for the candidate": "def test_it(candidate):\n    assert candidate(1) == 2\n",
    "a suite beside functions": (
        "import unittest\nclass Suite(unittest.TestCase):\n    def test_a(self):\n        self.assertEqual(f(1), 2)\n"
        "def test_b():\n    assert f(2) == 3\n"
    ),
    "main block": (
        "import pytest, sys\ndef test_it():\n    assert f(1) == 2\n"
        "if __name__ == '__main__':\n    sys.exit(pytest.main([__file__, '-v']))\n"
    ),
    "answer of a test": "def test_it():\n    return f(1) == 2\n",
    "class in a class": "class TestF:\n    class TestG:\n        def test_it(self):\n            assert f(1) == 2\n",
    "base class": (
        "class Base:\n    def test_it(self):\n        assert f(self.x) == 2\n"
        "class TestOne(Base):\n    x = 1\n"
    ),
    "marks and subtests": (
        "import pytest\n@pytest.mark.filterwarnings('ignore')\ndef test_it(subtests):\n"
        "    for x in range(3):\n        with subtests.test(x=x):\n            assert f(x) == x + 1\n"
    ),
    "dataclass with postponed annotations": (
        "from __future__ import annotations\nfrom dataclasses import dataclass\n"
        "@dataclass\nclass Case:\n    x: int\n    y: int\n"
        "def test_it():\n    case = Case(1, 2)\n    assert f(case.x) == case.y\n"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FEATURES)
def test_a_feature_of_pytest_works_apart_from_the_solution(verdict_on, name):
    right, wrong = (verdict_on(solution, suite(FEATURES[name])) for solution in (RIGHT, WRONG))
    assert (right.codes, right.isolation) == ("P", "separate"), right.detail
    assert wrong.codes in ("F", "E")
    assert wrong.isolation == "separate"


SHARED = {
    "capsys": (PRINTS, "def test_it(capsys):\n    f(1)\n    assert capsys.readouterr().out == '2\\n'\n"),
    "monkeypatch": (
        "def f(x):\n    return int(input()) + x\n",
        "def test_it(monkeypatch):\n    monkeypatch.setattr('builtins.input', lambda *_: '1')\n    assert f(1) == 2\n",
    ),
    "a patched name of the solution": (
        "BASE = 5\ndef f(x):\n    return x + BASE\n",
        "import solution\ndef test_it(monkeypatch):\n    monkeypatch.setattr(solution, 'BASE', 1)\n"
        "    assert f(1) == 2\n",
    ),
}


@pytest.mark.parametrize("name", SHARED)
def test_a_fixture_that_reaches_into_the_solution_shares_its_process(verdict_on, name):
    solution, source = SHARED[name]
    verdict = verdict_on(solution, suite(source))
    assert (verdict.codes, verdict.isolation) == ("P", "shared"), verdict.detail
    assert verdict_on(WRONG, suite(source)).codes in ("F", "E")


def test_only_the_text_decides_that_a_process_is_shared(verdict_on):
    tests = [suite(FEATURES["function"], "a"), suite(SHARED["capsys"][1], "b")]
    assert verdict_on(PRINTS, *tests).codes == "PP"


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("def test_it():\n    assert f(1) == 3\n", "F"),
        ("import pytest\ndef test_it():\n    pytest.fail('no')\n", "F"),
        ("import pytest\ndef test_it():\n    with pytest.raises(KeyError):\n        f(1)\n", "F"),
        ("import pytest\n@pytest.mark.xfail(strict=True)\ndef test_it():\n    assert f(1) == 2\n", "F"),
        ("def test_a():\n    assert f(1) == 3\ndef test_b():\n    f()\n", "E"),
        ("def test_it(unknown_fixture):\n    assert f(1) == 2\n", "E"),
        ("def test_it():\n    unknown()\n", "E"),
        ("x = 1\n", "E"),
        ("import pytest\n@pytest.mark.skip\ndef test_it():\n    assert f(1) == 2\n", "E"),
        ("import pytest\n@pytest.mark.xfail\ndef test_it():\n    assert f(1) == 3\n", "E"),
        ("import pytest\ndef test_it():\n    f(1)\n    pytest.skip('not now')\n", "E"),
        ("import pytest\ndef test_it():\n    f(1)\n    pytest.exit('stop')\n", "E"),
        ("import pytest\n@pytest.mark.parametrize('y', [1])\ndef test_it(x):\n    assert f(1) == 2\n", "E"),
        ("import pytest\npytest.skip('all', allow_module_level=True)\ndef test_it():\n    assert f(1) == 2\n", "E"),
        ("def test_it():\n    while True:\n        pass\n", "T"),
        ("def test_a():\n    assert f(1) == 2\nclass TestB:\n    def test_b(self):\n        assert f(1) == 3\n", "F"),
    ],
)
def test_a_suite_has_the_worst_code_of_its_tests(verdict_on, source, code):
    assert verdict_on(RIGHT, suite(source)).codes == code


EQUAL = "class Any(int):\n    def __eq__(self, other):\n        return True\n    __hash__ = int.__hash__\n"
CHEATS = {
    "equals everything": EQUAL + "def f(x):\n    return Any()\n",
    "ends the process": "import os\ndef f(x):\n    os._exit(0)\n",
    "raises SystemExit": "def f(x):\n    raise SystemExit(0)\n",
    "raises KeyboardInterrupt": "def f(x):\n    raise KeyboardInterrupt\n",
    "skips": "import pytest\ndef f(x):\n    pytest.skip('not now')\n",
    "expects to fail": "import pytest\ndef f(x):\n    pytest.xfail('known')\n",
    "leaves pytest": "import pytest\ndef f(x):\n    pytest.exit('done', 0)\n",
    "raises SkipTest": "import unittest\ndef f(x):\n    raise unittest.SkipTest('no')\n",
    "brings its own tests": "def f(x):\n    return x\ndef test_mine():\n    pass\n",
    "patches pytest": "import pytest\npytest.main = lambda *a, **k: 0\ndef f(x):\n    return x\n",
    "stops an iteration": "def f(x):\n    raise StopIteration\n",
}


@pytest.mark.parametrize("name", CHEATS)
def test_a_wrong_solution_does_not_pass(verdict_on, name):
    for source in (FEATURES["function"], FEATURES["from solution import everything"], FEATURES["parametrize"]):
        assert verdict_on(CHEATS[name], suite(source)).codes in ("F", "E"), source


@pytest.mark.parametrize("name", [name for name in CHEATS if name not in ("equals everything", "patches pytest")])
def test_a_wrong_solution_does_not_pass_a_shared_suite(verdict_on, name):
    source = "from solution import *\ndef test_it(capsys):\n    assert f(1) == 2\n"
    assert verdict_on(CHEATS[name], suite(source)).codes in ("F", "E")


def test_a_coroutine_is_run(verdict_on):
    source = "import pytest\n@pytest.mark.asyncio\nasync def test_it():\n    assert f(1) == 2\n"
    assert verdict_on(RIGHT, suite(source)).codes == "P"
    assert verdict_on(WRONG, suite(source)).codes == "F"


def test_the_detail_names_the_test_that_failed(verdict_on):
    verdict = verdict_on(WRONG, suite("def test_first():\n    assert f(1) == 2, 'one too low'\n"))
    assert "test_first" in verdict.detail
    assert "one too low" in verdict.detail


def test_a_file_of_the_machine_changes_nothing(verdict_on, tmp_path, monkeypatch):
    """An environment variable with options of pytest must not affect a verdict."""
    monkeypatch.setenv("PYTEST_ADDOPTS", "--collect-only")
    assert verdict_on(WRONG, suite(FEATURES["function"])).codes == "F"
