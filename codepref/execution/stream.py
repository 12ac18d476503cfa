"""Runs tasks as they come from other threads, and reports each result as soon as it is ready.

`Engine.run` yields results in the order of its tasks, so one slow task holds back all later ones. A `StreamEngine` has
no such order. It also puts solutions of several requests into one job where their tasks are equal, since preparing a
task takes longer than running a short solution.
"""

from __future__ import annotations

import contextlib
import math
import os
import selectors
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Any

from codepref.execution.engine import Engine
from codepref.execution.limits import Limits
from codepref.execution.state import Job, TaskState
from codepref.execution.tasks import Task
from codepref.execution.worker import Worker, WorkerLost
from codepref.records import VerdictMatrix

MAX_JOINED = 32
"""The largest number of solutions in one job. A worker runs them one after another."""

MAX_STREAK = 128
"""After this many solutions of one task in a row, a worker takes another task if another one waits."""


class Work:
    """A task that a client wants to have run.

    done: called once, in the thread of the engine, with this work, unless the work is cancelled or the engine ends
        before. `matrix` or `error` is then set.
    gold_seconds: as in `TaskState`.

    Attributes:
        printed: what a program printed in a test of kind "run", as JSON, by the text of the solution.
        begun: whether a job with solutions of the task has been made for a worker.
    """

    def __init__(
        self, task: Task, limits: Limits, done: Callable[[Work], None], *, gold_seconds: float | None = None
    ) -> None:
        self.task, self.limits, self.done, self.gold_seconds = task, limits, done, gold_seconds
        self.matrix: VerdictMatrix | None = None
        self.error: BaseException | None = None
        self.printed: dict[str, bytes] = {}
        self.begun = self.cancelled = False


class JoinedJob:
    """Some solutions of one or more tasks that are equal apart from their solutions. One worker runs them.

    Attributes:
        touched: the states whose solutions got a result, or were given back, since the engine last looked.
    """

    def __init__(self, parts: list[tuple[TaskState, Job]]) -> None:
        self._jobs = {number: job for number, (_, job) in enumerate(parts)}
        self._states = [state for state, _ in parts]
        self._origin: dict[int, tuple[int, int]] = {}
        self.touched: list[TaskState] = []

    @property
    def first(self) -> TaskState:
        """The state of the first solution."""
        return self._states[0]

    @property
    def pending(self) -> bool:
        """Whether results of this job are missing."""
        return any(job.pending for job in self._jobs.values())

    def sources(self) -> list[tuple[int, str]]:
        """Return a number and the text of each solution, as they are sent to the worker."""
        texts: list[tuple[int, str]] = []
        for number, job in self._jobs.items():
            for index, text in job.sources():
                self._origin[len(texts)] = (number, index)
                texts.append((len(texts), text))
        return texts

    def settle(self, *message: Any) -> int:
        """Take over one result as the worker sent it (see `Job.settle`)."""
        number, index = self._where(message[0] if message else None)
        self.touched.append(self._states[number])
        return self._jobs[number].settle(index, *message[1:])

    def keep_printed(self, place: object, printed: object) -> None:
        """Keep what a program printed (see `Job.keep_printed`)."""
        number, index = self._where(place)
        self._jobs[number].keep_printed(index, printed)

    def _where(self, place: object) -> tuple[int, int]:
        """Return the job of a solution and its number there.

        If the worker sent no valid number, return the first job with missing results and -1, which no solution has.
        """
        if isinstance(place, int) and place in self._origin:
            return self._origin[place]
        return next(number for number, job in self._jobs.items() if job.pending), -1

    def give_back(self, cause: str, *, unprepared: bool) -> int:
        """After the loss of the worker, let the solutions without a result wait again.

        The first of them counts as the cause of the loss. If the worker could not prepare the task, the first solution
        of each request counts. Give up solutions that were the cause too often. Return the number of solutions that got
        their verdict.
        """
        settled, first = 0, True
        for number, job in self._jobs.items():
            if job.pending:
                self.touched.append(self._states[number])
                if first or unprepared:
                    settled += job.give_back(cause, unprepared=unprepared)
                else:
                    job.wait_again()
                first = False
        return settled


class StreamEngine(Engine):
    """An engine that other threads give work to. One thread calls `serve`, and others call `submit` and `cancel`."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._selector.register(self._wake, selectors.EVENT_READ)
        self._inbox: deque[Work] = deque()
        self._open: dict[TaskState, Work] = {}
        self._queues: OrderedDict[bytes, deque[TaskState]] = OrderedDict()
        self._queued: set[TaskState] = set()
        self._streaks: dict[Worker, int] = {}
        self._stopped = False

    def submit(self, work: Work) -> None:
        """Have a task run. `work.done` is called when the task has its verdicts, or if it is malformed."""
        self._inbox.append(work)
        self._wake_up()

    def cancel(self, work: Work) -> None:
        """Give no further solutions of this work to workers. A worker finishes the solutions that it already has.

        `work.done` is not called any more.
        """
        work.cancelled = True

    def stop(self) -> None:
        """Let `serve` return soon. Work that is not finished stays unfinished."""
        self._stopped = True
        self._wake_up()

    def _wake_up(self) -> None:
        os.eventfd_write(self._wake, 1)

    def serve(self) -> None:
        """Run the work of other threads until `stop` is called.

        Raises MachineError if workers cannot start or cannot do their work. `unfinished` then returns the work that
        has no result.
        """
        while not self._stopped:
            self._admit()
            self._assign_queued()
            self._listen()

    def unfinished(self) -> list[Work]:
        """Forget the work that has no result. Return it, apart from work that was cancelled."""
        left = [*self._open.values(), *self._inbox]
        self._open.clear()
        self._inbox.clear()
        return [work for work in left if not work.cancelled]

    def close(self) -> None:
        """End all workers and all processes that they have started."""
        self._selector.unregister(self._wake)
        super().close()
        os.close(self._wake)

    def _admit(self) -> None:
        while self._inbox:
            work = self._inbox.popleft()
            if work.cancelled:
                continue
            try:
                state = TaskState(work.task, work.limits, self.jobs, gold_seconds=work.gold_seconds)
            except Exception as error:  # noqa: BLE001 - the error belongs to this work alone, and its client gets it
                work.error = error
                work.done(work)
                continue
            self._open[state] = work
            self._review(state)

    def _review(self, state: TaskState) -> None:
        """Report the state if it has finished. Otherwise queue it if it has waiting solutions."""
        work = self._open.get(state)
        if work is None:
            return
        if state.finished:
            del self._open[state]
            work.matrix, work.printed = state.matrix(), state.printed
            if not work.cancelled:
                work.done(work)
        elif state.pending and state not in self._queued:
            self._queued.add(state)
            self._queues.setdefault(state.data, deque()).append(state)

    def _assign_queued(self) -> None:
        """Give every idle worker a job, as long as solutions wait. Start workers if solutions still wait."""
        while self._queues:
            idle = [worker for worker in self._workers if worker.job is None]
            if not idle:
                if len(self._workers) >= self.jobs:
                    return
                idle = self._start_workers(1 if self._workers else min(self.jobs, len(self._queued)))
            worker, data = self._choose(idle)
            if job := self._next_job(data):
                self._send(worker, data, job)

    def _choose(self, idle: list[Worker]) -> tuple[Worker, bytes]:
        """Return a worker and the task that it works on next.

        A worker that has prepared a waiting task continues with it for a while (see MAX_STREAK). Otherwise it takes the
        first task of the queue that no busy worker has prepared, or the first one if there is no such task.
        """
        for worker in idle:
            fresh = self._streaks.get(worker, 0) < MAX_STREAK or len(self._queues) == 1
            if worker.prepared in self._queues and fresh:
                return worker, worker.prepared
        prepared = {worker.prepared for worker in self._workers if worker.job is not None}
        data = next((data for data in self._queues if data not in prepared), next(iter(self._queues)))
        return idle[0], data

    def _next_job(self, data: bytes) -> JoinedJob | None:
        """Take solutions of one task out of its queue. Return None if all of its work has been cancelled."""
        queue = self._queues.pop(data)
        waiting = sum(state.waiting for state in queue)
        alone = len(self._queues) < self.jobs  # the other workers may then lack other tasks
        left = min(MAX_JOINED, math.ceil(waiting / (2 * self.jobs)) if alone else waiting)
        parts: list[tuple[TaskState, Job]] = []
        while queue and left > 0:
            state = queue.popleft()
            self._queued.discard(state)
            if (work := self._open[state]).cancelled:
                del self._open[state]
                continue
            work.begun = True
            count = min(left, state.waiting)
            parts.append((state, state.take(count)))
            left -= count
            if state.pending:
                self._queued.add(state)
                queue.append(state)
        if queue:
            self._queues[data] = queue  # at the end, so that other tasks get their turn
        return JoinedJob(parts) if parts else None

    def _send(self, worker: Worker, data: bytes, job: JoinedJob) -> None:
        sources = job.sources()
        same = worker.prepared == data
        self._streaks[worker] = self._streaks.get(worker, 0) * same + len(sources)
        worker.job, worker.last = job, job.first
        known: dict[int, bytes] = {}
        if not same and self._cache.on:
            keys = worker.last.expected_keys()
            known = {at: body for at, key in keys.items() if (body := self._cache.read(key))}
        try:
            worker.send(data, sources, known, self._cache.on)
        except WorkerLost as error:
            self._lost(worker, str(error))

    def _listen(self) -> None:
        super()._listen()
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._wake)

    def _take(self, worker: Worker, kind: str, *parts: Any) -> None:
        job = worker.job
        super()._take(worker, kind, *parts)
        self._review_touched(job)

    def _lost(self, worker: Worker, cause: str, *, unprepared: bool = False) -> None:
        job = worker.job
        self._streaks.pop(worker, None)
        super()._lost(worker, cause, unprepared=unprepared)
        self._review_touched(job)

    def _review_touched(self, job: JoinedJob | None) -> None:
        while job is not None and job.touched:
            self._review(job.touched.pop())
