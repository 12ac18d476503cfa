"""A judge and its solution: forked together, watched, ended, and the letters that follow from how they ended."""

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
from .codec import Encoder
from .judge_zygote import DONE
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


MOST_KILLS = 5
"""So often a judge is killed before its zygote, which does not answer, counts as lost."""

KNOWN = b"PFEMTXSI" + bytes([status.CALL_BY_REFERENCE])

MOST_HEARD = 64
"""Solutions that one judge hears at most, when many of them share a process."""


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
        self._told = _encoded((int(supervisor.plan.limits["memory_bytes"]), supervisor.backstop))
        links = [_socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM) for _ in range(size)]
        self._control, control = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM)
        self._ends = deque(end for _, end in links)
        self._channel = CHANNEL
        self._spare = self._heard = 0
        self._guest: tuple[int, int] | None = None
        try:
            descriptors = (control.fileno(), *(link.fileno() for link, _ in links))
            self.judge = self.judges.fork(descriptors, _encoded(("judge", 0, "", [])))
        finally:
            for one in (control, *(link for link, _ in links)):
                one.close()
        self.killed, self.open = False, True

    def fileno(self) -> int:
        """Readable when the judge has done with a solution, or is gone."""
        return self._control.fileno()

    def hear(self, source: str, start: int, ahead: bool, alone: bool, limits: tuple[float, float]) -> Heard:
        """Judge one solution from test `start` on. `limits`: seconds of CPU and of wall clock that the judge may stay
        at one test. alone: in a process that no other solution uses, before or after.
        """
        guest = self._guest if self._guest and not alone else self._next_process()
        pid, channel = guest
        before = 0.0 if alone else time.clock_gettime(clock_of(pid))
        stays = False
        with contextlib.suppress(frames.Closed, OSError):
            frames.send(self.fileno(), _encoded((channel, pid, source, start, ahead, alone)))
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
        solutions = self.supervisor.solutions
        solutions.ask_reap(pid)
        if self.open:
            self._ask_spare()
        judge = Reaped(0, 0.0, 0) if stays else self._end_judge()
        judged = solutions.reaped()
        if self.open:
            self._spare = solutions.forked()
        return Heard(judge, Reaped(judged.status, judged.cpu - before, judged.peak))

    def _next_process(self) -> tuple[int, int]:
        """A fresh process for a solution and the descriptor at which the judge reaches it."""
        if not self._spare:
            self._ask_spare()
            self._spare = self.supervisor.solutions.forked()
        pid, self._spare = self._spare, 0
        self._channel += 1
        return pid, self._channel

    def _ask_spare(self) -> None:
        end = self._ends.popleft()
        self.supervisor.solutions.ask(b"F", self._told, (end.fileno(),))
        end.close()

    def _end_judge(self) -> Reaped:
        self._control.close()
        os.kill(self.judge, signal.SIGKILL)
        self.judges.ask_reap(self.judge)
        self.judge = 0
        return self.judges.reaped()

    def close(self) -> None:
        """End the judge and the process that waits for a solution."""
        for pid in filter(None, (self._spare, self._guest and self._guest[0])):
            os.kill(pid, signal.SIGKILL)
            self.supervisor.solutions.ask_reap(pid)
            self.supervisor.solutions.reaped()
        self._spare, self._guest = 0, None
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


def _encoded(value: object) -> bytes:
    return Encoder(lambda _: None, exact=True).encode(value)


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
                self.solution = supervisor.solutions.fork((theirs.fileno(),), _encoded((memory, cpu)))
            payload = _encoded((mode, self.solution, source, wanted))
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


class Run:
    """One solution on its way through all tests, with a fresh pair after each that died or ran out of time."""

    def __init__(self, supervisor: Host, source: str) -> None:
        assert supervisor.plan is not None
        self.supervisor, self.page, self.source = supervisor, supervisor.page, source
        self.limits = supervisor.plan.limits
        self.cpu = 0.0
        self._ahead, self._alone = True, not supervisor.reusable
        self._kept = bytearray(self.page.tests)
        slowest = 10 * supervisor.reference_seconds
        self._wall = 2 * max(self.limits["wall_seconds"], self.limits["load_cpu_seconds"], slowest) + 5
        self._judge_cpu = 2 * max(self.limits["cpu_seconds"], self.limits["load_cpu_seconds"], slowest) + 20

    def separate(self, start: int) -> None:
        """One pair, from test `start` on, and its letters settled."""
        sitting = self.supervisor.seat()
        heard = sitting.hear(self.source, start, self._ahead, self._alone, (self._judge_cpu, self._wall))
        judge, judged = heard.judge, heard.judged
        self.cpu += judged.cpu
        phase, current = self.page.where()
        letters = self.page.letters()
        if phase == status.ALONE and not self._alone:
            self._alone = True
            return
        if not self._alone and (status.DIED in letters or b"M" in letters):
            # its end may owe something to what ran there before: only an end in a process of its own counts
            self._alone = True
            self.page.forget()
            self._kept = bytearray(self.page.tests)
            return
        if status.DIED in letters:
            self._settle_death(phase, letters.index(status.DIED), judged)
        elif phase == status.AGAIN and self._ahead:
            self._ahead = False
            return
        elif phase == status.SETUP:
            self.page.describe("the problem's helpers did not run to their end")
            self.page.fill(start, ord("I"))
        elif phase != status.FINISHED and letters[current] == status.UNDECIDED:
            self._settle_judge(current, judge, sitting.killed)
        elif phase == status.LOADING:
            self.page.fill(start, letters[start])
        self._keep(start)
        self._stop_after_timeouts()

    def _keep(self, start: int) -> None:
        """Hold on to this round's letters. A hostile test may write into its judge's page what it likes: it can take
        back no letter of an earlier round, and each round settles a test, so that the rounds come to an end.
        """
        letters = self.page.letters()
        if not any(self._kept) and not letters.translate(None, KNOWN):
            return  # all settled in one round
        for index, letter in enumerate(letters):
            if not self._kept[index]:
                self._kept[index] = letter if letter in (*KNOWN, status.UNDECIDED) else ord("E")
        self._kept[start] = self._kept[start] or ord("E")
        for index, letter in enumerate(self._kept):
            self.page.set(index, letter)

    def _settle_death(self, phase: int, index: int, judged: Reaped) -> None:
        letter = {signal.SIGSYS: "X", signal.SIGXCPU: "T"}.get(judged.signal, "E")  # type: ignore[call-overload]
        if letter == "E" and judged.signal and judged.peak > 0.8 * self.limits["memory_bytes"]:
            letter = "M"
        self.page.set(index, ord(letter))
        if phase == status.LOADING:
            self.page.fill(index, ord(letter))

    def _settle_judge(self, index: int, judge: Reaped, killed: bool) -> None:
        late = killed or judge.signal in (signal.SIGPROF, signal.SIGXCPU)
        self.page.describe(f"test {index}: the test's own code {'used up its time' if late else 'crashed its process'}")
        self.page.set(index, ord("T" if late else "E"))

    def _stop_after_timeouts(self) -> None:
        letters = self.page.letters()
        if letters.count(b"T") >= self.limits["max_timeouts"]:
            for index, letter in enumerate(letters):
                if letter in (status.UNDECIDED, status.CALL_BY_REFERENCE):
                    self.page.set(index, ord("S"))

    def shared(self) -> bool:
        """The tests that hand over what cannot cross: solution and test in one process. Whether there were any."""
        settled = bytearray(self.page.letters())
        wanted = [at for at, letter in enumerate(settled) if letter == status.CALL_BY_REFERENCE]
        ran = bool(wanted)
        while wanted:
            for index in wanted:
                self.page.set(index, status.UNDECIDED)
            pair = Pair(self.supervisor, "shared", self.source, wanted, self.supervisor.backstop)
            judge, _ = pair.wait(2 * self.limits["cpu_seconds"] + 1, self._wall)
            self.cpu += judge.cpu
            phase, current = self.page.where()
            letters = self.page.letters()
            loading = phase == status.LOADING and letters[current] == status.UNDECIDED
            for index in wanted:
                # a hostile solution may write here what it likes; only letters that a verdict may have are taken
                settled[index] = letters[index] if letters[index] in b"PFEMXT" else 0
            stuck = [at for at in wanted if not settled[at]]
            if stuck:
                late = pair.killed or judge.signal in (signal.SIGPROF, signal.SIGXCPU)
                for index in stuck if loading else stuck[:1]:
                    settled[index] = ord("T" if late else "X" if judge.signal == signal.SIGSYS else "E")
            wanted = [at for at in wanted if not settled[at]]
            if settled.count(b"T") >= self.limits["max_timeouts"]:
                for index in wanted:
                    settled[index] = ord("S")
                wanted = []
        for index, letter in enumerate(settled):
            self.page.set(index, letter)
        return ran
