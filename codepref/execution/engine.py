"""The engine hands tasks to workers, yields verdicts, and replaces workers that die or send nothing."""

from __future__ import annotations

import os
import selectors
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any

from codepref.errors import MachineError, UserError
from codepref.execution.expected_cache import ExpectedCache, user_cache
from codepref.execution.limits import Limits
from codepref.execution.rlimits import check_rlimits
from codepref.execution.state import Job, TaskState
from codepref.execution.tasks import Task
from codepref.execution.worker import Worker, WorkerLost, check_machine
from codepref.records import VerdictMatrix

SILENCE_SECONDS = 120.0
"""A worker that has a job and sends nothing for longer than this counts as lost.

While a worker waits for its processes, it usually sends a heartbeat every two seconds.
"""

MAX_LOST_IN_A_ROW = 30
"""After this many lost workers without a verdict between them, the engine raises MachineError.

Workers that could not prepare a task do not count.
"""

MAX_STARTS = 3
"""How many times the engine tries to start a worker, if each time it is killed or is not ready in time."""

MAX_TASKS_AHEAD, MAX_CHARACTERS_AHEAD = 64, 1 << 25
"""The engine reads no further task while it holds this number of tasks, or while the sizes of its tasks
(`TaskState.size`) add up to the second number.

Up to 2 * jobs + 2 tasks are always allowed, so that all workers have work.
"""

Progress = Callable[[int], None]


def usable_cpus() -> int:
    """Return the number of cores that this process may run on, or the number of all cores if Python cannot ask."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Engine:
    """Runs tasks on worker processes, which are kept for reuse. Use it as a context manager, or call `close`.

    jobs: the largest number of worker processes. None means one for each core that this process may use.
    unconfined: run untrusted programs without Landlock.
    progress: called with the number of solutions that have got their verdict since the last call.
    cache: the cache of expected outputs and of the results of programs that do nothing. None means the user's
        cache (`user_cache`). An unconfined engine uses no cache.

    Raises MachineError where Linux, a known architecture, the package sandlock or Landlock is missing, unless
    `unconfined` is true.
    Raises UserError for jobs below 1.
    """

    def __init__(
        self,
        *,
        jobs: int | None = None,
        unconfined: bool = False,
        progress: Progress | None = None,
        cache: ExpectedCache | None = None,
    ) -> None:
        if jobs is not None and jobs < 1:
            raise UserError(f"jobs must be at least 1, not {jobs}")
        if not unconfined:
            check_machine()
        self.jobs = jobs or usable_cpus()
        self._unconfined = unconfined
        # An unconfined program could write to the cache, and later runs would trust the content.
        self._cache = ExpectedCache(None) if unconfined else user_cache() if cache is None else cache
        self._progress = progress
        self._workers: list[Worker] = []
        self._selector = selectors.DefaultSelector()
        self._lost_in_a_row = 0

    @property
    def cache(self) -> ExpectedCache:
        """The cache of expected outputs and of the results of programs that do nothing. It may be off."""
        return self._cache

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End all workers and all processes that they have started."""
        for worker in self._workers:
            self._selector.unregister(worker)
            worker.close()
        self._workers.clear()
        self._selector.close()

    def run(self, tasks: Iterable[Task], *, limits: Limits | None = None) -> Iterator[VerdictMatrix]:
        """Run tasks. Yield one matrix for each task, in the order of `tasks`.

        Tasks are read ahead, within the limits that MAX_TASKS_AHEAD describes. If the generator is closed early,
        workers that are busy are ended.
        Raises UserError for a malformed task. Raises MachineError if a resource limit of this process (ulimit) is too
        low, or if workers cannot start or cannot do their work.
        """
        limits, source = limits or Limits(), iter(tasks)
        check_rlimits(limits, self.jobs)
        self._lost_in_a_row = 0
        window: deque[TaskState] = deque()
        exhausted = False
        try:
            while True:
                while not exhausted and self._may_read(window):
                    task = next(source, None)
                    exhausted = task is None
                    if task is not None:
                        window.append(TaskState(task, limits, self.jobs))
                        self._report(window[-1].settled)
                    if sum(state.pending for state in window) > 2 * self.jobs + 1:
                        break  # all workers have enough work, and they would wait while more tasks are read
                while window and window[0].finished:
                    yield window.popleft().matrix()
                if not window and exhausted:
                    return
                if window and not window[0].finished:
                    self._assign(window)
                    self._listen()
        finally:
            for worker in [worker for worker in self._workers if worker.job is not None]:
                self._discard(worker)

    def _may_read(self, window: deque[TaskState]) -> bool:
        """Return whether there is room for another task.

        The room lets workers run other tasks while a slow task holds back all later matrices.
        """
        if len(window) <= 2 * self.jobs + 1:
            return True
        return len(window) < MAX_TASKS_AHEAD and sum(state.size for state in window) < MAX_CHARACTERS_AHEAD

    def _assign(self, window: deque[TaskState]) -> None:
        """Give every idle worker a job, as long as solutions wait. Start workers if solutions still wait."""
        while True:
            idle = [worker for worker in self._workers if worker.job is None]
            may_start = len(self._workers) < self.jobs
            state = self._next_state(window) if idle or may_start else None
            if state is None:
                return
            idle = idle or self._start_workers(1 if self._workers else self._useful(window))
            worker = next((worker for worker in idle if worker.last is not None and worker.last.pending), idle[0])
            if worker.last is not None and worker.last in window and worker.last.pending:
                state = worker.last
            others = sum(other.pending for other in window) - 1
            worker.job, worker.last = state.next_job(last=others < 2 * self.jobs), state
            known: dict[int, bytes] = {}
            if worker.prepared != state.data and self._cache.on:
                known = {at: data for at, key in state.expected_keys().items() if (data := self._cache.read(key))}
            try:
                worker.send(state.data, worker.job.sources(), known, self._cache.on)
            except WorkerLost as error:
                self._lost(worker, str(error))

    def _next_state(self, window: deque[TaskState]) -> TaskState | None:
        """Return a task with waiting solutions, or None if no solution waits.

        This is the first such task that no busy worker works on, because a second worker takes time to prepare the same
        task. If busy workers work on all such tasks, it is the first of them.
        """
        open_tasks = [state for state in window if state.pending]
        at_work = [worker.last for worker in self._workers if worker.job is not None]
        return next((state for state in open_tasks if state not in at_work), open_tasks[0] if open_tasks else None)

    def _useful(self, window: deque[TaskState]) -> int:
        """Return how many workers to start first: one for each waiting solution, but at most `jobs`."""
        return min(self.jobs, sum(state.waiting for state in window))

    def _start_workers(self, count: int) -> list[Worker]:
        """Start `count` workers in parallel, and return them when all are ready."""
        starting: list[Worker] = []
        try:
            for _ in range(count):
                starting.append(Worker(unconfined=self._unconfined))
            for index in range(count):
                self._await(starting, index)
        except BaseException:
            for worker in starting:
                worker.close()
            raise
        for worker in starting:
            self._workers.append(worker)
            self._selector.register(worker, selectors.EVENT_READ)
        return starting

    def _await(self, starting: list[Worker], index: int) -> None:
        """Wait until the worker at `index` is ready.

        Replace a worker that is killed during its start or is not ready in time. Raises MachineError after MAX_STARTS
        such starts, and at once if a worker cannot start for another reason.
        """
        for left in reversed(range(MAX_STARTS)):
            try:
                starting[index].wait_ready()
                return
            except WorkerLost as error:
                if not left:
                    raise MachineError(f"no worker can be started: {error}") from None
                starting[index].close()
                starting[index] = Worker(unconfined=self._unconfined)

    def _listen(self, seconds: float | None = None) -> None:
        """Wait for messages of workers and handle them. Discard workers that are lost or silent.

        seconds: the longest wait; None means a quarter of SILENCE_SECONDS.
        """
        for key, _ in self._selector.select(timeout=SILENCE_SECONDS / 4 if seconds is None else seconds):
            worker = key.fileobj
            if not isinstance(worker, Worker):
                continue  # a descriptor that wakes a `StreamEngine`
            try:
                for message in worker.receive():
                    self._take(worker, *message)
                    if worker not in self._workers:
                        break  # the message was the last of this worker
            except WorkerLost as error:
                self._lost(worker, str(error))
        for worker in [worker for worker in self._workers if worker.job is not None]:
            if time.monotonic() - worker.last_message > SILENCE_SECONDS:
                self._lost(worker, f"the worker was silent for {SILENCE_SECONDS:.0f} s")

    def _take(self, worker: Worker, kind: str, *parts: Any) -> None:
        job = worker.job
        if kind == "verdict" and job is not None:
            self._lost_in_a_row = 0
            done = job.settle(*parts)
            if not job.pending:
                worker.job = None
            self._report(done)
        elif kind == "expected" and worker.last is not None:
            index, data = parts
            self._cache.write(worker.last.expected_keys()[index], data)
        elif kind == "printed" and job is not None:
            job.keep_printed(*parts)
        elif kind in ("failed", "unprepared"):
            self._lost(worker, str(parts[0]), unprepared=kind == "unprepared")
        elif kind != "alive":
            raise WorkerLost(f"the worker sent an unexpected message of the kind {kind!r}")

    def _lost(self, worker: Worker, cause: str, *, unprepared: bool = False) -> None:
        job: Job | None = worker.job
        self._discard(worker)
        if job is not None:
            self._report(job.give_back(cause, unprepared=unprepared))
        self._lost_in_a_row += not unprepared
        if self._lost_in_a_row >= MAX_LOST_IN_A_ROW:
            raise MachineError(
                f"no program can be run on this machine now, since {MAX_LOST_IN_A_ROW} workers were lost in a row. The "
                f"cause of the last loss was: {cause}. `codepref doctor` looks for the reason. When the reason is "
                "removed, a command with --out continues from here"
            )

    def _report(self, done: int) -> None:
        if done and self._progress is not None:
            self._progress(done)

    def _discard(self, worker: Worker) -> None:
        self._selector.unregister(worker)
        self._workers.remove(worker)
        worker.close()


def execute_tasks(
    tasks: Iterable[Task],
    *,
    limits: Limits | None = None,
    jobs: int | None = None,
    unconfined: bool = False,
    progress: Progress | None = None,
) -> Iterator[VerdictMatrix]:
    """Run tasks with a new engine, which is closed afterwards (see `Engine.run`)."""
    with Engine(jobs=jobs, unconfined=unconfined, progress=progress) as engine:
        yield from engine.run(tasks, limits=limits)
