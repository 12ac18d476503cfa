"""Runs one solution against the tests of its task, in one or more attempts.

A new attempt is needed, for example, when a process ended before all tests had a code. This module also derives the
codes that follow from how a process ended.
"""

from __future__ import annotations

import signal

from ..wire import status_page
from .process_pair import ProcessPair
from .runner_session import Host
from .watch import ASLEEP, BLOCKED, FULL, IDLE, OWN_TIME, Watched
from .zygote import Reaped

LIBRARIES = {status_page.ARRAYS: ("numpy",), status_page.TABLES: ("numpy", "pandas")}
"""The libraries that a test runner asks for, by the phase in which it ends."""

KNOWN = b"PFEMTXSI" + bytes([status_page.CALL_BY_REFERENCE])
"""The codes that an attempt may leave on the status page. Any other byte there, except UNDECIDED, becomes E."""

MAX_SHORT_TIMEOUTS = 10
"""Tests of a solution are skipped after `max_timeouts` timeouts and this many times `max_timeouts` further ones.

A timeout in the test's own code counts as ten further timeouts.
"""

SOLUTION_SHARE = 3
"""All attempts of a solution together may load it for this many times the limit of loading.

In all tests together it may be asleep for this many times the limit of one test. It may wait for the disk, or for a
reason that is not known, for this many times the limit of wall-clock time. After that all undecided tests get the
code S.
"""

TIMED_OUT_SHARE = 20
"""After `max_timeouts` timeouts a test may be asleep for a twentieth of the usual time.

The constant of this name in `runner` does the same for the CPU time.
"""

ENDINGS = {
    ASLEEP: ("T", "the solution and the test were asleep for too long"),
    IDLE: ("T", "the solution and the tests were asleep for too long in all tests together"),
    BLOCKED: ("T", "the solution and the tests waited for too long in all tests together"),
    FULL: ("M", "the solution has"),
}
"""Causes of the end of a test runner for which the solution is to blame, each with its code and with words for it."""


class SolutionAttempts:
    """The attempts of one solution.

    cpu: seconds of CPU time that the processes that ran the solution have used.
    """

    def __init__(self, supervisor: Host, source: str) -> None:
        assert supervisor.plan is not None
        self.supervisor, self.page, self.source = supervisor, supervisor.page, source
        self.limits = supervisor.plan.limits
        self.cpu = 0.0
        self._origin = supervisor.origin(source)
        self._ahead, self._alone = True, not supervisor.reusable or self._origin is not supervisor.solutions
        self._kept, self._short = bytearray(self.page.tests), 0
        self._loading = self._idle = self._blocked = 0.0
        longest = self.limits["reference_factor"] * supervisor.reference_seconds
        asleep = max(self.limits["max_cpu_seconds"], self.limits["load_cpu_seconds"], longest)
        self._asleep = min(asleep, max(self.limits["wall_seconds"], longest))
        slowest = 10 * supervisor.reference_seconds
        self._may_block = SOLUTION_SHARE * max(self.limits["wall_seconds"], longest)
        self._wall = 2 * max(self.limits["wall_seconds"], self.limits["load_cpu_seconds"], slowest) + 5
        self._runner_cpu = 2 * max(self.limits["max_cpu_seconds"], self.limits["load_cpu_seconds"], slowest) + 20

    def attempt(self, start: int) -> None:
        """Make one attempt: run the undecided tests from `start` on in separate processes, and derive their codes.

        With whole programs, only the test `start` runs. An attempt may also end without a new code. The next attempt
        then differs: numpy or pandas is loaded in the test runner, the solution has a process of its own, or no call is
        sent ahead.
        """
        session = self.supervisor.session()
        origin = self._origin if self._alone else None
        result = session.run(self.source, start, self._ahead, origin, (self._runner_cpu, self._wall, *self._sleep()))
        runner, solution, watched = result.runner, result.solution, result.watched
        self.cpu += solution.cpu
        self._idle += watched.idle
        self._blocked += watched.blocked
        self._loading += self.page.take_loading() if self._alone else 0.0
        phase, current = self.page.where()
        codes = self.page.codes()
        if phase in LIBRARIES and self.supervisor.load_libraries(LIBRARIES[phase]):
            return
        if phase == status_page.ALONE and not self._alone:
            self._alone = True
            return
        # While a solution loads, its process first clears away the previous solution, which can use up the time.
        late = phase == status_page.LOADING and b"T" in codes
        if not self._alone and (late or status_page.DIED in codes or b"M" in codes):
            # An earlier solution in the same process may be the cause. So this solution runs again in its own process.
            self._alone = True
            self._kept = bytearray(self.page.forget_ends())
            return
        if status_page.DIED in codes:
            self._settle_death(phase, codes.index(status_page.DIED), solution)
        elif phase == status_page.AGAIN and self._ahead:
            self._ahead = False
            return
        elif phase == status_page.SETUP:
            self.page.describe("the problem's helpers did not run to their end")
            self.page.fill(start, ord("I"))
        elif phase != status_page.FINISHED and codes[current] == status_page.UNDECIDED:
            self._settle_runner(phase, current, runner, watched)
        elif phase == status_page.LOADING:
            self.page.fill(start, codes[start])
        self._keep(start)
        self._limit_timeouts(phase, current)
        self._limit_cost()

    def _sleep(self) -> tuple[float, float, float]:
        """Return the seconds that the processes may be asleep in one test, and in all tests that are left.

        The third number is the seconds that they may still wait for the disk, or for a reason that is not known.
        """
        late = self.page.codes().count(b"T") >= self.limits["max_timeouts"]
        left = max(0.0, SOLUTION_SHARE * self._asleep - self._idle)
        return (self._asleep / TIMED_OUT_SHARE if late else self._asleep), left, self._may_block - self._blocked

    def _spent(self) -> bool:
        """Return whether the solution has used up the time for loading it, or for sleeping and waiting."""
        loading = self._loading > SOLUTION_SHARE * self.limits["load_cpu_seconds"]
        return loading or self._idle >= SOLUTION_SHARE * self._asleep or self._blocked >= self._may_block

    def _limit_cost(self) -> None:
        if self._spent():
            for index, code in enumerate(self.page.codes()):
                if code in (status_page.UNDECIDED, status_page.CALL_BY_REFERENCE):
                    self.page.describe(
                        f"test {index}: the solution loads, sleeps or waits too long in all tests together"
                    )
                    self.page.set(index, ord("S"))

    def _keep(self, start: int) -> None:
        """Keep the codes of this attempt.

        A hostile test may write anything to the status page. It cannot change the code of an earlier attempt. The test
        `start` always gets a code here, so the number of attempts is limited.
        """
        codes = self.page.codes()
        if not any(self._kept) and not codes.translate(None, KNOWN):
            return  # the first attempt decided all tests
        for index, code in enumerate(codes):
            if not self._kept[index]:
                self._kept[index] = code if code in (*KNOWN, status_page.UNDECIDED) else ord("E")
        self._kept[start] = self._kept[start] or ord("E")
        for index, code in enumerate(self._kept):
            self.page.set(index, code)

    def _settle_death(self, phase: int, index: int, solution: Reaped) -> None:
        code = {signal.SIGSYS: "X", signal.SIGXCPU: "T"}.get(solution.signal, "E")  # type: ignore[call-overload]
        if code == "E" and solution.signal and solution.peak > 0.8 * self.limits["memory_bytes"]:
            code = "M"
        self.page.set(index, ord(code))
        if phase == status_page.LOADING:
            self.page.fill(index, ord(code))

    def _settle_runner(self, phase: int, index: int, runner: Reaped, watched: Watched) -> None:
        if watched.cause in ENDINGS:
            code, text = ENDINGS[watched.cause]
            self.page.describe(f"test {index}: {text} {watched.detail}".rstrip())
            self.page.set(index, ord(code))
            if phase == status_page.LOADING:
                self.page.fill(index, ord(code))
            return
        late = watched.cause == OWN_TIME or runner.signal in (signal.SIGPROF, signal.SIGXCPU)
        self.page.describe(f"test {index}: the test's own code {'used up its time' if late else 'crashed its process'}")
        self.page.set(index, ord("T" if late else "E"))
        self._short += (
            MAX_SHORT_TIMEOUTS * late
        )  # it counts as ten, since a loop in the test itself takes the full time

    def _limit_timeouts(self, phase: int, current: int) -> None:
        """Skip tests of a solution that times out too often.

        After `max_timeouts` timeouts the test runner gives each further test less time, unless it runs a whole program.
        A test that then runs out of time gets the code S. After MAX_SHORT_TIMEOUTS * `max_timeouts` such tests all
        undecided tests get the code S (a timeout in the test's own code counts as MAX_SHORT_TIMEOUTS such tests).
        """
        codes, limit = self.page.codes(), self.limits["max_timeouts"]
        if codes.count(b"T") > limit and phase == status_page.TESTING and codes[current] == ord("T"):
            self._kept[current] = ord("S")
            self.page.set(current, ord("S"))
            self._short += 1
        if codes.count(b"T") >= limit and self._short >= MAX_SHORT_TIMEOUTS * limit:
            for index, code in enumerate(codes):
                if code in (status_page.UNDECIDED, status_page.CALL_BY_REFERENCE):
                    self.page.set(index, ord("S"))

    def shared(self) -> bool:
        """Run the tests with the code CALL_BY_REFERENCE in a process that also runs the solution.

        A process runs as many of these tests as it can. If it ends early, a new one runs the remaining tests. If the
        solution has `max_timeouts` timeouts, or has used up its time, the remaining tests get the code S instead.
        Return whether there were any tests with the code CALL_BY_REFERENCE.
        """
        settled = bytearray(self.page.codes())
        wanted = [at for at, code in enumerate(settled) if code == status_page.CALL_BY_REFERENCE]
        ran = bool(wanted)
        while wanted:
            for index in wanted:
                self.page.set(index, status_page.UNDECIDED)
            pair = ProcessPair(self.supervisor, "shared", self.source, wanted, self.supervisor.backstop)
            runner, watched = pair.wait((2 * self.limits["cpu_seconds"] + 1, self._wall, *self._sleep()))
            self.cpu += runner.cpu
            self._idle += watched.idle
            self._blocked += watched.blocked
            self._loading += self.page.take_loading()
            phase, current = self.page.where()
            codes = self.page.codes()
            loading = phase == status_page.LOADING and codes[current] == status_page.UNDECIDED
            for index in wanted:
                # A hostile solution may write anything to the page. Only codes that such a test can have are accepted.
                settled[index] = codes[index] if codes[index] in b"PFEMXT" else 0
            stuck = [at for at in wanted if not settled[at]]
            if stuck:
                ending, how = _shared_end(runner, watched)
                self.page.describe(f"test {stuck[0]}: {how}")
                for index in stuck if loading else stuck[:1]:
                    settled[index] = ord(ending)
            wanted = [at for at in wanted if not settled[at]]
            if settled.count(b"T") >= self.limits["max_timeouts"] or self._spent():
                for index in wanted:
                    settled[index] = ord("S")
                wanted = []
        for index, code in enumerate(settled):
            self.page.set(index, code)
        return ran


def _shared_end(runner: Reaped, watched: Watched) -> tuple[str, str]:
    """Return the code of a test during which the process of test and solution ended, and the reason for the code."""
    if watched.cause in ENDINGS:
        code, text = ENDINGS[watched.cause]
        return code, f"{text} {watched.detail}".rstrip()
    if watched.cause == OWN_TIME or runner.signal in (signal.SIGPROF, signal.SIGXCPU):
        return "T", "the test's process used up its time"
    return "X" if runner.signal == signal.SIGSYS else "E", (
        f"the test's process ended ({runner.ending}) with the solution in it"
    )
