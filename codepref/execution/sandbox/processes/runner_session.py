"""A session of a test runner: it serves several solutions in turn. Also how a runner is watched from outside."""

from __future__ import annotations

import _socket
import contextlib
import os
import signal
import time
from collections import deque
from typing import Protocol

from ..confinement.hardening import CHANNEL
from ..wire import frames, status_page
from ..wire.encoder import encoded
from ..wire.link import clock_of
from ..wire.plan import Plan
from . import zygote
from .runner_zygote import DONE, MAX_SOLUTIONS
from .zygote import Reaped


class Answerer(Protocol):
    """Something that can be waited for."""

    def fileno(self) -> int:
        """The descriptor that becomes readable."""


class Host(Protocol):
    """What sessions and pairs need of their supervisor."""

    solutions: zygote.Zygote
    runners: zygote.Zygote | None
    plan: Plan | None
    page: status_page.StatusPage
    reference_seconds: float
    reusable: bool

    @property
    def backstop(self) -> float:
        """Seconds of CPU after which the kernel ends a solution's process, even if everything else fails."""

    def wait_for(self, answerer: Answerer, timeout: float) -> bool:
        """Whether an answer comes within `timeout` seconds."""

    def session(self) -> RunnerSession:
        """The session that runs the tests of the next solution."""

    def origin(self, source: str) -> zygote.Zygote:
        """The zygote that forks a process for this solution."""

    def load_arrays(self) -> bool:
        """Have the runners of this task load numpy. Returns False when they have."""


MAX_KILLS = 5
"""How often a runner is killed before its zygote, which does not answer, counts as lost."""


class RunResult:
    """How the runner and the solution's process ended.

    A process that goes on is reported as if it had exited normally. For the solution's process it holds the CPU time
    that this solution used.
    """

    __slots__ = ("runner", "solution")

    def __init__(self, runner: Reaped, solution: Reaped) -> None:
        self.runner, self.solution = runner, solution


class RunnerSession:
    """One test runner that serves several solutions in turn, each at a descriptor of its own.

    The next solution's process is forked early, while the end of the last one is awaited. It does not know yet what it
    will run. Solutions that leave nothing behind share one process.
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
        self.killed, self.open = False, True

    def fileno(self) -> int:
        """The descriptor that is readable when the runner has finished a solution or has ended."""
        return self._control.fileno()

    def run(
        self,
        source: str,
        start: int,
        ahead: bool,
        origin: zygote.Zygote | None,
        limits: tuple[float, float],
    ) -> RunResult:
        """Run the tests from `start` on against one solution.

        ahead: send plain calls before their tests run. origin: the zygote that forks a process for this solution
        alone; None means that it may share one. limits: seconds of CPU and of wall-clock time that the runner may
        spend in one test.
        """
        alone, origin = origin is not None, origin or self.supervisor.solutions
        process = self._shared if self._shared and not alone else self._next_process(origin)
        pid, channel = process
        before = 0.0 if alone else time.clock_gettime(clock_of(pid))
        stays = False
        with contextlib.suppress(frames.Closed, OSError):
            frames.send(self.fileno(), encoded((channel, pid, source, start, ahead, alone)))
            self.killed = watch(self.supervisor, self, self.runner, *limits)
            # This never blocks: a hostile test may have written here, for example the head of a frame.
            stays = self._control.recv(len(DONE), _socket.MSG_DONTWAIT) == DONE
        self._served += 1
        self.open = stays and bool(self._ends) and self._served < MAX_SOLUTIONS
        if stays and not alone:
            self._shared = process
            return RunResult(Reaped(0, 0.0, 0), Reaped(0, time.clock_gettime(clock_of(pid)) - before, 0))
        self._shared = None if process == self._shared else self._shared
        os.kill(pid, signal.SIGKILL)
        origin.ask_reap(pid)
        wanted = self.open and not self._spare
        spare = self._ask(self.supervisor.solutions) if wanted else 0
        runner = Reaped(0, 0.0, 0) if stays else self._end_runner()
        solution = origin.reaped()
        if wanted:
            self._spare = self.supervisor.solutions.forked(), spare
        return RunResult(runner, Reaped(solution.status, solution.cpu - before, solution.peak))

    def _next_process(self, origin: zygote.Zygote) -> tuple[int, int]:
        """A new process for a solution, and the descriptor at which the runner reaches it."""
        if self._spare and origin is self.supervisor.solutions:
            spare, self._spare = self._spare, None
            return spare
        channel = self._ask(origin)
        return origin.forked(), channel

    def _ask(self, origin: zygote.Zygote) -> int:
        """Ask for a process at the next channel. Returns the runner's descriptor of that channel."""
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
        """End the runner and the processes that wait for a solution."""
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


def watch(supervisor: Host, answerer: Answerer, runner: int, cpu_seconds: float, wall_seconds: float) -> bool:
    """Wait for an answer. Kill a runner that spends too much CPU or wall-clock time in one test.

    Returns whether it was killed. Raises ZygoteLost when no answer comes though the runner is dead.
    """
    page, clock, kills = supervisor.page, clock_of(runner), 0
    state, cpu, wall = page.where(), time.clock_gettime(clock), time.monotonic()
    while not supervisor.wait_for(answerer, min(cpu_seconds, wall_seconds)):
        now = page.where()
        if now != state:
            state, cpu, wall = now, time.clock_gettime(clock), time.monotonic()
        elif time.clock_gettime(clock) - cpu > cpu_seconds or time.monotonic() - wall > wall_seconds:
            os.kill(runner, signal.SIGKILL)
            kills += 1
            if kills > MAX_KILLS:
                raise zygote.ZygoteLost("no answer though the test runner is dead")
            wall = time.monotonic()
    return kills > 0
