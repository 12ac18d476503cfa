"""A judge and a solution in processes for one purpose: expected outputs, or a test that needs both in one process."""

from __future__ import annotations

import _socket
import os
import signal

from .codec import encoded
from .sitting import Host, watch
from .zygote import Reaped


class Pair:
    """A judge in one process with its solution, or with the reference it asks for expected outputs."""

    def __init__(self, supervisor: Host, mode: str, source: str, wanted: list[int], cpu: float) -> None:
        assert supervisor.judges is not None
        assert supervisor.plan is not None
        self.supervisor, self.judges = supervisor, supervisor.judges
        self.solution = 0
        ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM)
        try:
            if mode != "shared":
                memory = 4 * int(supervisor.plan.limits["memory_bytes"])
                self.solution = supervisor.solutions.fork((theirs.fileno(),), encoded((memory, cpu)))
            payload = encoded((mode, self.solution, source, wanted))
            self.judge = self.judges.fork((ours.fileno(),), payload)
        finally:
            ours.close()
            theirs.close()
        self.killed = False

    def watch(self, cpu_seconds: float, wall_seconds: float) -> None:
        """Wait until the judge zygote answers; see `watch`."""
        self.killed = watch(self.supervisor, self.judges, self.judge, cpu_seconds, wall_seconds) or self.killed

    def end(self) -> tuple[Reaped, Reaped]:
        """Kill what is left and reap both: how the judge ended, how the solution ended."""
        os.kill(self.judge, signal.SIGKILL)
        self.judges.ask_reap(self.judge)
        judge = self.judges.reaped()
        return judge, self._end_solution()

    def wait(self, cpu_seconds: float, wall_seconds: float) -> tuple[Reaped, Reaped]:
        """Wait for the judge's end under `watch`, then end the solution."""
        self.judges.ask_reap(self.judge)
        self.watch(cpu_seconds, wall_seconds)
        return self.judges.reaped(), self._end_solution()

    def _end_solution(self) -> Reaped:
        if not self.solution:
            return Reaped(0, 0.0, 0)
        os.kill(self.solution, signal.SIGKILL)
        self.supervisor.solutions.ask_reap(self.solution)
        return self.supervisor.solutions.reaped()
