"""A task for the engine, and how it becomes plain data for a worker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from codepref.errors import UserError
from codepref.execution.expected_cache import key_of
from codepref.execution.inside.codec import Unencodable
from codepref.execution.inside.plan import Plan
from codepref.execution.limits import REFERENCE_FACTOR, Limits
from codepref.problems.inputs import parse_inputs
from codepref.problems.stdio import check_stdio
from codepref.records import Problem, Solution, Test


@dataclass(frozen=True, slots=True)
class Task:
    """One problem with the solutions to judge and the tests to judge them by (not necessarily the problem's own).

    copies: how many a solution counts for in the progress; None means one each.
    """

    problem: Problem
    solutions: Sequence[Solution]
    tests: Sequence[Test]
    copies: Sequence[int] | None = None


def encode_task(task: Task, limits: Limits, cpu_seconds: float | None = None) -> bytes:
    """What a worker needs to know of a task beside its solutions. Raises UserError for a malformed inputs test.

    cpu_seconds: CPU time of a test in this round, where it is less than the limits'.
    """
    tests: list[tuple[str, Any]] = []
    for test in task.tests:
        if test.kind == "inputs":
            try:
                tests.append((test.kind, _inputs_fields(test)))
            except UserError as error:
                raise UserError(*(f"{test.task_id}, test {test.test_id}: {line}" for line in error.problems)) from None
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
        told = (limits if cpu_seconds is None else limits.lowered(cpu_seconds)).resolved()
        told |= {"most_cpu_seconds": float(limits.cpu_seconds), "reference_factor": float(REFERENCE_FACTOR)}
        return Plan(problem.helpers, problem.preamble, problem.entry_point, tests, told).encode()
    except Unencodable as error:
        raise UserError(f"{problem.task_id}: a text is expected where a {error} stands") from None


def expected_keys(task: Task, limits: Limits) -> dict[int, str]:
    """By place of a test of kind "inputs" among the task's: the key of its expected outputs."""
    allowed = limits.resolved()
    tests = enumerate(task.tests)
    return {at: key_of(_inputs_fields(test), allowed) for at, test in tests if test.kind == "inputs"}


def _inputs_fields(test: Test) -> tuple[Any, ...]:
    parsed = parse_inputs(test.source)
    fields = (parsed.entry_point, parsed.inputs, parsed.reference, float(parsed.atol))
    return (*fields, parsed.compare, parsed.oracle)
