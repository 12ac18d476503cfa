"""What a task still owes: its distinct solutions, in jobs for workers, and their verdicts as they come."""

from __future__ import annotations

import math
from collections import Counter, deque
from itertools import repeat

from codepref.execution.limits import Limits
from codepref.execution.tasks import Task, encode_task, packages_of
from codepref.records import ERROR, INFRASTRUCTURE, VERDICT_LETTERS, Verdict, VerdictMatrix

MAX_FAILURES = 3
"""A solution that took down so many workers gets the letter I; so does a task that could not be prepared as often."""

LARGEST_JOB = 64


class TaskState:
    """One task in work. `owed`: whether something of it waits for a worker. `finished`: whether all is judged."""

    def __init__(self, task: Task, limits: Limits, jobs: int) -> None:
        self.task = task
        self.data = encode_task(task, limits)
        self.packages = packages_of(task)
        self._copies: Counter[str] = Counter()
        for solution, count in zip(task.solutions, task.copies or repeat(1), strict=False):
            self._copies[solution.text] += count
        self.sources = list(self._copies)
        self._verdicts: dict[str, tuple[str, bool, float, str]] = {}
        self._waiting: deque[int] = deque()
        self._failures = [0] * len(self.sources)
        self._unprepared = 0
        even = math.ceil(len(self.sources) / jobs)
        # a reference is run once a job, so such tasks are cut into few jobs
        costly = any(test.kind == "inputs" for test in task.tests)
        self._job_size = even if costly else max(1, min(LARGEST_JOB, math.ceil(even / 2)))
        for place, source in enumerate(self.sources):
            if not source.strip():
                self._verdicts[source] = (ERROR * len(task.tests), False, 0.0, "no code")
            elif not task.tests:
                self._verdicts[source] = ("", False, 0.0, "no tests")
            else:
                self._waiting.append(place)

    @property
    def owed(self) -> bool:
        """Whether solutions wait for a worker."""
        return bool(self._waiting)

    @property
    def finished(self) -> bool:
        """Whether every distinct solution has its verdict."""
        return len(self._verdicts) == len(self.sources)

    @property
    def settled(self) -> int:
        """The number of solutions that have their verdict."""
        return sum(self._copies[source] for source in self._verdicts)

    def next_job(self) -> Job:
        """The next solutions for one worker."""
        count = min(self._job_size, len(self._waiting))
        return Job(self, [self._waiting.popleft() for _ in range(count)])

    def settle(self, place: int, verdict: tuple[str, bool, float, str]) -> int:
        """Keep a verdict; the number of solutions that have this source."""
        source = self.sources[place]
        self._verdicts[source] = verdict
        return self._copies[source]

    def failed(self, place: int, cause: str, *, unprepared: bool) -> int:
        """A worker was lost at solution `place`. The number of solutions given up: 0 when it is to be tried again."""
        self._failures[place] += 1
        self._unprepared += unprepared
        if max(self._failures[place], self._unprepared) < MAX_FAILURES:
            return 0
        return self.settle(place, (INFRASTRUCTURE * len(self.task.tests), False, 0.0, cause))

    def wait(self, places: list[int]) -> None:
        """Put solutions back, to be tried before the others."""
        self._waiting.extendleft(reversed(places))

    def matrix(self) -> VerdictMatrix:
        """All verdicts, one a solution, in the task's order."""
        verdicts = []
        for solution in self.task.solutions:
            letters, shared, cpu_ms, detail = self._verdicts[solution.text]
            isolation = "shared" if shared else "separate"
            parts = (self.task.problem.task_id, solution.solution_id, solution.text)
            verdicts.append(Verdict(*parts, letters, isolation, cpu_ms, detail))  # type: ignore[arg-type]
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

    def settle(self, place: object, letters: object, shared: object, cpu_ms: object, detail: object) -> int:
        """Take in one verdict as told by the worker; the number of solutions that it settles."""
        tests = len(self._state.task.tests)
        known = isinstance(letters, str) and len(letters) == tests and set(letters) <= set(VERDICT_LETTERS)
        if not (isinstance(place, int) and place in self._left and known and isinstance(cpu_ms, float)):
            letters, detail = INFRASTRUCTURE * tests, f"the worker told {str(letters)[:50]!r}"
            place, cpu_ms = self._left[0], 0.0
        self._left.remove(place)
        return self._state.settle(place, (str(letters), bool(shared), cpu_ms, str(detail)))

    def give_back(self, cause: str, *, unprepared: bool) -> int:
        """The worker was lost: what it owed is to be tried again, or given up. The number given up."""
        if not self._left:
            return 0
        given_up = self._state.failed(self._left[0], cause, unprepared=unprepared)
        self._state.wait(self._left[1:] if given_up else self._left)
        return given_up
