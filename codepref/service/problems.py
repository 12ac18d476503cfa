"""The problems of requests: reading, the screening of their tests, and the time of their gold solution.

A prepared problem is kept for later requests, as long as there is room (see MAX_KEPT).
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from codepref.errors import UserError
from codepref.execution.limits import Limits
from codepref.execution.tasks import Task, task_digest
from codepref.execution.vacuous import PROVEN, Screening, begin_screening, finish_screening, screening_limits
from codepref.problems.formats.own import FORMAT
from codepref.problems.kinds import KINDS, kind_of
from codepref.records import PASS, TIMEOUT, Problem, Solution, Test, VacuousTests
from codepref.service.bodies import JudgeItem, LimitsBody
from codepref.service.exact import exact_problem
from codepref.service.pool import Pool
from codepref.service.settings import ServiceSettings

MAX_TESTS = 100_000
"""The largest number of tests of a problem in a request. Reading a million takes a minute."""

MAX_CODE = 2_000_000
"""The largest number of characters in the texts of a problem that are read as Python (see `_code_size`). Reading this
much takes up to a minute, and nothing can stop it."""

MAX_KEPT, MAX_KEPT_CHARACTERS = 1024, 1 << 26
"""The largest number of problems that are kept, and the largest number of characters in their rows and settings
together. One problem is kept even if it has more characters."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A problem that solutions can run against.

    tests: the tests that the answer lists (see `Screening.kept`). all_tests: the tests of the request. gold_seconds:
    as in `codepref.execution.state.TaskState`.
    """

    problem: Problem
    tests: Sequence[Test]
    all_tests: Sequence[Test]
    limits: Limits
    screening: Screening
    gold_seconds: float | None

    def task(self, programs: Sequence[str]) -> Task:
        """Return the task of running programs against the tests. If no solution is judged, the task has no tests."""
        solutions = [Solution(self.problem.task_id, at, program) for at, program in enumerate(programs)]
        return Task(self.problem, solutions, self.screening.run(self.tests))


class Kept:
    """A problem that is kept. waiting: how many requests wait until it is prepared."""

    def __init__(self, characters: int, task: asyncio.Task[Prepared]) -> None:
        self.characters, self.task, self.waiting = characters, task, 0

    @property
    def failed(self) -> bool:
        """Whether the preparation was cancelled or raised an exception."""
        return self.task.done() and (self.task.cancelled() or self.task.exception() is not None)


class Problems:
    """Prepares the problems of requests, and keeps them."""

    def __init__(self, pool: Pool, settings: ServiceSettings) -> None:
        self._pool, self._settings = pool, settings
        self._kept: OrderedDict[bytes, Kept] = OrderedDict()
        self._characters = 0

    async def get(self, item: JudgeItem) -> Prepared:
        """Return the prepared problem of a request.

        Raises UserError for a wrong problem, wrong tests or wrong limits, and what `Pool.run` raises.
        """
        limits, vacuous_tests = self._limits(item.limits), item.vacuous_tests or self._settings.vacuous_tests
        whole = json.dumps([item.problem, item.tests, asdict(limits), vacuous_tests, item.exact])
        key = hashlib.sha256(whole.encode()).digest()
        known = self._kept.get(key)
        if known is None or known.failed:
            self._forget(key)
            known = Kept(len(whole), asyncio.ensure_future(self._prepare(item, limits, vacuous_tests)))
            self._kept[key] = known
            self._characters += len(whole)
            while len(self._kept) > 1 and (len(self._kept) > MAX_KEPT or self._characters > MAX_KEPT_CHARACTERS):
                self._forget(next(iter(self._kept)))
        if key in self._kept:
            self._kept.move_to_end(key)
        known.waiting += 1
        try:
            return await asyncio.shield(known.task)  # another request may need it, if this one is cancelled
        finally:
            known.waiting -= 1
            abandoned = not known.waiting and not known.task.done()
            if abandoned:
                known.task.cancel()  # all its clients have gone
            if (abandoned or known.failed) and self._kept.get(key) is known:
                self._forget(key)

    def _forget(self, key: bytes) -> None:
        if key in self._kept:
            self._characters -= self._kept.pop(key).characters

    def _limits(self, body: LimitsBody) -> Limits:
        """Return the limits of a request. Raises UserError for a limit out of range or above the server's maximum."""
        chosen = {name: getattr(body, name) for name in body.model_fields_set}
        limits = replace_limits(self._settings.limits, chosen)
        highest = {
            "cpu_seconds": self._settings.max_cpu_seconds,
            "load_cpu_seconds": self._settings.max_cpu_seconds,
            "reference_cpu_seconds": max(self._settings.max_cpu_seconds, self._settings.limits.reference_cpu_seconds),
            "wall_seconds": 10 * self._settings.max_cpu_seconds,
            "memory_mb": self._settings.max_memory_mb,
        }
        wrong = [
            f"limits: {name} must be at most {most:g} on this server, not {getattr(limits, name):g}"
            for name, most in highest.items()
            if (getattr(limits, name) or 0) > most
        ]
        if wrong:
            raise UserError(*wrong)
        return limits

    async def _prepare(self, item: JudgeItem, limits: Limits, vacuous_tests: VacuousTests) -> Prepared:
        problem, digest = await asyncio.to_thread(_read, item, limits)
        tests, screening = problem.tests, PROVEN
        if vacuous_tests == "leave-out":
            lower = screening_limits(limits)
            begun = await asyncio.to_thread(begin_screening, problem, tests, digest, self._pool.cache, lower)
            if isinstance(begun, Screening):
                screening = begun
            else:
                work = await self._pool.run(begun.task, lower)
                assert work.matrix is not None
                screening = await asyncio.to_thread(finish_screening, begun, work.matrix, self._pool.cache)
        kept = screening.kept(tests)
        gold_seconds = await self._gold_seconds(problem, screening.run(kept), limits)
        return Prepared(problem, kept, tests, limits, screening, gold_seconds)

    async def _gold_seconds(self, problem: Problem, tests: Sequence[Test], limits: Limits) -> float | None:
        """Return the CPU seconds of the gold solution, 0 if it is not right, or None if they are not needed.

        Here it is right if it passed at least one test and no test timed out.
        """
        first = limits.first_cpu_seconds
        referenced = all(kind_of(test).has_reference for test in tests)
        if not problem.gold or not tests or referenced or first >= limits.cpu_seconds:
            return None
        task = Task(problem, [Solution(problem.task_id, 0, problem.gold)], tests)
        work = await self._pool.run(task, replace(limits.lowered(first), timeout_factor=None))
        assert work.matrix is not None
        verdict = work.matrix.verdicts[0]
        right = PASS in verdict.codes and TIMEOUT not in verdict.codes
        return verdict.cpu_ms / 1000 if right else 0.0


def replace_limits(limits: Limits, chosen: Mapping[str, Any]) -> Limits:
    """Return `limits` with the values in `chosen`.

    Raises UserError for a value out of range, and for None if the limit is not in NULLABLE.
    """
    wrong = [name for name, value in chosen.items() if value is None and name not in NULLABLE]
    if wrong:
        raise UserError(*(f"limits: {name} must be a number" for name in wrong))
    return replace(limits, **chosen) if chosen else limits


NULLABLE = ("wall_seconds", "load_cpu_seconds", "timeout_factor")
"""The limits that may be null."""


def _read(item: JudgeItem, limits: Limits) -> tuple[Problem, bytes]:
    """Return the problem of a request with the tests to run, and the digest of its task. Raises UserError."""
    row = item.problem if item.tests is None else {**item.problem, "tests": item.tests}
    tests = row.get("tests")
    if isinstance(tests, list) and len(tests) > MAX_TESTS:
        raise UserError(f"problem: at most {MAX_TESTS:,} tests are allowed, not {len(tests):,}")
    if (size := _code_size(row)) > MAX_CODE:
        raise UserError(
            f"problem: its prompt, helpers, preamble, gold solution and tests in Python may have at most {MAX_CODE:,} "
            f"characters together, not {size:,}"
        )
    if not item.exact and (missing := FORMAT.missing(row)):
        raise UserError(f"problem: lacks {', '.join(missing)}")
    problem = exact_problem(row) if item.exact else FORMAT.read(row, "problem")
    if not problem.tests:
        raise UserError("problem: there are no tests to run")
    return problem, task_digest(problem, problem.tests, limits)


def _code_size(row: Mapping[str, Any]) -> int:
    """Return the number of characters in a row's prompt, gold solution, helpers, preamble and tests in Python."""
    tests = row.get("tests")
    parts = [row.get(name) for name in ("prompt", "gold", "helpers", "preamble")]
    for test in tests if isinstance(tests, list) else [tests]:
        if not isinstance(test, dict):
            parts.append(test)
        elif (kind := KINDS.get(str(test.get("kind")))) is not None and kind.python:
            parts.append(test.get("source"))
    return sum(len(part) for part in parts if isinstance(part, str))
