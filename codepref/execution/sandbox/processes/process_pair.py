"""A process pair is a test runner and its solution.

The solution is a reference solution in a second process, which computes expected outputs, or it runs in the test
runner's own process together with the tests.
"""

from __future__ import annotations

import _socket
import contextlib
import os
import signal

from ..confinement.folders import RUNNERS, SOLUTIONS
from ..wire import frames
from ..wire.encoder import encoded
from .runner_session import Host
from .watch import TimeLimits, Watched, watch
from .zygote import Reaped


class ProcessPair:
    """A test runner and its solution.

    mode: with "produce", the solution is a reference solution, which computes expected outputs. With "shared", the test
        runner runs the solution itself, so there is no second process.
    source: the solution. Only the mode "shared" uses it, since the test runner has the text of a reference solution.
    wanted: the indices of the tests. The mode "produce" uses only the first one.
    cpu: seconds of CPU time after which the kernel ends the solution's process, as in `Hardening.apply`. In the mode
        "shared" this has no effect.
    """

    def __init__(self, supervisor: Host, mode: str, source: str, wanted: list[int], cpu: float) -> None:
        assert supervisor.runners is not None
        assert supervisor.plan is not None
        self.supervisor, self.runners = supervisor, supervisor.runners
        self.solution = 0
        self._role = RUNNERS if mode == "shared" else SOLUTIONS
        self._folder = supervisor.folders.folder(self._role)
        supervisor.folders.begin(self._role)
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

    def watch(self, limits: TimeLimits) -> Watched:
        """Wait until the runner zygote answers. Kill a test runner that reaches a limit (see `watch.Watched`)."""
        watched = Watched(self.runner, self.solution, self._folder, limits)
        watch(self.supervisor, self.runners, watched)
        return watched

    def end(self) -> tuple[Reaped, Reaped]:
        """Kill and reap both processes. Return how the test runner ended and how the solution ended."""
        os.kill(self.runner, signal.SIGKILL)
        self.runners.ask_reap(self.runner)
        runner = self.runners.reaped()
        return runner, self._end_solution()

    def wait(self, limits: TimeLimits) -> tuple[Reaped, Watched]:
        """Wait until the test runner ends, then end the solution's process.

        `watch` kills the test runner if it reaches one of `limits`. Return how the test runner ended, and what `watch`
        has seen.
        """
        self.runners.ask_reap(self.runner)
        watched = self.watch(limits)
        runner = self.runners.reaped()
        self._end_solution()
        return runner, watched

    def _end_solution(self) -> Reaped:
        ended = Reaped(0, 0.0, 0)
        if self.solution:
            os.kill(self.solution, signal.SIGKILL)
            self.supervisor.solutions.ask_reap(self.solution)
            ended = self.supervisor.solutions.reaped()
        self.supervisor.folders.end(self._role)
        return ended
