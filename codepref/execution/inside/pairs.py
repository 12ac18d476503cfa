"""A judge and its solution: forked together, watched, ended, and the letters that follow from how they ended."""

from __future__ import annotations

import _socket
import os
import signal
import time
from typing import Protocol

from . import status, zygote
from .codec import Encoder
from .plan import Plan
from .remote import clock_of


class Host(Protocol):
    """What a pair needs of its supervisor."""

    solutions: zygote.Zygote
    judges: zygote.Zygote | None
    plan: Plan | None
    page: status.StatusPage
    reference_seconds: float

    def wait_for(self, zygote_: zygote.Zygote, timeout: float) -> bool:
        """Whether the zygote has answered within `timeout` seconds."""


class Pair:
    """A judge and, unless they share a process, the solution it judges."""

    def __init__(self, supervisor: Host, mode: str, source: str, wanted: list[int], cpu: float) -> None:
        assert supervisor.judges is not None
        assert supervisor.plan is not None
        self.supervisor, self.judges = supervisor, supervisor.judges
        self.solution = 0
        ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM)
        try:
            if mode != "shared":
                memory = int(supervisor.plan.limits["memory_bytes"]) * (4 if mode == "produce" else 1)
                told = Encoder(lambda _: None, exact=True).encode((memory, cpu))
                self.solution = supervisor.solutions.fork(theirs.fileno(), told)
            payload = Encoder(lambda _: None, exact=True).encode((mode, self.solution, source, wanted))
            self.judge = self.judges.fork(ours.fileno(), payload)
        finally:
            ours.close()
            theirs.close()
        self.killed = False

    def watch(self, cpu_seconds: float, wall_seconds: float) -> None:
        """Wait until the judge zygote answers; kill a judge that stays too long at one test, by CPU or wall clock."""
        page, clock = self.supervisor.page, clock_of(self.judge)
        place, cpu, wall = page.where(), time.clock_gettime(clock), time.monotonic()
        while not self.supervisor.wait_for(self.judges, min(cpu_seconds, wall_seconds)):
            now = page.where()
            if now != place:
                place, cpu, wall = now, time.clock_gettime(clock), time.monotonic()
            elif time.clock_gettime(clock) - cpu > cpu_seconds or time.monotonic() - wall > wall_seconds:
                os.kill(self.judge, signal.SIGKILL)
                self.killed = True
                wall = time.monotonic()

    def end(self) -> tuple[zygote.Reaped, zygote.Reaped]:
        """Kill what is left and reap both: how the judge ended, how the solution ended."""
        os.kill(self.judge, signal.SIGKILL)
        self.judges.ask_reap(self.judge)
        judge = self.judges.reaped()
        return judge, self._end_solution()

    def wait(self, cpu_seconds: float, wall_seconds: float) -> tuple[zygote.Reaped, zygote.Reaped]:
        """Wait for the judge's end under `watch`, then end the solution."""
        self.judges.ask_reap(self.judge)
        self.watch(cpu_seconds, wall_seconds)
        return self.judges.reaped(), self._end_solution()

    def _end_solution(self) -> zygote.Reaped:
        if not self.solution:
            return zygote.Reaped(0, 0.0, 0)
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
        count = len(supervisor.plan.tests)
        # a test of kind "inputs" may take several times what its reference took, beyond the plain limits
        slowest = 10 * supervisor.reference_seconds
        self._backstop = self.limits["load_cpu_seconds"] + (self.limits["cpu_seconds"] + slowest + 60) * count + 60
        self._wall = 2 * max(self.limits["wall_seconds"], self.limits["load_cpu_seconds"], slowest) + 5
        self._judge_cpu = 2 * max(self.limits["cpu_seconds"], self.limits["load_cpu_seconds"], slowest) + 20

    def separate(self, start: int) -> None:
        """One pair, from test `start` on, and its letters settled."""
        pair = Pair(self.supervisor, "judge", self.source, [start], self._backstop)
        judge, judged = pair.wait(self._judge_cpu, self._wall)
        self.cpu += judged.cpu
        phase, current = self.page.where()
        letters = self.page.letters()
        if status.DIED in letters:
            self._settle_death(phase, letters.index(status.DIED), judged)
        elif phase == status.SETUP:
            self.page.describe("the problem's helpers did not run to their end")
            self.page.fill(start, ord("I"))
        elif phase != status.FINISHED and letters[current] == status.UNDECIDED:
            self._settle_judge(current, judge, pair.killed)
        elif phase == status.LOADING:
            self.page.fill(start, letters[start])
        self._stop_after_timeouts()

    def _settle_death(self, phase: int, index: int, judged: zygote.Reaped) -> None:
        letter = {signal.SIGSYS: "X", signal.SIGXCPU: "T"}.get(judged.signal, "E")  # type: ignore[call-overload]
        if letter == "E" and judged.signal and judged.peak > 0.8 * self.limits["memory_bytes"]:
            letter = "M"
        self.page.set(index, ord(letter))
        if phase == status.LOADING:
            self.page.fill(index, ord(letter))

    def _settle_judge(self, index: int, judge: zygote.Reaped, killed: bool) -> None:
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
            pair = Pair(self.supervisor, "shared", self.source, wanted, self._backstop)
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
