"""A session of a test runner. The test runner serves one or more solutions in turn."""

from __future__ import annotations

import _socket
import contextlib
import os
import signal
import time
from collections import deque
from typing import Protocol

from ..confinement.folders import SOLUTIONS, Folders
from ..confinement.hardening import CHANNEL
from ..wire import frames, status_page
from ..wire.encoder import encoded
from ..wire.link import clock_of
from ..wire.plan import Plan
from . import zygote
from .runner_zygote import DONE, MAX_SOLUTIONS
from .watch import Answerer, TimeLimits, Watched, watch
from .zygote import Reaped


class Host(Protocol):
    """The parts of a supervisor that sessions, attempts and process pairs use."""

    solutions: zygote.Zygote
    runners: zygote.Zygote | None
    plan: Plan | None
    page: status_page.StatusPage
    folders: Folders
    reference_seconds: float
    reusable: bool

    @property
    def backstop(self) -> float:
        """Seconds of CPU time after which the kernel ends a solution's process if all other limits have failed."""

    def wait_for(self, answerer: Answerer, timeout: float) -> bool:
        """Return whether an answer arrives within `timeout` seconds."""

    def session(self) -> RunnerSession:
        """Return the session that runs the tests of the next solution."""

    def origin(self, source: str) -> zygote.Zygote:
        """Return the zygote that forks the process of this solution."""

    def load_libraries(self, names: tuple[str, ...]) -> bool:
        """Load numpy, or numpy and pandas, for the test runners of this task. Return False if they are loaded."""


class RunResult:
    """How a test runner and the solution's process ended.

    A process that continues is reported like one that exited normally. `solution.cpu` is the CPU time of this solution
    alone, also where its process has run other solutions. `watched` says whether the runner was killed, and why.
    """

    __slots__ = ("runner", "solution", "watched")

    def __init__(self, runner: Reaped, solution: Reaped, watched: Watched) -> None:
        self.runner, self.solution, self.watched = runner, solution, watched


class RunnerSession:
    """One test runner that serves one or more solutions in turn. It has a descriptor for each process of a solution.

    While the session waits for the end of one solution process, it may already fork the next one. The new process
    learns later which solution it runs. Solutions that can leave nothing behind share one process.
    size: the largest number of solution processes.
    """

    def __init__(self, supervisor: Host, size: int) -> None:
        assert supervisor.runners is not None
        assert supervisor.plan is not None
        self.supervisor, self.runners = supervisor, supervisor.runners
        self._payload = encoded((int(supervisor.plan.limits["memory_bytes"]), supervisor.backstop))
        links = [_socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM) for _ in range(size)]
        self._control, control = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM)
        self._ends = deque(end for _, end in links)
        self._channel = CHANNEL
        self._served = 0
        self._spare: tuple[int, int] | None = None
        self._shared: tuple[int, int] | None = None
        try:
            descriptors = (control.fileno(), *(link.fileno() for link, _ in links))
            self.runner = self.runners.fork(descriptors, encoded(("serve", 0, [])))
        finally:
            for one in (control, *(link for link, _ in links)):
                one.close()
        self.open = True

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when the runner has finished a solution or has ended."""
        return self._control.fileno()

    def run(
        self,
        source: str,
        start: int,
        ahead: bool,
        origin: zygote.Zygote | None,
        limits: TimeLimits,
    ) -> RunResult:
        """Run the tests from `start` on against one solution, and return how the processes ended.

        ahead: send plain calls before their tests run.
        origin: the zygote that forks a process for this solution alone. None: the solution may share a process.
        limits: the limits of `Watched`.
        """
        alone, origin = origin is not None, origin or self.supervisor.solutions
        process = self._shared if self._shared and not alone else self._next_process(origin)
        pid, channel = process
        folders, before = self.supervisor.folders, 0.0
        if alone:
            folders.begin(SOLUTIONS)
        else:
            before = time.clock_gettime(clock_of(pid))
        watched = Watched(self.runner, pid, folders.folder(SOLUTIONS) if alone else "", limits)
        stays = False
        with contextlib.suppress(frames.Closed, OSError):
            frames.send(self.fileno(), encoded((channel, pid, source, start, ahead, alone)))
            watch(self.supervisor, self, watched)
            # This never blocks: a hostile test may have written here, for example the head of a frame.
            stays = self._control.recv(len(DONE), _socket.MSG_DONTWAIT) == DONE
        self._served += 1
        self.open = stays and bool(self._ends) and self._served < MAX_SOLUTIONS
        if stays and not alone:
            self._shared = process
            return RunResult(Reaped(0, 0.0, 0), Reaped(0, time.clock_gettime(clock_of(pid)) - before, 0), watched)
        self._shared = None if process == self._shared else self._shared
        os.kill(pid, signal.SIGKILL)
        origin.ask_reap(pid)
        wanted = self.open and not self._spare
        spare = self._ask(self.supervisor.solutions) if wanted else 0
        runner = Reaped(0, 0.0, 0) if stays else self._end_runner()
        solution = origin.reaped()
        if alone:
            folders.end(SOLUTIONS)
        if wanted:
            self._spare = self.supervisor.solutions.forked(), spare
        return RunResult(runner, Reaped(solution.status, solution.cpu - before, solution.peak), watched)

    def _next_process(self, origin: zygote.Zygote) -> tuple[int, int]:
        """Return the pid of a new process for a solution, and the descriptor at which the runner reaches it."""
        if self._spare and origin is self.supervisor.solutions:
            spare, self._spare = self._spare, None
            return spare
        channel = self._ask(origin)
        return origin.forked(), channel

    def _ask(self, origin: zygote.Zygote) -> int:
        """Ask `origin` for a process at the next channel. Return the runner's descriptor of that channel."""
        end = self._ends.popleft()
        origin.ask(b"F", self._payload, (end.fileno(),))
        end.close()
        self._channel += 1
        return self._channel

    def _end_runner(self) -> Reaped:
        self._control.close()
        os.kill(self.runner, signal.SIGKILL)
        self.runners.ask_reap(self.runner)
        self.runner = 0
        return self.runners.reaped()

    def close(self) -> None:
        """End the test runner and the solution processes that are left."""
        for pid, _ in filter(None, (self._spare, self._shared)):
            os.kill(pid, signal.SIGKILL)
            self.supervisor.solutions.ask_reap(pid)
            self.supervisor.solutions.reaped()
        self._spare = self._shared = None
        if self.runner:
            self._end_runner()
        for end in self._ends:
            end.close()
        self._ends.clear()
        self.open = False
