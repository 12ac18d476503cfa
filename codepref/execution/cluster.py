"""Runs tasks on the nodes of a Ray cluster, with one engine on each node."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from itertools import repeat
from types import TracebackType

from codepref.config.scale import ScaleSection
from codepref.errors import UserError
from codepref.execution.engine import usable_cpus
from codepref.execution.expected_cache import ExpectedCache, user_cache
from codepref.execution.limits import Limits
from codepref.execution.service import SERVICE, ProgramResult, matrix_of, threads_for
from codepref.execution.tasks import Task
from codepref.records import ERROR, INFRASTRUCTURE, VerdictMatrix
from codepref.scale.actors import RayHosts, one_per_node
from codepref.scale.cluster import connected
from codepref.scale.dispatcher import Dispatcher
from codepref.scale.records import GivenUp, ServiceSpec, Work

Progress = Callable[[int], None]


class ClusterEngine:
    """Runs tasks on all nodes of a cluster that are fit. Use it as a context manager, or call `close`.

    Each node runs an `Engine`, and a task runs in one of these engines, so its verdicts follow the same rules as on one
    machine. Each confined engine uses the cache of expected outputs on its node.

    scale: the cluster, and how long to wait for a node that is ready. jobs: the largest number of workers on a node;
    None means one for each core that Ray may use there. unconfined: run untrusted programs without Landlock. progress:
    called with the number of solutions that have got their verdict since the last call. log: called with messages
    about nodes.

    Raises UserError for jobs below 1, and what `connected` raises.
    """

    def __init__(
        self,
        scale: ScaleSection,
        *,
        jobs: int | None = None,
        unconfined: bool = False,
        progress: Progress | None = None,
        log: Callable[[str], None] = lambda text: None,
    ) -> None:
        if jobs is not None and jobs < 1:
            raise UserError(f"jobs must be at least 1, not {jobs}")
        self._progress = progress
        self._cache = ExpectedCache(None) if unconfined else user_cache()
        self._closing = contextlib.ExitStack()
        self._closing.enter_context(connected(scale.address, cpus=usable_cpus()))
        with contextlib.ExitStack() as on_error:
            on_error.push(self._closing)
            self.hosts = RayHosts(
                lambda place: ServiceSpec(SERVICE, {"jobs": int(place.cpus), "unconfined": unconfined}),
                one_per_node(jobs),
                threads=lambda place: threads_for(int(place.cpus)),
                wait_seconds=scale.wait_seconds,
                log=log,
            )
            self._closing.callback(self.hosts.close)
            on_error.pop_all()
        self.dispatcher = Dispatcher(self.hosts)

    @property
    def cache(self) -> ExpectedCache:
        """The driver's cache of the results of programs that do nothing."""
        return self._cache

    def __enter__(self) -> ClusterEngine:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End all actors, and leave the cluster."""
        self._closing.close()

    def run(self, tasks: Iterable[Task], *, limits: Limits | None = None) -> Iterator[VerdictMatrix]:
        """Run tasks. Yield one matrix for each task as soon as it is there, in any order.

        A task whose node was lost runs again. If a task was lost too often, its solutions get the code I, with the
        cause. Solutions without code get the code E instead.
        Raises UserError for a malformed task, and MachineError if no node can do the work.
        """
        chosen = limits or Limits()
        for work, result in self.dispatcher.run(_work(task, chosen) for task in tasks):
            task: Task = work.key
            results = _given_up(task, result) if isinstance(result, GivenUp) else result
            if self._progress is not None and (count := sum(_copies(task))):
                self._progress(count)
            yield matrix_of(task, results)


def _work(task: Task, limits: Limits) -> Work:
    size = sum(len(solution.text) for solution in task.solutions) + sum(len(test.source) for test in task.tests)
    return Work(task, (task, limits), weight=max(1, len(task.solutions)), size=size, count=sum(_copies(task)))


def _copies(task: Task) -> Iterable[int]:
    return task.copies if task.copies is not None else repeat(1, len(task.solutions))


def _given_up(task: Task, given_up: GivenUp) -> list[ProgramResult]:
    """Return the results of a task that was lost too often. A solution without code gets the code E as in an engine."""
    cause = f"lost {given_up.tries} times: {given_up.cause}"
    codes = INFRASTRUCTURE * len(task.tests)
    return [
        (codes, "separate", 0.0, cause, b"")
        if solution.text.strip()
        else (ERROR * len(task.tests), "separate", 0.0, "no code", b"")
        for solution in task.solutions
    ]
