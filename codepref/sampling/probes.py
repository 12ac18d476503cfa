"""Makes probes from self-written tests: calls of the entry point with varied arguments and no expected value. Pure.

The answers of solutions to the probes show which solutions behave alike. Two programs that differ can both pass a few
asserts by chance. They seldom give the same answers to many further inputs. As in EvalPlus (arXiv 2305.01210, section
2.1), a value of an argument is usually replaced by another value of the same type.
"""

from __future__ import annotations

import ast
import math
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from codepref.problems.kinds import kind_of
from codepref.records import Problem, Test

PROBE_MARK = "~"
"""The id of a probe is the id of its test, this mark and a number."""

MIN_PER_TEST, MAX_PER_TEST = 3, 16
"""Bounds of the number of probes that `with_probes` requests for one test."""

_OTHERS: tuple[Any, ...] = (True, None, 0, -1, 2.5, "a", "", [], {})
"""Values that can replace an element of a list, tuple or set whose elements have several types."""

_MAX_CHARACTERS = 2000


def with_probes(
    problems: Iterable[Problem], tests: Mapping[str, Sequence[Test]], count: int, *, seed: int = 0
) -> dict[str, list[Test]]:
    """Return the tests of each task, followed by about `count` probes if the bounds for each test permit it.

    Each test gets an equal share of the probes, but at least MIN_PER_TEST and at most MAX_PER_TEST. A test gets fewer
    probes if `probes` finds fewer. A task that is not among `problems` gets no probes. A count of 0 makes no
    probes.
    """
    known = {problem.task_id: problem for problem in problems}
    extended = {}
    for task, own in tests.items():
        each = min(MAX_PER_TEST, max(MIN_PER_TEST, math.ceil(count / len(own)))) if own and count else 0
        further = probes(known[task], own, each=each, seed=seed) if each and task in known else []
        extended[task] = [*own, *further]
    return extended


def probes(problem: Problem, tests: Sequence[Test], *, each: int, seed: int = 0) -> list[Test]:
    """Return at most `each` probes for each test in which `literal_call` finds a call with arguments.

    Only tests of kinds that call the entry point are used. No two probes have the same text. A probe is a test of kind
    "asserts" with `count` 0.
    """
    new: list[Test] = []
    callers = [test for test in tests if kind_of(test).calls_entry_point]
    calls = {test.test_id: literal_call(test.source, problem.entry_point) for test in callers}
    known = {repr(arguments) for arguments in calls.values()}
    pools = [arguments for arguments in calls.values() if arguments]
    for test_id, arguments in calls.items():
        if not arguments:
            continue
        generator = random.Random(f"{seed}:{problem.task_id}:{test_id}")
        number = 0
        for _ in range(3 * each):
            varied = _varied(arguments, pools, generator)
            text = ", ".join(map(repr, varied))
            if repr(varied) in known or len(text) > _MAX_CHARACTERS:
                continue
            known.add(repr(varied))
            source = f"{problem.entry_point}({text})"
            new.append(Test(problem.task_id, f"{test_id}{PROBE_MARK}{number}", source, "asserts", 0))
            number += 1
            if number == each:
                break
    return new


def parent_of(test: Test) -> str | None:
    """Return the id of the test from which a probe was made, or None for a test that is not a probe."""
    return test.test_id.rpartition(PROBE_MARK)[0] if test.count == 0 else None


def literal_call(source: str, entry_point: str) -> list[Any] | None:
    """Return the arguments of the first call of the entry point that `ast.walk` finds.

    Return None if `source` is not Python, if there is no call, if the call has keyword arguments, or if an argument is
    not a literal.
    """
    try:
        tree = ast.parse(source)
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == entry_point:
                return None if node.keywords else [ast.literal_eval(argument) for argument in node.args]
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        return None
    return None


def _varied(arguments: list[Any], pools: list[list[Any]], generator: random.Random) -> list[Any]:
    varied = list(arguments)
    for _ in range(generator.choice((1, 1, 2))):
        at = generator.randrange(len(varied))
        other = generator.choice(pools)
        if len(varied) > 1 and len(other) == len(varied) and generator.random() < 0.2:
            varied[at] = other[at]  # a value that the model wrote in a test
        else:
            varied[at] = vary(varied[at], generator)
    return varied


def vary(value: Any, generator: random.Random) -> Any:
    """Return a value of the same type, which usually differs from `value`.

    An element of a list, tuple or set whose elements have several types can change its type. Empty lists, tuples, dicts
    and sets, and values of unknown types, are not changed.
    """
    for kinds, way in _WAYS:
        if type(value) in kinds:
            return way(value, generator)
    return value


def _int(value: int, generator: random.Random) -> int:
    near = value + generator.randint(-10, 10)
    return generator.choice((value + 1, value - 1, -value, 2 * value, near, 0, 1, 2, 10, generator.randint(0, 100)))


def _float(value: float, generator: random.Random) -> float:
    near = round(value + generator.uniform(-10, 10), 2)
    return generator.choice((value + 1, value - 1, -value, 2 * value, near, 0.0, value / 2))


def _str(value: str, generator: random.Random) -> str:
    if not value:
        return generator.choice(("a", "1", "Ab c"))
    at, other = generator.randrange(len(value)), generator.randrange(len(value))
    return generator.choice(
        (
            value[:at] + value[at + 1 :],
            value[:at] + value[other] + value[at:],
            value[:at] + value[other] + value[at + 1 :],
            value[:at],
            value[::-1],
            value + value,
            value.swapcase(),
            value[:at] + generator.choice("abcxyzABZ 019,.-") + value[at:],
        )
    )


def _sequence(value: Any, generator: random.Random) -> Any:
    items = list(value)
    if not items:
        return value
    at, other = generator.randrange(len(items)), generator.randrange(len(items))
    mixed = len({type(item) for item in items}) > 1
    fresh = generator.choice(_OTHERS) if mixed and generator.random() < 0.3 else vary(items[at], generator)
    ways = (
        [*items[:at], *items[at + 1 :]],
        [*items[:at], items[other], *items[at:]],
        [*items[:at], fresh, *items[at + 1 :]],
        [*items[:at], fresh, *items[at:]],
        items[:at],
        items[::-1],
        items + items,
        sorted(items, key=lambda item: generator.random()),
    )
    return type(value)(generator.choice(ways))


def _dict(value: dict[Any, Any], generator: random.Random) -> dict[Any, Any]:
    if not value:
        return value
    key, varied = generator.choice(list(value)), dict(value)
    if generator.random() < 0.5:
        del varied[key]
    else:
        varied[key] = vary(varied[key], generator)
    return varied


def _set(value: set[Any], generator: random.Random) -> set[Any]:
    varied = _sequence(sorted(value, key=repr), generator)
    try:
        return set(varied)
    except TypeError:  # an element became a list or a dict, which no set can hold
        return value


_WAYS: tuple[tuple[tuple[type, ...], Callable[[Any, random.Random], Any]], ...] = (
    ((bool,), lambda value, generator: not value),
    ((int,), _int),
    ((float,), _float),
    ((str,), _str),
    ((list, tuple), _sequence),
    ((dict,), _dict),
    ((set,), _set),
)
