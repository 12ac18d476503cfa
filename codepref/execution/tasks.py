"""A task for the engine, and how it becomes plain data for a worker."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from codepref.errors import UserError
from codepref.execution.inside.codec import Unencodable
from codepref.execution.inside.plan import Plan
from codepref.execution.limits import Limits
from codepref.problems.inputs import parse_inputs
from codepref.problems.stdio import check_stdio
from codepref.records import Problem, Solution, Test

PRELOADABLE = ("numpy",)
"""Packages whose import costs far more than a fork: loaded once by a worker when a task uses them."""

# blanks, not all white space: over thousands of empty lines that would take quadratic time, in our own process
_IMPORTS = re.compile(rf"^[ \t]*(?:import|from)[ \t]+({'|'.join(PRELOADABLE)})\b", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Task:
    """One problem with the solutions to judge and the tests to judge them by (not necessarily the problem's own)."""

    problem: Problem
    solutions: Sequence[Solution]
    tests: Sequence[Test]


def encode_task(task: Task, limits: Limits) -> bytes:
    """What a worker needs to know of a task beside its solutions. Raises UserError for a malformed inputs test."""
    tests: list[tuple[str, Any]] = []
    for test in task.tests:
        if test.kind == "inputs":
            try:
                parsed = parse_inputs(test.source)
            except UserError as error:
                raise UserError(*(f"{test.task_id}, test {test.test_id}: {line}" for line in error.problems)) from None
            fields = (parsed.entry_point, parsed.inputs, parsed.reference, float(parsed.atol))
            tests.append((test.kind, (*fields, parsed.compare, parsed.oracle)))
        elif test.kind == "stdio":
            check_stdio(test.source, f"{test.task_id}, test {test.test_id}")
            tests.append((test.kind, test.source))
        elif test.kind in ("asserts", "check", "unittest"):
            tests.append((test.kind, test.source))
        else:
            raise UserError(f"{test.task_id}, test {test.test_id}: unknown kind {test.kind!r}")
    problem = task.problem
    if len({kind == "stdio" for kind, _ in tests}) > 1:
        raise UserError(f"{problem.task_id}: tests of kind stdio cannot stand beside other kinds")
    try:
        return Plan(problem.helpers, problem.preamble, problem.entry_point, tests, limits.resolved()).encode()
    except Unencodable as error:
        raise UserError(f"{problem.task_id}: a text is expected where a {error} stands") from None


def packages_of(task: Task) -> frozenset[str]:
    """The preloadable packages that the task's tests or solutions import."""
    texts = [test.source for test in task.tests] + [solution.text for solution in task.solutions]
    return frozenset(name for text in texts for name in _IMPORTS.findall(text))
