"""A process pair: a test runner with one solution, for expected outputs or for tests that share a process with it."""

from __future__ import annotations

import _socket
import contextlib
import os
import signal

from ..wire import frames
from ..wire.encoder import encoded
from .runner_session import Host, watch
from .zygote import Reaped


class ProcessPair:
    """A test runner and the process of its solution.

    mode: "produce": the solution is a reference solution, which computes expected outputs. "shared": the test runner
        runs `source` itself, so there is no second process.
    wanted: the indices of the tests.
    cpu: seconds of CPU time after which the kernel ends the solution's process.
    """

    def __init__(self, supervisor: Host, mode: str, source: str, wanted: list[int], cpu: float) -> None:
        assert supervisor.runners is not None
        assert supervisor.plan is not None
        self.supervisor, self.runners = supervisor, supervisor.runners
        self.solution = 0
        ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM)
        try:
            if mode != "shared":
                memory = 4 * int(supervisor.plan.limits["memory_bytes"])
                self.solution = supervisor.solutions.fork((theirs.fileno(),), encoded((memory, cpu)))
            self.runner = self.runners.fork((ours.fileno(),), encoded((mode, self.solution, wanted)))
            if mode == "shared":
                with contextlib.suppress(frames.Closed):  # `wait` notices a runner that has died
                    frames.send(theirs.fileno(), source.encode("utf-8", "surrogatepass"))
        finally:
            ours.close()
            theirs.close()
        self.killed = False

    def watch(self, cpu_seconds: float, wall_seconds: float) -> None:
        """Wait until the runner zygote answers. Kill a test runner that takes too long (see `runner_session.watch`)."""
        self.killed = watch(self.supervisor, self.runners, self.runner, cpu_seconds, wall_seconds) or self.killed

    def end(self) -> tuple[Reaped, Reaped]:
        """Kill and reap both processes. Return how the test runner ended and how the solution ended."""
        os.kill(self.runner, signal.SIGKILL)
        self.runners.ask_reap(self.runner)
        runner = self.runners.reaped()
        return runner, self._end_solution()

    def wait(self, cpu_seconds: float, wall_seconds: float) -> tuple[Reaped, Reaped]:
        """Wait for the end of the test runner under the limits of `watch`, then end the solution's process.

        Return how the test runner ended and how the solution ended.
        """
        self.runners.ask_reap(self.runner)
        self.watch(cpu_seconds, wall_seconds)
        return self.runners.reaped(), self._end_solution()

    def _end_solution(self) -> Reaped:
        if not self.solution:
            return Reaped(0, 0.0, 0)
        os.kill(self.solution, signal.SIGKILL)
        self.supervisor.solutions.ask_reap(self.solution)
        return self.supervisor.solutions.reaped()
