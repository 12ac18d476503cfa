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
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Any

from codepref.execution.engine import Engine
from codepref.execution.joined_job import JoinedJob
from codepref.execution.limits import Limits
from codepref.execution.state import Job, TaskState
from codepref.execution.tasks import Task
from codepref.execution.worker import Worker, WorkerLost
from codepref.records import VerdictMatrix

MAX_JOINED = 32
"""The largest number of solutions in one job. A worker runs them one after another."""

MAX_STREAK = 128
"""After this many solutions of one task in a row, a worker takes another task if another one waits."""


UNWANTED_SECONDS = 2.0
"""A worker that still runs solutions this long after their last client has gone is ended.

Otherwise clients that go could keep all workers busy, since a solution may take the limit of CPU time in each test.
Most solutions end sooner, and starting a worker takes a moment.
"""


class Work:
    """A task that a client wants to have run.

    done: called once, in the thread of the engine, with this work, when `matrix` or `error` is set. It is not called if
        the work is cancelled or the engine ends before.
    gold_seconds: as in `TaskState`.

    Attributes:
        printed: what the sandbox reported about each program of a test of kind "run", as JSON, by the program's text.
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


class StreamEngine(Engine):
    """An engine that other threads give work to. One thread calls `serve`, and others call `submit` and `cancel`."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._wake_lock = threading.Lock()
        self._closed = False
        self._selector.register(self._wake, selectors.EVENT_READ)
        self._inbox: deque[Work] = deque()
        self._open: dict[TaskState, Work] = {}
        self._queues: OrderedDict[bytes, deque[TaskState]] = OrderedDict()
        self._queued: set[TaskState] = set()
        self._streaks: dict[Worker, int] = {}
        self._unwanted: dict[Worker, float] = {}
        self._cancelled = False
        self._stopped = False

    def submit(self, work: Work) -> None:
        """Have a task run. `work.done` is called when the task has its verdicts, or if it is malformed."""
        self._inbox.append(work)
        self._wake_up()

    def cancel(self, work: Work) -> None:
        """Give no further solutions of this work to workers. `work.done` is not called any more, unless it runs now.

        A worker that runs only solutions of cancelled work is ended after UNWANTED_SECONDS.
        """
        work.cancelled = self._cancelled = True
        self._wake_up()

    def stop(self) -> None:
        """Let `serve` return soon. Work that is not finished stays unfinished. After `close` this does nothing."""
        self._stopped = True
        self._wake_up()

    def _wake_up(self) -> None:
        with self._wake_lock:  # after `close`, the number of the descriptor may belong to another file
            if not self._closed:
                os.eventfd_write(self._wake, 1)

    def serve(self) -> None:
        """Run the work of other threads until `stop` is called.

        Raises MachineError if workers cannot start or cannot do their work. `unfinished` then returns the work that
        has no result.
        """
        while not self._stopped:
            self._admit()
            self._forget_cancelled()
            self._assign_queued()
            self._listen(1.0 if self._unwanted else None)

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
        with self._wake_lock:
            self._closed = True
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
        if work.cancelled:
            del self._open[state]
        elif state.finished:
            del self._open[state]
            work.matrix, work.printed = state.matrix(), state.printed
            work.done(work)
        elif state.pending and state not in self._queued:
            self._queued.add(state)
            self._queues.setdefault(state.data, deque()).append(state)

    def _forget_cancelled(self) -> None:
        """Forget waiting solutions that nobody wants any more.

        End workers that have run only such solutions for UNWANTED_SECONDS.
        """
        if self._cancelled:
            self._cancelled = False
            for data, queue in list(self._queues.items()):
                self._queues[data] = deque(state for state in queue if not self._forgotten(state))
                if not self._queues[data]:
                    del self._queues[data]
        now, unwanted = time.monotonic(), {}
        for worker in [worker for worker in self._workers if worker.job is not None]:
            works = [self._open.get(state) for state in worker.job.pending_states()]
            if all(work is None or work.cancelled for work in works):
                unwanted[worker] = self._unwanted.get(worker, now)
        self._unwanted = unwanted
        for worker in [worker for worker, since in unwanted.items() if now - since >= UNWANTED_SECONDS]:
            for state in worker.job.pending_states():
                self._open.pop(state, None)
            del self._unwanted[worker]
            self._streaks.pop(worker, None)
            self._discard(worker)

    def _forgotten(self, state: TaskState) -> bool:
        """Return whether nobody wants a waiting state any more. If so, forget the state."""
        work = self._open.get(state)
        if work is not None and not work.cancelled:
            return False
        self._queued.discard(state)
        self._open.pop(state, None)
        return True

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
            if self._forgotten(state):
                continue
            self._queued.discard(state)
            self._open[state].begun = True
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

    def _listen(self, seconds: float | None = None) -> None:
        super()._listen(seconds)
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
