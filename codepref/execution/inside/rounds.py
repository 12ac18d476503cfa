"""One solution on its way through all tests of its task, and the codes that follow from how processes ended."""

from __future__ import annotations

import signal

from . import status
from .pairs import Pair
from .sitting import Host
from .zygote import Reaped

KNOWN = b"PFEMTXSI" + bytes([status.CALL_BY_REFERENCE])

MOST_SHORT = 10
"""For each time-out that is allowed, so many tests may run out of the little time that is left after them."""


class Run:
    """One solution on its way through all tests, with a fresh pair after each that died or ran out of time."""

    def __init__(self, supervisor: Host, source: str) -> None:
        assert supervisor.plan is not None
        self.supervisor, self.page, self.source = supervisor, supervisor.page, source
        self.limits = supervisor.plan.limits
        self.cpu = 0.0
        self._origin = supervisor.origin(source)
        self._ahead, self._alone = True, not supervisor.reusable or self._origin is not supervisor.solutions
        self._kept, self._short = bytearray(self.page.tests), 0
        slowest = 10 * supervisor.reference_seconds
        self._wall = 2 * max(self.limits["wall_seconds"], self.limits["load_cpu_seconds"], slowest) + 5
        self._judge_cpu = 2 * max(self.limits["most_cpu_seconds"], self.limits["load_cpu_seconds"], slowest) + 20

    def separate(self, start: int) -> None:
        """One pair, from test `start` on, and its codes settled."""
        sitting = self.supervisor.seat()
        origin = self._origin if self._alone else None
        heard = sitting.hear(self.source, start, self._ahead, origin, (self._judge_cpu, self._wall))
        judge, judged = heard.judge, heard.judged
        self.cpu += judged.cpu
        phase, current = self.page.where()
        codes = self.page.codes()
        if phase == status.ARRAYS and self.supervisor.load_arrays():
            return
        if phase == status.ALONE and not self._alone:
            self._alone = True
            return
        late = phase == status.LOADING and b"T" in codes  # the last guest is cleared away in this one's time
        if not self._alone and (late or status.DIED in codes or b"M" in codes):
            # its end may owe something to what ran there before: only an end in a process of its own counts
            self._alone = True
            self.page.forget()
            self._kept = bytearray(self.page.tests)
            return
        if status.DIED in codes:
            self._settle_death(phase, codes.index(status.DIED), judged)
        elif phase == status.AGAIN and self._ahead:
            self._ahead = False
            return
        elif phase == status.SETUP:
            self.page.describe("the problem's helpers did not run to their end")
            self.page.fill(start, ord("I"))
        elif phase != status.FINISHED and codes[current] == status.UNDECIDED:
            self._settle_judge(current, judge, sitting.killed)
        elif phase == status.LOADING:
            self.page.fill(start, codes[start])
        self._keep(start)
        self._limit_timeouts(phase, current)

    def _keep(self, start: int) -> None:
        """Hold on to this round's codes. A hostile test may write into its judge's page what it likes: it can take
        back no code of an earlier round, and each round settles a test, so that the rounds come to an end.
        """
        codes = self.page.codes()
        if not any(self._kept) and not codes.translate(None, KNOWN):
            return  # all settled in one round
        for index, code in enumerate(codes):
            if not self._kept[index]:
                self._kept[index] = code if code in (*KNOWN, status.UNDECIDED) else ord("E")
        self._kept[start] = self._kept[start] or ord("E")
        for index, code in enumerate(self._kept):
            self.page.set(index, code)

    def _settle_death(self, phase: int, index: int, judged: Reaped) -> None:
        code = {signal.SIGSYS: "X", signal.SIGXCPU: "T"}.get(judged.signal, "E")  # type: ignore[call-overload]
        if code == "E" and judged.signal and judged.peak > 0.8 * self.limits["memory_bytes"]:
            code = "M"
        self.page.set(index, ord(code))
        if phase == status.LOADING:
            self.page.fill(index, ord(code))

    def _settle_judge(self, index: int, judge: Reaped, killed: bool) -> None:
        late = killed or judge.signal in (signal.SIGPROF, signal.SIGXCPU)
        self.page.describe(f"test {index}: the test's own code {'used up its time' if late else 'crashed its process'}")
        self.page.set(index, ord("T" if late else "E"))
        self._short += MOST_SHORT * late  # the test's own loop is not cut short, so that it costs what others cost

    def _limit_timeouts(self, phase: int, current: int) -> None:
        """After `max_timeouts` time-outs the other tests get little time each: the code of one that runs out of it is
        S, and after so many of them the rest is skipped.
        """
        codes, most = self.page.codes(), self.limits["max_timeouts"]
        if codes.count(b"T") > most and phase == status.TESTING and codes[current] == ord("T"):
            self._kept[current] = ord("S")
            self.page.set(current, ord("S"))
            self._short += 1
        if codes.count(b"T") >= most and self._short >= MOST_SHORT * most:
            for index, code in enumerate(codes):
                if code in (status.UNDECIDED, status.CALL_BY_REFERENCE):
                    self.page.set(index, ord("S"))

    def shared(self) -> bool:
        """The tests that hand over what cannot cross: solution and test in one process. Whether there were any."""
        settled = bytearray(self.page.codes())
        wanted = [at for at, code in enumerate(settled) if code == status.CALL_BY_REFERENCE]
        ran = bool(wanted)
        while wanted:
            for index in wanted:
                self.page.set(index, status.UNDECIDED)
            pair = Pair(self.supervisor, "shared", self.source, wanted, self.supervisor.backstop)
            judge, _ = pair.wait(2 * self.limits["cpu_seconds"] + 1, self._wall)
            self.cpu += judge.cpu
            phase, current = self.page.where()
            codes = self.page.codes()
            loading = phase == status.LOADING and codes[current] == status.UNDECIDED
            for index in wanted:
                # a hostile solution may write here what it likes; only codes that a verdict may have are taken
                settled[index] = codes[index] if codes[index] in b"PFEMXT" else 0
            stuck = [at for at in wanted if not settled[at]]
            if stuck:
                late = pair.killed or judge.signal in (signal.SIGPROF, signal.SIGXCPU)
                how = "used up its time" if late else f"ended ({judge.ending}) with the solution in it"
                self.page.describe(f"test {stuck[0]}: the test's process {how}")
                for index in stuck if loading else stuck[:1]:
                    settled[index] = ord("T" if late else "X" if judge.signal == signal.SIGSYS else "E")
            wanted = [at for at in wanted if not settled[at]]
            if settled.count(b"T") >= self.limits["max_timeouts"]:
                for index in wanted:
                    settled[index] = ord("S")
                wanted = []
        for index, code in enumerate(settled):
            self.page.set(index, code)
        return ran
