"""A task of the engine, and its encoding for a worker."""

from __future__ import annotations

import ast
import functools
import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from codepref.errors import UserError
from codepref.execution.expected_cache import ExpectedCache, key_of
from codepref.execution.limits import REFERENCE_FACTOR, Limits
from codepref.execution.sandbox.wire.plain_data import Unencodable
from codepref.execution.sandbox.wire.plan import Plan
from codepref.problems.kinds import check_together, kind_of
from codepref.problems.source import bound_names, read_statements
from codepref.records import Problem, Solution, Test, VerdictMatrix

_DEFINITIONS = re.compile(r"\b(class|def)[ \t]+`?([^\W\d]\w*)")
_WORD = re.compile(r"[^\W\d]\w*")

LONG_PREAMBLE = 1000
"""From this many characters on, a preamble is cut to what a task needs."""


@dataclass(frozen=True, slots=True)
class Task:
    """One problem, solutions, and the tests to run them against. The tests need not be the problem's own.

    copies: for each solution, how many solutions it counts as in the progress. None means one for each.
    """

    problem: Problem
    solutions: Sequence[Solution]
    tests: Sequence[Test]
    copies: Sequence[int] | None = None


class TaskRunner(Protocol):
    """What runs tasks: the engine of this machine, or the engines of a cluster."""

    @property
    def cache(self) -> ExpectedCache:
        """The cache of the results of programs that do nothing."""
        ...

    def run(self, tasks: Iterable[Task], *, limits: Limits | None = None) -> Iterator[VerdictMatrix]:
        """Run tasks. Yield one matrix for each task, in any order."""
        ...


def encode_task(task: Task, limits: Limits, cpu_seconds: float | None = None) -> bytes:
    """Return a task without its solutions, encoded for a worker (see `Plan`).

    cpu_seconds: the CPU time of a test in this attempt. None means the limit itself.
    Raises UserError for a malformed test, for kinds of tests that cannot be mixed, and for a value of a type that
    cannot be encoded.
    """
    tests = [(test.kind, kind_of(test).for_sandbox(test.source, _where(test))) for test in task.tests]
    problem = task.problem
    check_together(task.tests, problem.task_id)
    try:
        values = (limits if cpu_seconds is None else limits.lowered(cpu_seconds)).resolved()
        values |= {"max_cpu_seconds": float(limits.cpu_seconds), "reference_factor": float(REFERENCE_FACTOR)}
        return Plan(
            problem.helpers, needed_preamble(task), problem.entry_point, tests, values, definitions(problem)
        ).encode()
    except Unencodable as error:
        raise UserError(
            f"{problem.task_id}: the problem or a test holds a value of type {error} where text is needed"
        ) from None


def needed_preamble(task: Task) -> str:
    """Return the problem's preamble. A long one lacks the imports of which no name occurs in the code of the task.

    This code is the solutions, the tests in Python, the texts with examples, the gold solution, the helpers, and the
    other statements of the preamble apart from imports. `from module import *` stays, since its names are not known.
    Importing a dozen modules takes longer than most solutions run.
    """
    preamble = task.problem.preamble
    if len(preamble) < LONG_PREAMBLE:
        return preamble
    statements = _statements(preamble)
    tests = [test.source for test in task.tests if not kind_of(test).fields]
    programs = (solution.text for solution in task.solutions)
    texts = [*programs, *tests, task.problem.gold or "", task.problem.helpers]
    texts += [text for text, imported in statements if imported is None]
    words = {"*"}.union(*map(_WORD.findall, texts))
    return "".join(f"{text}\n" for text, imported in statements if imported is None or imported & words)


@functools.lru_cache(maxsize=8)
def _statements(preamble: str) -> tuple[tuple[str, frozenset[str] | None], ...]:
    """Return the text of each statement, and the names that it imports, or None if it is not an import."""
    return tuple(
        (item.text, frozenset(bound_names(item.node)) if isinstance(item.node, ast.Import | ast.ImportFrom) else None)
        for item in read_statements(preamble).statements
    )


def task_digest(problem: Problem, tests: Sequence[Test], limits: Limits) -> bytes:
    """Return a digest of a task without its solutions. Raises what `encode_task` raises."""
    return hashlib.sha256(encode_task(Task(problem, (), tests), limits)).digest()


def definitions(problem: Problem) -> dict[str, str]:
    """Return the names after "class" or "def" in a problem's prompt, preamble or gold solution, each with this word.

    So a prompt in words can name a class, as in "write a class Stack". The sandbox decides by these names what in a
    test is an object of a solution's class, and which names cannot mean a library.
    """
    found: dict[str, str] = {}
    for text in (problem.prompt, problem.preamble, problem.gold or ""):
        for kind, name in _DEFINITIONS.findall(text):
            found[name] = kind
    return found


def expected_keys(task: Task, limits: Limits) -> dict[int, str]:
    """Return the keys of expected outputs in the cache, by the index of each test that has a reference solution."""
    values = limits.resolved()
    return {
        at: key_of(kind_of(test).for_sandbox(test.source, _where(test)), values)
        for at, test in enumerate(task.tests)
        if kind_of(test).has_reference
    }


def _where(test: Test) -> str:
    return f"{test.task_id}, test {test.test_id}"
