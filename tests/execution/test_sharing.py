"""Tests that solutions that share a process do not affect each other.

A solution that could affect others must not share a process.
"""

from __future__ import annotations

import ast
import itertools

import pytest

from codepref.execution.engine import Engine
from codepref.execution.limits import Limits
from codepref.execution.sandbox.confinement.allowlist import shareable
from codepref.execution.tasks import Task
from codepref.records import Problem, Solution, Test

pytestmark = pytest.mark.xdist_group("execution")

ALLOWED = {
    "typical": "from typing import List\ndef f(xs: List[int]) -> int:\n    return sum(x for x in xs if x % 2)\n",
    "math": "import math\ndef f(x):\n    return math.floor(math.sqrt(x))\n",
    "exceptions": "def f(x):\n    try:\n        int(x)\n    except ValueError as e:\n        raise KeyError from e\n",
    "counting": "from collections import Counter\ndef f(x):\n    return Counter(x).most_common(1)[0][0]\n",
}
LEAVES_SOMETHING = {
    "attribute set": "import math\nmath.pi = 3\n",
    "attribute deleted": "import math\ndel math.pi\n",
    "augmented": "import math\nmath.pi += 1\n",
    "loop target": "import math\nfor math.pi in [3]:\n    pass\n",
    "class": "class A:\n    def __del__(self):\n        pass\n",
    "type with names as text": "A = type('A', (), {'__eq__': lambda a, b: True})\n",
    "builtins by name": "__builtins__['sum'] = max\n",
    "builtins by global": "global __builtins__\n__builtins__ = {}\n",
    "import as builtins": "import math as __builtins__\n",
    "def builtins": "def __builtins__():\n    pass\n",
    "import of sys": "import sys\n",
    "import of a submodule": "import collections.abc\n",
    "star": "from math import *\n",
    "module of a module": "from typing import sys\n",
    "frames": "g = (x for x in [1])\ng.gi_frame\n",
    "dunder": "().__class__\n",
    "getattr": "getattr(1, 'real')\n",
    "format with attributes": "'{0.x}'.format(1)\n",
    "exec": "exec('1')\n",
    "open": "open('/dev/null')\n",
    "with": "with f():\n    pass\n",
    "match by attribute": "match 1:\n    case int(real=x):\n        pass\n",
    "throwing": "g = (x for x in [1])\ng.throw(ValueError)\n",
    "relative": "from . import math\n",
    "attribute in an f-string": "f'{().__class__}'\n",
    "decorator": "import functools\n@functools.lru_cache\ndef f():\n    pass\n",
}


@pytest.mark.parametrize("name", ALLOWED)
def test_plain_programs_may_share(name: str) -> None:
    assert shareable(ast.parse(ALLOWED[name]))


@pytest.mark.parametrize("name", LEAVES_SOMETHING)
def test_programs_that_could_leave_something_behind_may_not(name: str) -> None:
    assert not shareable(ast.parse(LEAVES_SOMETHING[name]))


NEIGHBOURS = {
    "def f(x):\n    return x + 1\n": "P",
    "def f(x):\n    return x\n": "F",
    "import math\nmath.floor = max\nsum = None\ndef f(x):\n    return x + 1\n": "P",
    "import builtins\nbuiltins.len = lambda x: 0\ndef f(x):\n    return x + 2\n": "E",
    "sum = len = max = None\ndef f(x):\n    return x + 1\n": "P",
    "def f(x):\n    return sum([x, len([1])])\n": "P",
    "import math\ndef f(x):\n    return math.floor(x + 1.5)\n": "P",
    "kept = []\ndef f(x):\n    kept.append(x)\n    return x + len(kept)\n": "P",
    "def f(x):\n    return f(x + 1)\n": "E",
    "def f(x):\n    while True:\n        pass\n": "T",
    "def f(x) return 1": "E",
    "def g(x):\n    return 1\n": "E",
}
"""Program -> its code in the test `assert f(1) == 2`. No program may change the code of another program."""


def test_no_solution_changes_the_verdict_of_another_in_any_order(engine: Engine) -> None:
    sources = list(NEIGHBOURS)
    for shift in range(0, len(sources), 3):
        order = sources[shift:] + sources[:shift]
        for sources_now in (order, order[::-1]):
            solutions = [Solution("t", at, source) for at, source in enumerate(sources_now)]
            task = Task(Problem("t", "", "f"), solutions, [Test("t", "0", "assert f(1) == 2")])
            (matrix,) = engine.run([task], limits=Limits(cpu_seconds=0.3))
            assert [verdict.codes for verdict in matrix.verdicts] == [NEIGHBOURS[source] for source in sources_now]


def test_the_order_of_a_set_does_not_depend_on_the_worker() -> None:
    source = "def f():\n    return list({'a', 'b', 'c', 'd', 'e', None})\n"
    orders = itertools.permutations(["a", "b", "c", "d", "e", None])
    tests = [Test("t", str(at), f"assert f() == {list(order)!r}") for at, order in enumerate(orders)]
    seen = set()
    for _ in range(3):
        with Engine(jobs=1) as engine:
            (matrix,) = engine.run([Task(Problem("t", "", "f"), [Solution("t", 0, source)], tests)])
        seen.add(matrix.verdicts[0].codes)
    assert len(seen) == 1
    assert seen.pop().count("P") == 1
