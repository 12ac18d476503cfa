"""Tests that only the text of a test and of its problem decides whether the test shares a process with the solution."""

from __future__ import annotations

import pytest

from codepref.execution.sandbox.kinds import KINDS
from codepref.execution.sandbox.kinds.base import PreparedTest
from codepref.execution.sandbox.kinds.sharing import Analysis
from codepref.execution.sandbox.kinds.static_analysis import parsed
from codepref.execution.sandbox.kinds.test_text import Surroundings
from codepref.execution.tasks import definitions
from codepref.records import Problem

SEPARATE = {
    "plain comparison": "assert f(1) == 2",
    "loop": "for x in range(3):\n    assert f(x) == x",
    "own generator of numbers": "import random\nrng = random.Random(1)\nassert f([rng.random()])",
    "attributes and methods": "a = Account(3)\na.pay(1)\nassert a.balance == 2 and len(a) == 1 and str(a) == 'x'",
    "truth and identity": "a = Account(3)\nassert a and a is not None and Account.shared() is a",
    "printing": "import sys\nprint(f(1), file=sys.stderr)\nsys.stdout.flush()",
    "unused import": "import asyncio, threading, os\nassert f(1) == 2",
    "paths without files": "import os.path\nassert f(os.path.join('a', 'b'))",
    "builtin exceptions": "try:\n    f(1)\nexcept (ValueError, KeyError) as error:\n    assert str(error)",
    "name of a type": "assert type(f(1)).__name__ == 'Box' and f(1).__class__.__name__ == 'Box'",
    "literals evaluated": "import ast, json\nassert ast.literal_eval(f(1)) == json.loads(f(2))",
    "timing": "import time, timeit\nassert timeit.timeit(lambda: f(1), number=2) < 9 and time.time() > 0",
    "class written like a function": "assert Split_words('a b') == ['a', 'b']",
    "function written like a class": "assert Split('a b') == ['a', 'b']",
    "names of the test's own dict": "d = {'x': 0}\nd['x'] += f(1)\nassert d == {'x': 1}",
    "members of an enumeration": "assert f('r') is Color.RED and Color.RED.value == 'r' and f('r') == Color.RED",
    "answers that the test keeps": "d = {}\nfor x in range(3):\n    d.setdefault(f(x), []).append(x)\nassert d",
    "sorted answers": "a = f(1)\na.sort()\nassert a == [1]\nb = f(2)\nb.sort()\nassert b == [2]",
    "matrix that the test fills": "a = f(2)\na[0][0] = 1\nassert a[1][0] == 0\nassert f(1) == [[0]]",
    "changed answer handed on": "a = f(2)\na[0] = 1\nassert f(a) == 2",
    "methods like those of a list": "a = Chain()\na.append(1)\nassert a.size() == 1 and Chain().size() == 0",
    "same list": "a = [2, 1]\nassert f(a) is a",
    "names bound in a condition": "if (m := f(1)) is not None:\n    assert m == 2\nassert m",
    "fixture with data": "import pytest\n@pytest.fixture\ndef a():\n    return 1\ndef test_f(a):\n    assert f(a) == 2",
    "numbers of sympy": "import sympy\nassert f(10) == sympy.prime(10)",
    "sorted by a function": "a = f(1)\na.sort(key=lambda x: -x)\nassert a == [2, 1]",
    "methods of a table": "import pandas as pd\nassert f(1).apply(lambda x: x + 1).tolist() == [2]",
    "library's exception": "import json\ntry:\n    f('[')\nexcept json.JSONDecodeError:\n    pass",
    "formatted objects": "assert f'{Money(3)!r}' == 'x' and '%s' % Money(4) == 'y'",
}
SHARED = {
    "event loop": "import asyncio\nassert asyncio.run(f(1)) == 2",
    "async function": "async def main():\n    assert await f(1) == 2",
    "thread": "from threading import Thread\nThread(target=f).start()",
    "executor": "import concurrent.futures as c\nwith c.ThreadPoolExecutor() as pool:\n    pool.map(f, [1])",
    "own exception": "try:\n    f(1)\nexcept Empty:\n    pass",
    "own exception of a module": "import solution\ntry:\n    solution.f(1)\nexcept solution.Empty:\n    pass",
    "raises": "import pytest\nwith pytest.raises((Empty, KeyError)):\n    f(1)",
    "isinstance": "assert isinstance(f(1), Box)",
    "subclass": "class Mine(Base):\n    pass\nassert Mine().go()",
    "pattern": "match f(1):\n    case Box(size=3):\n        pass",
    "captured output": "import io, contextlib\nwith contextlib.redirect_stdout(io.StringIO()):\n    f(1)",
    "replaced stream": "import io, sys\nsys.stdout = io.StringIO()\nf(1)",
    "mock": "from unittest import mock\nwith mock.patch('builtins.input'):\n    f()",
    "replaced function": "import time\ntime.sleep = lambda seconds: None\nf()",
    "replaced builtin": "def input(prompt=''):\n    return '3'\nassert f() == 3",
    "fixture": "def test_f(capsys):\n    f()\n    assert capsys.readouterr().out == 'x'",
    "seed": "import numpy as np\nnp.random.seed(1)\nassert f(1) == 2",
    "environment": "import os\nos.environ['A'] = 'b'\nf()",
    "file": "with open('x.txt', 'w') as out:\n    out.write('a')\nassert f('x.txt') == 'a'",
    "path of a file": "from pathlib import Path\nassert f() and Path('x').exists()",
    "docstring": "assert 'width' in f.__doc__",
    "signature": "import inspect\nassert inspect.signature(f)",
    "globals": "assert globals()['f'](1) == 2",
    "eval": "assert eval(f(1)) == 2",
    "eval as a text": "import builtins\nassert getattr(builtins, 'eval')(f(1)) == 2",
    "eval of the builtins": "assert __builtins__['eval'](f(1)) == 2",
    "star import": "from pickle import *\nassert loads(f(1)) == 2",
    "resolved name": "import pkgutil\nassert pkgutil.resolve_name(f(1))",
    "algebra": "import sympy\nassert sympy.simplify(f('x')) == 2",
    "number of sympy from an answer": "import sympy\nassert sympy.isprime(f(1))",
    "query": "import pandas as pd\nd = pd.DataFrame({'a': [1]})\nassert len(d.query(f(1))) == 1",
    "attribute named by an answer": "import math\nassert getattr(math, f('root'))(4) == 2",
    "partial": "from functools import partial\nassert f(partial(g, 1)) == 2",
    "changed attribute": "a = Node(1)\na.children.append(Node(2))\nassert f(a) == 2",
    "item of an attribute": "a = Node(1)\na.data['k'] = 2\nassert f(a) == 2",
    "changed answer": "a = f(1)\na.append(9)\nassert f(2) == [2]",
    "set item of the same answer": "a = f(1)\na[0] = 9\nassert f(1) == [1]",
    "one object": "assert f() is f()",
    "table handed over and compared": "import pandas as pd\nd = pd.DataFrame({'a': [1]})\nassert f(d).equals(d)",
    "eval without a call": "assert list(map(eval, f(1))) == [2]",
    "pickle": "from pickle import loads\nassert loads(f(1)) == 2",
    "subprocess": "import subprocess\nsubprocess.run(['x', f(1)])",
    "equal objects": "assert Point(1, 2) == Point(1, 2)",
    "objects in a list": "points = [Point(1, 2)]\nassert f() == points",
    "membership in an object": "bag = Bag()\nassert 'x' in bag",
    "sum of objects": "total = Money(1) + Money(2)\nassert total.cents == 3",
    "sorted objects": "assert [m.cents for m in sorted([Money(2), Money(1)])] == [1, 2]",
    "object as a key": "seen = {Point(1, 2): 'a'}",
    "object as a context": "with Door() as door:\n    assert door.open",
    "function as a context": "with opened('x') as door:\n    assert door.open",
    "object of a fixture": "@fixture\ndef p():\n    return Point(1)\ndef test_p(p):\n    assert p == p.copy()",
    "attribute of a suite": "class T:\n    def a(self):\n        self.p = Point(1)\n        assert self.p < 2",
    "copied object": "import copy\na = Bag()\nassert copy.copy(a).items == []",
    "own function handed over": "assert f(lambda x: x + 1, 2) == 3",
    "own object handed over": "class Thing:\n    pass\nthing = Thing()\nassert f([thing]) == 1",
    "decorator of the solution": "@memoize\ndef g(x):\n    return x\nassert g(1) == 1",
    "cleared list of the module": "words.clear()\nf('x')\nassert words == ['x']",
    "type of an answer that does not cross": "import types\nassert isinstance(f(1), types.GeneratorType)",
    "name set for the solution": "assert f(1) == 2\nRATE = 3\nassert f(1) == 4",
}


def analysis(source: str, entry_point: str = "f", **fields: str) -> Analysis | None:
    """Return the analysis of the text of a test, or None if there is none."""
    problem = Problem("t", fields.pop("prompt", ""), entry_point, **fields)  # type: ignore[arg-type]
    around = Surroundings(parsed(problem.helpers), entry_point, definitions(problem))
    test = PreparedTest(KINDS["check" if "def check(" in source else "asserts"], source, around)
    test.compile()
    assert not test.error
    return test.analysis


@pytest.mark.parametrize("name", SEPARATE)
def test_a_test_that_needs_no_shared_process_gets_none(name: str) -> None:
    found = analysis(SEPARATE[name])
    assert found is None or found.shared == ""


@pytest.mark.parametrize("name", SHARED)
def test_a_test_that_looks_across_processes_is_shared(name: str) -> None:
    found = analysis(SHARED[name])
    assert found is not None
    assert found.shared


def test_definitions_of_the_problem_say_what_is_a_class() -> None:
    compares = "assert polar(1) == polar(2)"
    assert analysis(compares, prompt="Write a class polar with ...").shared
    assert not analysis(compares, gold="def polar(x):\n    return x\n").shared
    compares = "x = 3\nassert Polar(1) == x + 1"
    assert analysis(compares).shared
    assert not analysis(compares, gold="def Polar(x):\n    return x\n").shared


@pytest.mark.parametrize(
    ("source", "libraries"),
    [
        ("assert math.isclose(f(1), 2.5)", {"math": "math"}),
        ("assert isclose(f(1), 2.5)", {"isclose": "math.isclose"}),
        ("x = f(1)\nassert isclose(x, 2.5)", {"isclose": "math.isclose"}),
        ("assert f('a') == Counter('a')", {"Counter": "collections.Counter"}),
        ("np.testing.assert_allclose(f(1), [2])", {"np": "numpy"}),
        ("def check(candidate):\n    assert isclose(candidate(1), 2.5)", {"isclose": "math.isclose"}),
        ("assert f([4, 6]) == 12\nassert gcd(12, 8) == 4", {}),
        ("assert f([sample()]) == 12 and f(1) == 2", {}),
        ("c = Counter()\nassert c.up() == 1", {}),
        ("import math\nassert math.isclose(f(1), 2.5)", {}),
    ],
)
def test_known_names_of_libraries_come_from_the_test_runner(source: str, libraries: dict[str, str]) -> None:
    found = analysis(source)
    assert (found.libraries if found else {}) == libraries


def test_a_name_that_the_problem_defines_is_never_a_library() -> None:
    source = "x = f(1)\nassert mean(x) == 2"
    assert analysis(source).libraries == {"mean": "statistics.mean"}
    assert analysis(source, gold="def mean(x):\n    return 2\n").libraries == {}
    assert analysis("assert isclose(g(1), 1) or g(2)", entry_point="isclose").libraries == {}
