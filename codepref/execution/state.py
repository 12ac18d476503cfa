"""What a task still owes: its distinct solutions, in jobs for workers, and their verdicts as they come."""

from __future__ import annotations

import math
from collections import Counter, deque
from itertools import repeat

from codepref.execution.limits import Limits
from codepref.execution.tasks import Task, encode_task, expected_keys
from codepref.records import (
    ANSWER_DIGEST_BYTES,
    ERROR,
    INFRASTRUCTURE,
    PASS,
    TIMEOUT,
    VERDICT_CODES,
    Verdict,
    VerdictMatrix,
)

MAX_FAILURES = 3
"""A solution that took down so many workers gets the code I; so does a task that could not be prepared as often."""

LARGEST_JOB = 64

Outcome = tuple[str, bool, float, str, bytes]
"""Codes, whether a test shared a process, CPU milliseconds, the first failure in words, digests of the answers."""


class TaskState:
    """One task in work, in one round or two (`Limits.patience`): what runs out of time in the first waits for the
    others, whose CPU time tells whether it may have more.
    """

    def __init__(self, task: Task, limits: Limits, jobs: int) -> None:
        self.task, self.limits, self._jobs = task, limits, jobs
        self._round = limits.first_seconds
        self.data = encode_task(task, limits, self._round)
        self._copies: Counter[str] = Counter()
        for solution, count in zip(task.solutions, task.copies or repeat(1), strict=False):
            self._copies[solution.text] += count
        gold = task.problem.gold
        timed = self._round < limits.cpu_seconds and any(test.kind != "inputs" for test in task.tests)
        if gold and timed and gold not in self._copies and self._copies:
            self._copies[gold] = 0  # nobody asked for its verdict, only its time is wanted
        self.sources = list(self._copies)
        self.size = len(self.data) + sum(map(len, self.sources))
        self._verdicts: dict[str, Outcome] = {}
        self._keys: dict[int, str] | None = None
        self._late: dict[int, Outcome] = {}
        self._slowest: float | None = None
        self._waiting: deque[int] = deque()
        self._failures = [0] * len(self.sources)
        self._unprepared = 0
        for place, source in enumerate(self.sources):
            if not source.strip():
                self._verdicts[source] = (ERROR * len(task.tests), False, 0.0, "no code", b"")
            elif not task.tests:
                self._verdicts[source] = ("", False, 0.0, "no tests", b"")
            else:
                self._waiting.append(place)

    def expected_keys(self) -> dict[int, str]:
        """By test of kind "inputs": the key of its expected outputs (`ExpectedCache`)."""
        if self._keys is None:
            self._keys = expected_keys(self.task, self.limits)
        return self._keys

    @property
    def owed(self) -> bool:
        """Whether solutions wait for a worker."""
        return bool(self._waiting)

    @property
    def waiting(self) -> int:
        """How many solutions wait for a worker."""
        return len(self._waiting)

    @property
    def finished(self) -> bool:
        """Whether every distinct solution has its verdict."""
        return len(self._verdicts) == len(self.sources)

    @property
    def settled(self) -> int:
        """The number of solutions that have their verdict."""
        return sum(self._copies[source] for source in self._verdicts)

    def next_job(self, *, last: bool = True) -> Job:
        """The next solutions for one worker. last: there may be no other task for the other workers."""
        # then ever smaller towards the end, so that workers end together
        share = math.ceil(len(self._waiting) / (2 * self._jobs)) if last else len(self._waiting)
        count = min(len(self._waiting), LARGEST_JOB, share)
        return Job(self, [self._waiting.popleft() for _ in range(count)])

    def settle(self, place: int, verdict: Outcome) -> int:
        """Take in a verdict; the number of solutions that are settled by it."""
        codes, _, cpu_ms, *_ = verdict
        if self._is_late(codes):
            self._late[place] = verdict
            return self._end_round()
        if PASS in codes and TIMEOUT not in codes:
            self._slowest = max(self._slowest or 0.0, cpu_ms / 1000)
        self._verdicts[self.sources[place]] = verdict
        return self._copies[self.sources[place]] + self._end_round()

    def _is_late(self, codes: str) -> bool:
        """Whether a solution may be given more time. Tests of kind "inputs" know their limit from their reference."""
        timed_out = (test.kind for test, code in zip(self.task.tests, codes, strict=True) if code == TIMEOUT)
        return self._round < self.limits.cpu_seconds and any(kind != "inputs" for kind in timed_out)

    def _end_round(self) -> int:
        """When only the late ones are left: settle them, or have them run again with more time. How many settled."""
        if not self._late or len(self._late) + len(self._verdicts) < len(self.sources):
            return 0
        late, self._late = self._late, {}
        allowed = self.limits.late(self._slowest)
        before, self._round = self._round, self.limits.cpu_seconds
        unasked = [place for place in late if not self._copies[self.sources[place]]]
        if allowed > before:
            self.data = encode_task(self.task, self.limits, allowed)
            self._waiting.extend(place for place in late if place not in unasked)
        settled = unasked if allowed > before else list(late)
        for place in settled:
            self._verdicts[self.sources[place]] = late[place]
        return sum(self._copies[self.sources[place]] for place in settled)

    def failed(self, place: int, cause: str, *, unprepared: bool) -> int | None:
        """A worker was lost at solution `place`. None when it is to be tried again, else what that settles."""
        self._failures[place] += 1
        self._unprepared += unprepared
        if max(self._failures[place], self._unprepared) < MAX_FAILURES:
            return None
        return self.settle(place, (INFRASTRUCTURE * len(self.task.tests), False, 0.0, cause, b""))

    def give_up_unprepared(self, cause: str) -> int:
        """Give up all that waits when the task could not be prepared so often; the number of solutions."""
        if self._unprepared < MAX_FAILURES:
            return 0
        places, codes = list(self._waiting), INFRASTRUCTURE * len(self.task.tests)
        self._waiting.clear()
        return sum(self.settle(place, (codes, False, 0.0, cause, b"")) for place in places)

    def wait(self, places: list[int]) -> None:
        """Put solutions back, to be tried before the others."""
        self._waiting.extendleft(reversed(places))

    def matrix(self) -> VerdictMatrix:
        """All verdicts, one a solution, in the task's order."""
        verdicts = []
        for solution in self.task.solutions:
            codes, shared, cpu_ms, detail, answer_digests = self._verdicts[solution.text]
            isolation = "shared" if shared else "separate"
            parts = (self.task.problem.task_id, solution.solution_id, solution.text)
            verdicts.append(Verdict(*parts, codes, isolation, cpu_ms, detail, answer_digests))  # type: ignore[arg-type]
        return VerdictMatrix(self.task.problem.task_id, tuple(self.task.tests), tuple(verdicts))


class Job:
    """Some solutions of one task on their way through one worker."""

    def __init__(self, state: TaskState, places: list[int]) -> None:
        self._state = state
        self._left = places

    @property
    def owed(self) -> bool:
        """Whether verdicts are missing."""
        return bool(self._left)

    def sources(self) -> list[tuple[int, str]]:
        """What the worker is sent."""
        return [(place, self._state.sources[place]) for place in self._left]

    def settle(self, *told: object) -> int:
        """Take in one verdict as told by the worker (its place and an Outcome); the number of solutions that it
        settles.
        """
        tests = len(self._state.task.tests)
        match told:
            case (int(place), str(codes), shared, float(cpu_ms), detail, bytes(answer_digests)) if (
                place in self._left
                and len(codes) == tests
                and set(codes) <= set(VERDICT_CODES)
                and len(answer_digests) == ANSWER_DIGEST_BYTES * tests
            ):
                verdict = (codes, bool(shared), cpu_ms, str(detail), answer_digests if any(answer_digests) else b"")
            case _:
                place, cause = self._left[0], f"the worker told {str(told)[:50]!r}"
                verdict = (INFRASTRUCTURE * tests, False, 0.0, cause, b"")
        self._left.remove(place)
        return self._state.settle(place, verdict)

    def give_back(self, cause: str, *, unprepared: bool) -> int:
        """The worker was lost: what it owed is to be tried again, or given up. The number given up."""
        if not self._left:
            return 0
        given_up = self._state.failed(self._left[0], cause, unprepared=unprepared)
        self._state.wait(self._left if given_up is None else self._left[1:])
        return (given_up or 0) + self._state.give_up_unprepared(cause)
