"""A judge that hears several solutions, one after the other; and how a judge is watched from outside."""

from __future__ import annotations

import _socket
import contextlib
import os
import signal
import time
from collections import deque
from typing import Protocol

from . import frames, status, zygote
from .children import CHANNEL
from .codec import encoded
from .judge_zygote import DONE, MOST_HEARD
from .plan import Plan
from .remote import clock_of
from .zygote import Reaped


class Answerer(Protocol):
    """Something to wait for."""

    def fileno(self) -> int:
        """The descriptor that becomes readable."""


class Host(Protocol):
    """What a pair needs of its supervisor."""

    solutions: zygote.Zygote
    judges: zygote.Zygote | None
    plan: Plan | None
    page: status.StatusPage
    reference_seconds: float
    reusable: bool

    @property
    def backstop(self) -> float:
        """Seconds of CPU after which the kernel ends a solution's process, whatever else fails."""

    def wait_for(self, answerer: Answerer, timeout: float) -> bool:
        """Whether an answer has come within `timeout` seconds."""

    def seat(self) -> Sitting:
        """The judge that hears the next solution."""

    def origin(self, source: str) -> zygote.Zygote:
        """What forks a process for this solution alone."""

    def load_arrays(self) -> bool:
        """Have the judges of this task load numpy; False when they have."""


MOST_KILLS = 5
"""So often a judge is killed before its zygote, which does not answer, counts as lost."""


class Heard:
    """How a judge fared (ended by itself where it stays), and how a solution's process ended, or what it used."""

    __slots__ = ("judge", "judged")

    def __init__(self, judge: Reaped, judged: Reaped) -> None:
        self.judge, self.judged = judge, judged


class Sitting:
    """A judge that hears several solutions, one after the other, each in a process of its own.

    The next solution's process is forked ahead, while the last one's end is awaited: it is not told what it will run.
    """

    def __init__(self, supervisor: Host, size: int) -> None:
        assert supervisor.judges is not None
        assert supervisor.plan is not None
        self.supervisor, self.judges = supervisor, supervisor.judges
        self._told = encoded((int(supervisor.plan.limits["memory_bytes"]), supervisor.backstop))
        links = [_socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM) for _ in range(size)]
        self._control, control = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM)
        self._ends = deque(end for _, end in links)
        self._channel = CHANNEL
        self._heard = 0
        self._spare: tuple[int, int] | None = None
        self._guest: tuple[int, int] | None = None
        try:
            descriptors = (control.fileno(), *(link.fileno() for link, _ in links))
            self.judge = self.judges.fork(descriptors, encoded(("judge", 0, "", [])))
        finally:
            for one in (control, *(link for link, _ in links)):
                one.close()
        self.killed, self.open = False, True

    def fileno(self) -> int:
        """Readable when the judge has done with a solution, or is gone."""
        return self._control.fileno()

    def hear(
        self,
        source: str,
        start: int,
        ahead: bool,
        origin: zygote.Zygote | None,
        limits: tuple[float, float],
    ) -> Heard:
        """Judge one solution from test `start` on. `limits`: seconds of CPU and of wall clock that the judge may stay
        at one test. origin: what forks a process that no other solution uses, before or after; None: it may share one.
        """
        alone, origin = origin is not None, origin or self.supervisor.solutions
        guest = self._guest if self._guest and not alone else self._next_process(origin)
        pid, channel = guest
        before = 0.0 if alone else time.clock_gettime(clock_of(pid))
        stays = False
        with contextlib.suppress(frames.Closed, OSError):
            frames.send(self.fileno(), encoded((channel, pid, source, start, ahead, alone)))
            self.killed = watch(self.supervisor, self, self.judge, *limits)
            # never waited for: a hostile test may have written here, the head of a frame for example
            stays = self._control.recv(len(DONE), _socket.MSG_DONTWAIT) == DONE
        self._heard += 1
        self.open = stays and bool(self._ends) and self._heard < MOST_HEARD
        if stays and not alone:
            self._guest = guest
            return Heard(Reaped(0, 0.0, 0), Reaped(0, time.clock_gettime(clock_of(pid)) - before, 0))
        self._guest = None if guest == self._guest else self._guest
        os.kill(pid, signal.SIGKILL)
        origin.ask_reap(pid)
        wanted = self.open and not self._spare
        spare = self._ask(self.supervisor.solutions) if wanted else 0
        judge = Reaped(0, 0.0, 0) if stays else self._end_judge()
        judged = origin.reaped()
        if wanted:
            self._spare = self.supervisor.solutions.forked(), spare
        return Heard(judge, Reaped(judged.status, judged.cpu - before, judged.peak))

    def _next_process(self, origin: zygote.Zygote) -> tuple[int, int]:
        """A fresh process for a solution and the descriptor at which the judge reaches it."""
        if self._spare and origin is self.supervisor.solutions:
            spare, self._spare = self._spare, None
            return spare
        channel = self._ask(origin)
        return origin.forked(), channel

    def _ask(self, origin: zygote.Zygote) -> int:
        """Ask for a process with the next of the channels; the judge's descriptor of it."""
        end = self._ends.popleft()
        origin.ask(b"F", self._told, (end.fileno(),))
        end.close()
        self._channel += 1
        return self._channel

    def _end_judge(self) -> Reaped:
        self._control.close()
        os.kill(self.judge, signal.SIGKILL)
        self.judges.ask_reap(self.judge)
        self.judge = 0
        return self.judges.reaped()

    def close(self) -> None:
        """End the judge and the process that waits for a solution."""
        for pid, _ in filter(None, (self._spare, self._guest)):
            os.kill(pid, signal.SIGKILL)
            self.supervisor.solutions.ask_reap(pid)
            self.supervisor.solutions.reaped()
        self._spare = self._guest = None
        if self.judge:
            self._end_judge()
        for end in self._ends:
            end.close()
        self._ends.clear()
        self.open = False


def watch(supervisor: Host, answerer: Answerer, judge: int, cpu_seconds: float, wall_seconds: float) -> bool:
    """Wait for an answer; kill a judge that stays too long at one test, by CPU or wall clock. Whether it was killed."""
    page, clock, kills = supervisor.page, clock_of(judge), 0
    place, cpu, wall = page.where(), time.clock_gettime(clock), time.monotonic()
    while not supervisor.wait_for(answerer, min(cpu_seconds, wall_seconds)):
        now = page.where()
        if now != place:
            place, cpu, wall = now, time.clock_gettime(clock), time.monotonic()
        elif time.clock_gettime(clock) - cpu > cpu_seconds or time.monotonic() - wall > wall_seconds:
            os.kill(judge, signal.SIGKILL)
            kills += 1
            if kills > MOST_KILLS:
                raise zygote.ZygoteLost("no answer though the judge is dead")
            wall = time.monotonic()
    return kills > 0
