"""Tests that a test behaves the same with the solution in another process as in one process.

Each of CASES except "dataclass" also runs in one process, the process of pytest, and must pass there too.
"""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.xdist_group("execution")

CASES = {
    "list changed in place": ("def f(x):\n    x.sort()\n", "a = [3, 1]; b = a; assert f(a) is None and b == [1, 3]"),
    "nested change": (
        "def f(x):\n    x['k'][0].add(5); x['new'] = 1\n",
        "s = {1}; d = {'k': [s]}; f(d); assert s == {1, 5} and d == {'k': [{1, 5}], 'new': 1}",
    ),
    "argument returned": ("def f(x):\n    x.append(1); return x\n", "a = []; assert f(a) is a and a == [1]"),
    "aliases among arguments": (
        "def f(x, y):\n    x.append(1); return x is y\n",
        "a = []; assert f(a, a) and a == [1]",
    ),
    "moved containers": (
        "def f(x):\n    x[0], x[1] = x[1], x[0]\n",
        "a, b = [1], [2]; c = [a, b]; f(c); assert c[0] is b",
    ),
    "bytearray changed": ("def f(x):\n    x[0] = 65\n", "b = bytearray(b'xy'); f(b); assert b == b'Ay'"),
    "keyword arguments": ("def f(x, *, y=1):\n    return x - y\n", "assert f(y=2, x=5) == 3"),
    "several functions": ("def g(x):\n    return x * 2\ndef f(x):\n    return x\n", "assert g(f(3)) == 6"),
    "constant": ("LIMIT = 7\ndef f():\n    return 7\n", "assert f() == LIMIT"),
    "expected StopIteration": (
        "def f(x):\n    return next(iter(x))\n",
        "try:\n    f([])\nexcept StopIteration:\n    pass\nelse:\n    raise AssertionError",
    ),
    "generator": ("def f(n):\n    yield from range(n)\n", "assert list(f(3)) == [0, 1, 2]"),
    "endless generator": (
        "def f():\n    n = 0\n    while True:\n        yield n\n        n += 1\n",
        "g = f(); assert next(g) == 0 and next(g) == 1 and type(g).__name__ == 'generator'",
    ),
    "iterators of builtins": ("def f(x):\n    return map(str, x)\n", "assert list(f([1, 2])) == ['1', '2']"),
    "zip in a loop": ("def f(x):\n    return zip(x, x)\n", "assert [a + b for a, b in f([1, 2])] == [2, 4]"),
    "exception by type": (
        "def f(x):\n    raise KeyError('k')\n",
        "try:\n    f(1)\n    assert False\nexcept KeyError as e:\n    assert e.args == ('k',) and type(e) is KeyError",
    ),
    "own exception": (
        "class Bad(ValueError):\n    pass\ndef f(x):\n    raise Bad('no', 3)\n",
        "try:\n    f(1)\n    assert 0\n"
        "except ValueError as e:\n    assert type(e).__name__ == 'Bad' and e.args == ('no', 3)",
    ),
    "errno": (
        "def f():\n    open('/nowhere/at/all')\n",
        "try:\n    f()\nexcept OSError as e:\n    assert e.errno\nelse:\n    assert False",
    ),
    "nan": ("def f():\n    return float('nan')\n", "x = f(); assert x != x"),
    "float bits": ("def f(x):\n    return x + 0.1\n", "assert f(0.2) == 0.30000000000000004"),
    "big integers": ("def f(n):\n    return 3 ** n\n", "assert f(20000) == 3 ** 20000"),
    "sets": ("def f(x):\n    return {1, 2} | x\n", "assert f({3}) == {1, 2, 3} == f(frozenset([3]))"),
    "tuple is no list": ("def f():\n    return (1, [2])\n", "assert f() == (1, [2]) and f() != [1, [2]]"),
    "bool is no int": ("def f():\n    return True\n", "assert f() is True"),
    "none": ("def f():\n    pass\n", "assert f() is None"),
    "deep nesting": (
        "def f(n):\n    x = []\n    for _ in range(n):\n        x = [x]\n    return x\n",
        "x = f(500)\nn = 0\nwhile x:\n    x = x[0]; n += 1\nassert n == 500",
    ),
    "order of a dict": ("def f():\n    return {'b': 1, 'a': 2}\n", "assert list(f()) == ['b', 'a']"),
    "counter": (
        "from collections import Counter\ndef f(x):\n    return Counter(x)\n",
        "assert f('aab').most_common(1) == [('a', 2)]",
    ),
    "namedtuple": (
        "from collections import namedtuple\nP = namedtuple('P', 'x y')\ndef f():\n    return P(1, 2)\n",
        "assert f() == (1, 2)",
    ),
    "keys view": ("def f():\n    return {1: 2}.keys()\n", "assert f() == {1} and sorted(f()) == [1]"),
    "class with methods": (
        "class Stack:\n    def __init__(self):\n        self.items = []\n"
        "    def push(self, x):\n        self.items.append(x)\n"
        "    def __len__(self):\n        return len(self.items)\n"
        "    def __str__(self):\n        return f'Stack{self.items}'\n",
        "s = Stack(); s.push(3); assert s.items == [3] and len(s) == 1 and str(s) == 'Stack[3]'",
    ),
    "closure called": ("def f(n):\n    return lambda x: x + n\n", "add = f(2); assert add(3) == 5 and callable(add)"),
    "object handed back": (
        "class Node:\n    def __init__(self, v):\n        self.v = v\ndef f(a, b):\n    return a.v + b.v\n",
        "assert f(Node(1), Node(2)) == 3",
    ),
    "builtin as argument": ("def f(g, x):\n    return g(x)\n", "assert f(len, [1, 2]) == 2 and f(str, 3) == '3'"),
    "module of the solution": ("import math\ndef f(x):\n    return math.sqrt(x)\n", "assert f(2) == math.sqrt(2)"),
    "recursion error": (
        "def f(n):\n    return f(n + 1)\n",
        "try:\n    f(0)\nexcept RecursionError:\n    pass\nelse:\n    assert False",
    ),
    "global state": (
        "n = 0\ndef f():\n    global n\n    n += 1\n    return n\n",
        "assert [f(), f(), f()] == [1, 2, 3]",
    ),
    "dataclass": (
        "from dataclasses import dataclass\n@dataclass\nclass P:\n    x: int\ndef f():\n    return P(3).x\n",
        "assert f() == 3",
    ),
    "standard library": (
        "import re, json, datetime, decimal, itertools, hashlib, string, heapq\n"
        "def f():\n    return hashlib.md5(b'a').hexdigest()[:4], json.dumps([1]), datetime.date(2024, 1, 31)\n",
        "import datetime\nassert f() == ('0cc1', '[1]', datetime.date(2024, 1, 31))",
    ),
    "asyncio": (
        "import asyncio\nasync def g():\n    return 3\ndef f():\n    return asyncio.run(g())\n",
        "assert f() == 3",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_case_passes_across_processes_as_in_one(verdict_on, name):
    solution, test = CASES[name]
    space = {"__name__": "solution"}
    if name != "dataclass":
        exec(solution, space)
        exec(test, space)
    verdict = verdict_on(solution, test)
    assert verdict.codes == "P", verdict.detail
    assert verdict.isolation == "separate"


def test_a_value_that_cannot_cross_makes_the_test_shared(verdict_on):
    solution = "def f(g, x):\n    return g(x)\n"
    verdict = verdict_on(
        solution, "assert f(lambda x: x + 1, 2) == 3", "assert f(len, 'ab') == 2", "assert f(lambda x: x, 2) == 3"
    )
    assert verdict.codes == "PPF"
    assert verdict.isolation == "shared"


def test_shared_tests_end_programs_that_exit_or_loop(verdict_on):
    call = "assert f(lambda: 0) == 0"
    assert verdict_on("import os\ndef f(g):\n    os._exit(0)\n", call, call).codes == "EE"
    assert verdict_on("def f(g):\n    while True: pass\n", call, call, call).codes == "TTS"
    assert verdict_on("import os\nos._exit(0)\n", call).codes == "E"


@pytest.mark.parametrize(
    "test", ["assert f(type(f(1))) == 3", "try:\n    f(1)\nexcept Exception as e:\n    assert f(e)"]
)
def test_no_return_value_of_a_solution_makes_a_test_shared(verdict_on, test):
    for body in ("return object()", "return lambda: 0", "return (x for x in [1])", "raise ValueError"):
        assert verdict_on(f"def f(x):\n    {body}\n", test).isolation == "separate"


def test_randomness_and_hashes_are_the_same_in_every_run(verdict_on):
    solution = "import random\ndef f():\n    return [random.random(), hash('text'), list({'a', 'b', 'c'})]\n"
    first = verdict_on(solution, "raise ValueError(str(f()))").detail
    assert first == verdict_on(solution, "raise ValueError(str(f()))").detail
    assert "ValueError: [" in first


def test_check_reads_names_of_the_solution_and_the_candidate(verdict_on):
    solution = "def double(x):\n    return 2 * x\ndef f(x):\n    return double(x) + 1\n"
    assert (
        verdict_on(solution, "def check(candidate):\n    assert candidate(2) == double(2) + 1 == f(2)\n").codes == "P"
    )


def test_numpy_arrays_cross(verdict_on):
    solution = "import numpy as np\ndef f(x):\n    return np.array(x) * 2\n"
    verdict = verdict_on(
        solution, "import numpy as np\nassert np.allclose(f([1.0, 2]), [2, 4]) and f([1.0]).dtype == float"
    )
    assert verdict.codes == "P"
    assert verdict.isolation == "separate"
