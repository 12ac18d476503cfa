"""Batches for the fuzz target: tasks of generated programs, their tests, and canaries with known codes.

A canary is a program that is known to be right or wrong. It shows when its neighbours change a verdict.
"""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import fuzz_grammar
import fuzz_programs
import fuzz_system
from fuzz_programs import Program

from codepref.errors import UserError
from codepref.execution.limits import Limits
from codepref.execution.tasks import Task, encode_task
from codepref.problems.inputs import InputsTest
from codepref.problems.stdio import stdio_source
from codepref.records import Problem, Solution, Test

LIMITS = Limits(
    cpu_seconds=0.1, wall_seconds=0.5, load_cpu_seconds=0.1, memory_mb=64, max_timeouts=1, reference_cpu_seconds=0.5
)
RIGHT = """def f(*values):
    if not values or values[0] is None:
        raise TypeError("nothing to add")
    return sum(sum(v) if isinstance(v, (list, tuple)) else len(v) if isinstance(v, str) else v for v in values)
"""
WRONG = "def f(*values):\n    return -1\n"
RIGHT_PROGRAM = "import sys\nprint(sum(map(int, sys.stdin.read().split())))\n"
WRONG_PROGRAM = "print(-1)\n"

ASSERTS = (
    "assert f(1, 2) == 3",
    "assert f([1, 2, 3]) == 6",
    "assert f('ab') == 2",
    "assert f(4) == 4",
    "assert abs(f(0.5, 0.25) - 0.75) < 1e-9",
    "try:\n    f(None)\nexcept TypeError:\n    pass\nelse:\n    raise AssertionError('no error')",
    "values = [1, 2]\nassert f(values, [3]) == 6 and values == [1, 2]",
    "result = f(7)\nassert isinstance(result, int) and str(result) == '7'",
    "assert f(*range(10)) == 45",
    "import json\nassert json.loads(str(f(1))) == 1",
    "def check(candidate):\n    assert candidate(2, 2) == 4\n    assert [candidate(n) for n in (1, 2)] == [1, 2]\n",
)
SHARED = (
    "class Own(int):\n    pass\nassert f(Own(2), 1) == 3",
    "class Own(list):\n    pass\nassert f(Own([2]), 1) == 3",
)
SUITE = (
    "import unittest\nclass Suite(unittest.TestCase):\n    def test_sum(self):\n        self.assertEqual(f(1, 2), 3)\n"
)
PYTEST = (
    "import pytest\n@pytest.mark.parametrize('a, b', [(1, 2), (3, 4)])\n"
    "def test_sum(a, b):\n    assert f(a, b) == a + b\n",
    "from solution import f\nclass TestSum:\n    def test_one(self):\n        assert f(1, 2) == 3\n",
    "import pytest\ndef test_none():\n    with pytest.raises(TypeError):\n        f(None)\n",
    "import pytest\n@pytest.fixture\ndef pair():\n    yield [2, 3]\ndef test_pair(pair):\n    assert f(pair) == 5\n",
    "def test_file(tmp_path):\n    path = tmp_path / 'a'\n"
    "    path.write_text('ab')\n    assert f(path.read_text()) == 2\n",
)
DOCTEST = (">>> f(1, 2)\n3\n", ">>> f([1, 2, 3])\n6\n>>> f('ab')\n2\n", ">>> f(4) + 1\n5\n")
INPUTS = ("[[1, 2], [[1, 2, 3]], ['ab']]", "[[n] for n in range(100)]", "[[0.5], [0.25, 0.5]]")
NUMBERS = ("1 2 3\n", "", "10\n" * 200, "-5 5")
ORACLE = "def accept(arguments, output, expected, atol):\n    return output == expected\n"
SHARES = {"asserts": 60, "shared": 4, "unittest": 4, "pytest": 5, "doctest": 1, "inputs": 8, "stdio": 6, "hostile": 12}
"""The percentage of drawn tasks with each kind of tests."""
SIZES = {"hostile": 3, "stdio": 12, "pytest": 8}
"""Kind of tests -> the largest number of generated programs of a task. For all other kinds it is 24."""
TASKS = 10
"""The largest number of tasks that are drawn for a batch. Each hostile task adds a task with canaries."""
_INSIDE = (  # lines of tests that manipulate the test runner in which they run
    "page.enter({0}, {1})\nos._exit(0)",
    "page.set(0, {2})\nos._exit(0)",
    "page.reset()",
    "page.reset()\nos._exit({0})",
    "page._page[:] = bytes([{2}]) * len(page._page)\nos.kill(os.getpid(), 9)",
    "page.close()",
    "os.write(3, {3!r})",
    "os.write(3, b'\\4\\0\\0\\0done')\ntime.sleep({0})",
    "os.close(3)",
    "signal.setitimer(signal.ITIMER_PROF, 0)\nsum(range(10 ** {0}))",
)
TO_THE_PAGE = "page = frame.f_locals['self'].page"
_PAGE = (
    "import os, signal, sys, time\nframe = sys._getframe()\n"
    "while not hasattr(frame.f_locals.get('self'), 'page'):\n    frame = frame.f_back\n"
    f"{TO_THE_PAGE}\n"
)


@dataclass(slots=True)
class Batch:
    """The tasks of one `Engine.run`. A solution has the key (task id, solution id).

    programs: the generated programs by key. canaries: key of a canary -> the code that it must get in every test.
    hostile: the ids of tasks whose tests are hostile. refused: the number of tests that the engine refused with
    UserError. broken: (exception, source of the test) for each test that raised another exception.
    """

    number: int
    tasks: list[Task] = field(default_factory=list)
    programs: dict[tuple[str, int], Program] = field(default_factory=dict)
    canaries: dict[tuple[str, int], str] = field(default_factory=dict)
    hostile: set[str] = field(default_factory=set)
    refused: int = 0
    broken: list[tuple[str, str]] = field(default_factory=list)


def batches(seed: int, count: int, completions: Sequence[str] = ()) -> Iterator[Batch]:
    """Yield batches that contain the first `count` programs of `seed`. completions: see `fuzz_programs.programs`."""
    stream = fuzz_programs.programs(seed, count, completions)
    for number in itertools.count():
        batch = Batch(number)
        rng = random.Random(f"{seed}/batch {number}")
        for place in range(TASKS):
            kind = rng.choices(list(SHARES), list(SHARES.values()))[0]
            taken = list(itertools.islice(stream, SIZES.get(kind, 24)))
            if taken:
                _add_task(rng, batch, f"{number}.{place}", kind, taken)
        if not batch.tasks:
            return
        yield batch


def _add_task(rng: random.Random, batch: Batch, name: str, kind: str, taken: list[Program]) -> None:
    right, wrong = (RIGHT_PROGRAM, WRONG_PROGRAM) if kind == "stdio" else (RIGHT, WRONG)
    if kind == "hostile":
        tests = _accepted(batch, name, hostile_tests(rng, name))
        batch.hostile.add(name)
        # A hostile test may spoil all codes of its task, so the canaries are in another task with honest tests.
        _add_task(rng, batch, f"{name}.canary", "asserts", [])
    else:
        tests = honest_tests(rng, name, kind)
    texts: list[tuple[str, Program | str]] = [(program.text, program) for program in taken]
    if kind != "hostile":
        for text, code in ((right, "P"), (wrong, "F")):
            texts.insert(rng.randrange(len(texts) + 1), (text, code))
    for at, (_, what) in enumerate(texts):
        (batch.programs if isinstance(what, Program) else batch.canaries)[name, at] = what  # type: ignore[index]
    preamble = rng.choice(("", "from typing import List\n"))
    problem = Problem(name, "", "f", helpers=rng.choice(("", "limit = 3\n")), preamble=preamble)
    batch.tasks.append(Task(problem, [Solution(name, at, text) for at, (text, _) in enumerate(texts)], tests))


def _accepted(batch: Batch, name: str, tests: list[Test]) -> list[Test]:
    """Return the tests that can be encoded for the engine.

    UserError is the right answer to a malformed test, and the batch counts it. Any other exception is a finding, and
    the batch keeps it.
    """
    kept = []
    for test in tests:
        try:
            encode_task(Task(Problem(name, "", "f"), (), [test]), LIMITS)
            kept.append(test)
        except UserError:
            batch.refused += 1
        except Exception as error:  # noqa: BLE001 - every other exception becomes a finding
            batch.broken.append((f"{test.kind}: {type(error).__name__}: {error}"[:200], test.source[:2000]))
    return kept


def honest_tests(rng: random.Random, name: str, kind: str) -> list[Test]:
    """Return two to five tests. The right canary passes all of them, and the wrong canary fails all of them."""
    count = rng.randint(2, 5)
    if kind == "stdio":
        texts = rng.sample(NUMBERS, 2)
        pairs = [(stdio_source(text, f"{sum(map(int, text.split()))}\n"), kind) for text in texts]
    elif kind == "inputs":
        compare = rng.choice(("equal", "equal", "oracle:own"))
        oracle = ORACLE if compare != "equal" else ""
        texts = rng.sample(INPUTS, 2)
        pairs = [(InputsTest("f", text, RIGHT, compare=compare, oracle=oracle).to_source(), kind) for text in texts]
    elif kind in ("pytest", "doctest"):
        pairs = [(text, kind) for text in rng.sample(PYTEST if kind == "pytest" else DOCTEST, 2)]
    else:
        extra = {"shared": [rng.choice(SHARED)], "unittest": [SUITE]}.get(kind, [])
        pairs = [(text, "asserts") for text in rng.sample(ASSERTS, count - len(extra))]
        pairs += [(text, "unittest" if kind == "unittest" else "asserts") for text in extra]
        rng.shuffle(pairs)
    return [
        Test(name, str(at), text, "check" if "def check(" in text else own)  # type: ignore[arg-type]
        for at, (text, own) in enumerate(pairs)
    ]


def hostile_tests(rng: random.Random, name: str) -> list[Test]:
    """Return two or three tests. Most of them are hostile or malformed."""
    ways = {"asserts": 6, "check": 2, "inputs": 3, "stdio": 2, "unittest": 1, "pytest": 2, "doctest": 1}
    kind = rng.choices(list(ways), list(ways.values()))[0]
    make = {"inputs": _hostile_inputs, "stdio": _hostile_stdio}.get(kind, _hostile_code)
    texts = [make(rng) for _ in range(rng.randint(2, 3))]
    if kind == "check":
        texts = ["def check(f):\n" + "".join(f"    {line}\n" for line in text.split("\n")) for text in texts]
    if kind == "pytest":
        texts = [rng.choice((fuzz_programs.mutated(rng, PYTEST), _pytest_function(text))) for text in texts]
    if kind == "doctest":
        texts = [rng.choice((fuzz_programs.mutated(rng, DOCTEST), f"'''\n>>> f(1)\n1\n'''\n{text}")) for text in texts]
    if kind == "unittest":
        body = "".join(f"        {line}\n" for line in texts[0].split("\n"))
        texts[0] = f"import unittest\nclass Suite(unittest.TestCase):\n    def test_it(self):\n{body}"
    return [Test(name, str(at), text, kind) for at, text in enumerate(texts)]  # type: ignore[arg-type]


def _pytest_function(text: str) -> str:
    return "def test_it():\n" + "".join(f"    {line}\n" for line in text.split("\n"))


def _hostile_code(rng: random.Random) -> str:
    way = rng.randrange(6)
    if way == 0:
        return fuzz_programs.mutated(rng, ASSERTS)
    if way == 1:
        return "cache, x, v, y, Odd = [], [1], 2, {}, list\n" + fuzz_grammar.statements(rng, 2)
    if way == 2:
        return fuzz_system.oddity(rng)
    if way == 3:
        number = (rng.randrange(8), rng.choice((0, 1, 99)), rng.choice((0, 63, 80, 82, 90, 255)))
        return _PAGE + rng.choice(_INSIDE).format(*number, fuzz_system.frame(rng))
    lines = fuzz_system.call(rng) if way == 4 else fuzz_system.write(rng)
    return f"{fuzz_system.PRELUDE}kept = []\n" + "\n".join(lines) + "\nassert f(1, 2) == 3"


def _hostile_inputs(rng: random.Random) -> str:
    source = InputsTest("f", rng.choice(INPUTS), RIGHT, compare="oracle:own", oracle=ORACLE).to_source()
    document = json.loads(source)
    key = rng.choice(list(document))
    if key in ("reference", "oracle"):
        document[key] = rng.choice((fuzz_programs.mutated(rng, (document[key],)), _hostile_code(rng)))
    elif rng.random() < 0.5:
        document[key] = rng.choice(
            ("", "f", "[]", "3", "[[f]]", "[[x] for x in iter(int, 1)]", "__import__('os').abort()")
        )
    else:
        document[key] = rng.choice(
            (None, 0, -1, 1e308, "nan", "equal", "set", "not_none", "oracle:", "[" * 10000, "[[-1]]")
        )
    text = json.dumps(document)
    return (
        text
        if rng.random() < 0.8
        else rng.choice((text[:-5], "[" * rng.choice((10, 100000)), "null", "\ud800", text * 2))
    )


def _hostile_stdio(rng: random.Random) -> str:
    texts = ("", "\0", "\ud800", "1\n" * 50000, "x" * 100000, "\r\n1\r", "é", "nan", "9" * 5000, "\u2028")
    document = stdio_source(rng.choice(texts), rng.choice(texts))
    return (
        document
        if rng.random() < 0.8
        else rng.choice((document[:-3], "[]", "{}", "[" * 100000, '{"input": 1, "output": ""}'))
    )
