"""The engine as a service of a host (see `codepref.scale`). One engine on each host runs the work of all calls."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from codepref.errors import InfrastructureError, MachineError
from codepref.execution.limits import Limits
from codepref.execution.rlimits import check_rlimits
from codepref.execution.stream import StreamEngine, Work
from codepref.execution.tasks import Task
from codepref.records import Isolation, Problem, Solution, Test, Verdict, VerdictMatrix

ProgramResult = tuple[str, Isolation, float, str, bytes]
"""The verdict of one solution: codes, isolation, CPU milliseconds, detail and digests of the answers.

The ids and the text of the solution are missing, since the driver has them.
"""

SERVICE = "codepref.execution.service:ExecutionService"
"""The name of the service for a `ServiceSpec`."""

_HONEST = Task(
    Problem("check", "", "f"),
    [Solution("check", 0, "def f():\n    return 1\n")],
    [Test("check", "0", "assert f() == 1")],
)


class ExecutionService:
    """Runs tasks in one engine. An item is a pair (task, limits), and a result is a list of `ProgramResult`.

    jobs: the largest number of worker processes; None means one for each core. unconfined: run untrusted programs
    without Landlock.
    Raises MachineError if this machine cannot confine a program, if its resource limits are too low, or if an honest
    program does not pass its test. Raises UserError for jobs below 1.
    """

    def __init__(self, *, jobs: int | None = None, unconfined: bool = False) -> None:
        self._engine = StreamEngine(jobs=jobs, unconfined=unconfined)
        check_rlimits(Limits(), self._engine.jobs)
        self._broken: BaseException | None = None
        self._lock = threading.Lock()
        # A worker ends when the thread that started it ends, so the same thread starts all workers.
        self._thread = threading.Thread(target=self._serve, name="engine", daemon=True)
        self._thread.start()
        try:
            self._check()
        except BaseException:
            self.close()
            raise

    @property
    def capacity(self) -> int:
        """The largest number of worker processes."""
        return self._engine.jobs

    @property
    def threads(self) -> int:
        """The number of calls of `handle` that are taken at once."""
        return threads_for(self.capacity)

    def handle(self, items: Sequence[tuple[Task, Limits]]) -> list[list[ProgramResult]]:
        """Run tasks, and return the results of each.

        Raises UserError for a malformed task. If the engine has ended, raises the error that ended it, such as a
        MachineError.
        """
        finished = threading.Semaphore(0)
        works = [Work(task, limits, lambda work: finished.release()) for task, limits in items]
        with self._lock:
            if self._broken is not None:
                raise self._broken
            for work in works:
                self._engine.submit(work)
        for _ in works:
            finished.acquire()
        return [_results(work) for work in works]

    def close(self) -> None:
        """End all workers."""
        self._engine.stop()
        self._thread.join()

    def _serve(self) -> None:
        error: BaseException = InfrastructureError("the engine of this host has ended")
        try:
            self._engine.serve()
        except BaseException as raised:  # noqa: BLE001 - the callers of `handle` raise it
            error = raised
        with self._lock:
            self._broken = error
            left = self._engine.unfinished()
        for work in left:
            work.error = error
            work.done(work)
        self._engine.close()

    def _check(self) -> None:
        """Run an honest program, since a policy of the machine can forbid what the launcher needs."""
        ((result,),) = self.handle([(_HONEST, Limits(timeout_factor=None))])
        codes, detail = result[0], result[3]
        if codes != "P":
            raise MachineError(
                f"an honest program did not pass on this machine ({codes}, {detail or 'no cause is known'})"
            )


def threads_for(capacity: int) -> int:
    """Return how many calls a service of this capacity takes at once. The dispatcher seldom sends more."""
    return 2 * capacity + 8


def _results(work: Work) -> list[ProgramResult]:
    if work.error is not None:
        raise work.error
    assert work.matrix is not None
    return [(v.codes, v.isolation, v.cpu_ms, v.detail, v.answer_digests) for v in work.matrix.verdicts]


def matrix_of(task: Task, results: Sequence[ProgramResult]) -> VerdictMatrix:
    """Return the verdicts of a task from the results of its solutions."""
    verdicts = [
        Verdict(task.problem.task_id, solution.solution_id, solution.text, *result)
        for solution, result in zip(task.solutions, results, strict=True)
    ]
    return VerdictMatrix(task.problem.task_id, tuple(task.tests), tuple(verdicts))
