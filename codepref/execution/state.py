"""The state of one task in the engine: its distinct solutions, which of them are pending, and the results so far."""

from __future__ import annotations

import math
from collections import Counter, deque
from itertools import repeat

from codepref.execution.limits import Limits
from codepref.execution.tasks import Task, encode_task, expected_keys
from codepref.problems.kinds import kind_of
from codepref.records import (
    ANSWER_DIGEST_BYTES,
    ERROR,
    INFRASTRUCTURE,
    PASS,
    SKIPPED,
    TIMEOUT,
    VERDICT_CODES,
    Verdict,
    VerdictMatrix,
)

MAX_FAILURES = 3
"""How many lost workers or failed preparations lead to the code I.

A solution gets the code I after this many workers were lost while it was their next solution to get a result. All
waiting solutions of a task get the code I after this many failed preparations of the task.
"""

MAX_JOB = 64
"""The largest number of solutions in one job."""

SolutionResult = tuple[str, bool, float, str, bytes]
"""The result of one solution in one attempt or two.

It holds the codes, whether a test shared a process with the solution, CPU milliseconds, the first failure in words, and
the digests of the answers.
"""

OPEN_CODES = TIMEOUT + SKIPPED
"""The codes of a first attempt that the second attempt may change.

The second attempt keeps the other codes of the first attempt. Otherwise a solution that guesses could time out on
purpose and guess again.
"""


def merged(first: SolutionResult, second: SolutionResult) -> SolutionResult:
    """Return the combined result of two attempts.

    The second attempt decides only the tests that the first attempt left open. The CPU time is that of the second
    attempt.
    """
    stays = [code not in OPEN_CODES for code in first[0]]
    codes = "".join(old if stay else new for old, new, stay in zip(first[0], second[0], stays, strict=True))
    size, unknown = ANSWER_DIGEST_BYTES, bytes(ANSWER_DIGEST_BYTES * len(stays))
    old_digests, new_digests = first[4] or unknown, second[4] or unknown
    digests = b"".join(
        (old_digests if stay else new_digests)[size * at : size * (at + 1)] for at, stay in enumerate(stays)
    )
    failed = any(stay and code != PASS for code, stay in zip(first[0], stays, strict=True))
    detail = "" if codes == PASS * len(codes) else first[3] if failed else second[3]
    return codes, first[1] or second[1], second[2], detail, digests if any(digests) else b""


class TaskState:
    """The state of one task, which runs in one attempt or two (see `Limits.timeout_factor`).

    A solution that runs out of time in the first attempt waits until the others have their verdicts. The CPU time of
    the others then decides whether the waiting solutions get a second attempt.

    Attributes:
        data: the encoded task.
        sources: the distinct solutions, and the gold solution if only its time is needed.
        size: the size of `data` and `sources` together.
        printed: for each solution that ran in a test of kind "run", what the sandbox reported about it, as JSON.

    gold_seconds: the CPU seconds of the gold solution, or 0 if the gold solution is known not to be right. With None,
        the gold solution runs if its time is needed.
    """

    def __init__(self, task: Task, limits: Limits, jobs: int, *, gold_seconds: float | None = None) -> None:
        self.task, self.limits, self._jobs = task, limits, jobs
        self._cpu_seconds = limits.first_cpu_seconds
        self.data = encode_task(task, limits, self._cpu_seconds)
        self.printed: dict[str, bytes] = {}
        self._copies: Counter[str] = Counter()
        for solution, count in zip(task.solutions, task.copies or repeat(1), strict=False):
            self._copies[solution.text] += count
        gold = task.problem.gold
        timed = self._is_first_attempt and not all(kind_of(test).has_reference for test in task.tests)
        if gold and timed and gold_seconds is None and gold not in self._copies and self._copies:
            self._copies[gold] = 0  # only its time is needed, not its verdict
        self.sources = list(self._copies)
        self.size = len(self.data) + sum(map(len, self.sources))
        self._results: dict[str, SolutionResult] = {}
        self._keys: dict[int, str] | None = None
        self._late: dict[int, SolutionResult] = {}
        self._first_results: dict[int, SolutionResult] = {}
        self._slowest: float | None = gold_seconds or None
        self._waiting: deque[int] = deque()
        self._failures = [0] * len(self.sources)
        self._unprepared = 0
        for index, source in enumerate(self.sources):
            if not source.strip():
                self._results[source] = (ERROR * len(task.tests), False, 0.0, "no code", b"")
            elif not task.tests:
                self._results[source] = ("", False, 0.0, "no tests", b"")
            else:
                self._waiting.append(index)

    @property
    def _is_first_attempt(self) -> bool:
        return self._cpu_seconds < self.limits.cpu_seconds

    def expected_keys(self) -> dict[int, str]:
        """Return the keys of expected outputs in the cache, by the index of each test that has a reference solution."""
        if self._keys is None:
            self._keys = expected_keys(self.task, self.limits)
        return self._keys

    @property
    def pending(self) -> bool:
        """Whether solutions wait for a worker."""
        return bool(self._waiting)

    @property
    def waiting(self) -> int:
        """The number of solutions that wait for a worker."""
        return len(self._waiting)

    @property
    def finished(self) -> bool:
        """Whether every distinct solution has its verdict."""
        return len(self._results) == len(self.sources)

    @property
    def settled(self) -> int:
        """The number of solutions that have their verdict, copies included."""
        return sum(self._copies[source] for source in self._results)

    def next_job(self, *, last: bool = True) -> Job:
        """Return a job with the next waiting solutions.

        last: whether the other workers may lack other tasks. The job then leaves solutions for them.
        """
        # Jobs shrink towards the end, so that the workers end at about the same time.
        share = math.ceil(len(self._waiting) / (2 * self._jobs)) if last else len(self._waiting)
        return self.take(min(len(self._waiting), MAX_JOB, share))

    def take(self, count: int) -> Job:
        """Return a job with the next `count` waiting solutions."""
        return Job(self, [self._waiting.popleft() for _ in range(count)])

    def settle(self, index: int, result: SolutionResult) -> int:
        """Take over the result of one solution. Return the number of solutions that got their verdict by it."""
        if first := self._first_results.pop(index, None):
            result = merged(first, result)
        codes, _, cpu_ms, *_ = result
        if self._is_late(codes):
            self._late[index] = result
            return self._end_attempt()
        if PASS in codes and TIMEOUT not in codes:
            self._slowest = max(self._slowest or 0.0, cpu_ms / 1000)
        self._results[self.sources[index]] = result
        return self._copies[self.sources[index]] + self._end_attempt()

    def _is_late(self, codes: str) -> bool:
        """Return whether a solution may get a second attempt with more time.

        A test with a reference solution has its full limit already in the first attempt.
        """
        timed_out = (test for test, code in zip(self.task.tests, codes, strict=True) if code == TIMEOUT)
        return self._is_first_attempt and not all(kind_of(test).has_reference for test in timed_out)

    def _end_attempt(self) -> int:
        """If only late solutions are left, settle them or run them again with more time.

        Return the number of solutions that got their verdict.
        """
        if not self._late or len(self._late) + len(self._results) < len(self.sources):
            return 0
        late, self._late = self._late, {}
        allowed = self.limits.second_cpu_seconds(self._slowest)
        before, self._cpu_seconds = self._cpu_seconds, self.limits.cpu_seconds
        unwanted = [index for index in late if not self._copies[self.sources[index]]]
        if allowed > before:
            self.data = encode_task(self.task, self.limits, allowed)
            self._first_results = {index: late[index] for index in late if index not in unwanted}
            self._waiting.extend(self._first_results)
        settled = unwanted if allowed > before else list(late)
        for index in settled:
            self._results[self.sources[index]] = late[index]
        return sum(self._copies[self.sources[index]] for index in settled)

    def failed(self, index: int, cause: str, *, unprepared: bool) -> int | None:
        """Record that a worker was lost while it ran a solution or prepared its task.

        unprepared: the worker could not prepare the task.
        Return None if the solution is to be tried again. Otherwise give it up, and return the number of solutions that
        got their verdict.
        """
        self._failures[index] += 1
        self._unprepared += unprepared
        if max(self._failures[index], self._unprepared) < MAX_FAILURES:
            return None
        return self.settle(index, (INFRASTRUCTURE * len(self.task.tests), False, 0.0, cause, b""))

    def give_up_unprepared(self, cause: str) -> int:
        """Give up all waiting solutions if the preparation of the task has failed MAX_FAILURES times.

        Return the number of solutions that got their verdict.
        """
        if self._unprepared < MAX_FAILURES:
            return 0
        indices, codes = list(self._waiting), INFRASTRUCTURE * len(self.task.tests)
        self._waiting.clear()
        return sum(self.settle(index, (codes, False, 0.0, cause, b"")) for index in indices)

    def wait(self, indices: list[int]) -> None:
        """Put solutions back at the front of the waiting solutions."""
        self._waiting.extendleft(reversed(indices))

    def matrix(self) -> VerdictMatrix:
        """Return all verdicts, one for each solution, in the task's order."""
        verdicts = []
        for solution in self.task.solutions:
            codes, shared, cpu_ms, detail, answer_digests = self._results[solution.text]
            isolation = "shared" if shared else "separate"
            parts = (self.task.problem.task_id, solution.solution_id, solution.text)
            verdicts.append(Verdict(*parts, codes, isolation, cpu_ms, detail, answer_digests))  # type: ignore[arg-type]
        return VerdictMatrix(self.task.problem.task_id, tuple(self.task.tests), tuple(verdicts))


class Job:
    """Some solutions of one task, which one worker runs."""

    def __init__(self, state: TaskState, indices: list[int]) -> None:
        self._state = state
        self._left = indices

    @property
    def pending(self) -> bool:
        """Whether results of this job are missing."""
        return bool(self._left)

    def sources(self) -> list[tuple[int, str]]:
        """Return the index and the text of each solution, as they are sent to the worker."""
        return [(index, self._state.sources[index]) for index in self._left]

    def keep_printed(self, index: object, printed: object) -> None:
        """Keep what a program printed in a test of kind "run", as the worker sent it."""
        if index in self._left and isinstance(index, int) and isinstance(printed, bytes):
            self._state.printed[self._state.sources[index]] = printed

    def settle(self, *message: object) -> int:
        """Take over one result as the worker sent it: the index of the solution and a SolutionResult.

        After a malformed message the first solution without a result gets the code I. Return the number of solutions
        that got their verdict.
        """
        tests = len(self._state.task.tests)
        match message:
            case (int(index), str(codes), shared, float(cpu_ms), detail, bytes(answer_digests)) if (
                index in self._left
                and len(codes) == tests
                and set(codes) <= set(VERDICT_CODES)
                and len(answer_digests) == ANSWER_DIGEST_BYTES * tests
            ):
                result = (codes, bool(shared), cpu_ms, str(detail), answer_digests if any(answer_digests) else b"")
            case _:
                index, cause = self._left[0], f"the worker sent a malformed result: {str(message)[:50]!r}"
                result = (INFRASTRUCTURE * tests, False, 0.0, cause, b"")
        self._left.remove(index)
        return self._state.settle(index, result)

    def wait_again(self) -> None:
        """Let the solutions without a result wait for another worker."""
        self._state.wait(self._left)
        self._left = []

    def give_back(self, cause: str, *, unprepared: bool) -> int:
        """After the loss of the worker, let the solutions without a result wait for another worker, or give them up.

        Return the number of solutions that got their verdict.
        """
        if not self._left:
            return 0
        given_up = self._state.failed(self._left[0], cause, unprepared=unprepared)
        self._state.wait(self._left if given_up is None else self._left[1:])
        return (given_up or 0) + self._state.give_up_unprepared(cause)
