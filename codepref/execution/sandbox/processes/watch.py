"""Watches a test runner and the process of its solution, and ends the runner when a limit is reached.

The runner itself limits the CPU time and the wall-clock time of the solution (see `wire.link`). This module enforces
limits that a hostile runner cannot get around. They are on the runner's own time, the time in which both processes are
asleep or wait, the size of the scratch folder, and the number of threads.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from typing import Protocol

from ..confinement import folders
from ..wire.link import clock_of
from . import zygote

SLICE_SECONDS = 0.05
"""The seconds for which the supervisor waits for an answer before it looks at the processes again."""

MAX_KILLS = 5
"""If a test runner was killed more often than this and no answer has come, its zygote counts as lost."""

MAX_THREADS = 256
"""How many threads of a process are looked at. A process that has more counts as asleep if these are."""

MAX_CROWD = 1000
"""The largest number of threads of a process. The user and the machine can have only a limited number of them."""

OWN_TIME, ASLEEP, IDLE, BLOCKED, FULL = "own time", "asleep", "idle", "blocked", "full"
"""Why a runner was ended.

OWN_TIME: it spent too much time in one test. ASLEEP: runner and solution slept too long in one test. IDLE: they slept
too long in all tests together. BLOCKED: they waited for the disk, or for a reason that is not known, too long in all
tests together. FULL: the scratch folder holds too much, or a process has too many threads.
"""

_SLEEPING = frozenset("STtZXI")
"""The letters in /proc of threads that do nothing. Z is a first thread that has ended before the others."""


TimeLimits = tuple[float, float, float, float, float]
"""The fields `cpu`, `wall`, `asleep`, `idle_left` and `blocked_left` of `Watched`."""


class Page(Protocol):
    """The part of a status page that `watch` reads."""

    def where(self) -> tuple[int, int]:
        """Return the phase and the index of the current test."""


class Answerer(Protocol):
    """Something whose answer `Waiter.wait_for` can wait for."""

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when an answer has arrived."""


class Waiter(Protocol):
    """The parts of a supervisor that `watch` uses."""

    @property
    def page(self) -> Page:
        """The page on which the runner says what it does."""

    def wait_for(self, answerer: Answerer, timeout: float) -> bool:
        """Return whether an answer arrives within `timeout` seconds."""


class Watched:
    """Which processes are watched, what they may do, and what `watch` has seen.

    Attributes:
        runner, solution: the pids. The second is 0 if the solution runs in the runner.
        folder: the scratch folder of the process that runs the solution, or "".
        cpu, wall: seconds of the runner's CPU time and of wall-clock time that one test may take.
        asleep: seconds for which both processes may be asleep in one test.
        idle_left: seconds for which both may be asleep in all tests together.
        blocked_left: seconds for which they may wait for the disk or for an unknown reason, in all tests together.
        idle: the seconds for which both were asleep.
        blocked: the seconds for which they waited for the disk or for an unknown reason.
        cause: why the runner was ended, or "".
        detail: more about the cause, in words.
    """

    __slots__ = (
        "asleep",
        "blocked",
        "blocked_left",
        "cause",
        "cpu",
        "detail",
        "folder",
        "idle",
        "idle_left",
        "runner",
        "solution",
        "wall",
    )

    def __init__(self, runner: int, solution: int, folder: str, limits: TimeLimits) -> None:
        self.runner, self.solution, self.folder = runner, solution, folder
        self.cpu, self.wall, self.asleep, self.idle_left, self.blocked_left = limits
        self.idle, self.blocked, self.cause, self.detail = 0.0, 0.0, "", ""

    def excess(self, sleep: SleepClock) -> str:
        """Return in words what the processes have too much of, or ""."""
        if sleep.threads > MAX_CROWD:
            return f"more than {MAX_CROWD:,} threads"
        return folders.excess(self.folder) if self.folder else ""


def watch(waiter: Waiter, answerer: Answerer, watched: Watched) -> None:
    """Wait for an answer. Kill the runner if a limit is reached, and set `cause` (for FULL also `detail`).

    Raises ZygoteLost when no answer comes although the runner was killed, and what `Waiter.wait_for` raises.
    """
    page, clock, kills = waiter.page, clock_of(watched.runner), 0
    if waiter.wait_for(answerer, SLICE_SECONDS):
        return
    sleep = SleepClock(watched.runner, watched.solution)
    state, cpu, wall, asleep = page.where(), time.clock_gettime(clock), time.monotonic(), 0.0
    while not waiter.wait_for(answerer, SLICE_SECONDS):
        now, slept = page.where(), sleep.advance()
        watched.idle += slept
        watched.blocked = sleep.blocked
        asleep += slept
        if now != state:
            state, cpu, wall, asleep = now, time.clock_gettime(clock), time.monotonic(), 0.0
        late = time.clock_gettime(clock) - cpu > watched.cpu or time.monotonic() - wall > watched.wall
        cause = OWN_TIME if late else ASLEEP if asleep > watched.asleep else ""
        if not cause and watched.idle > watched.idle_left:
            cause = IDLE
        if not cause and watched.blocked > watched.blocked_left:
            cause = BLOCKED
        if not cause and (detail := watched.excess(sleep)):
            cause, watched.detail = FULL, detail
        if cause and not (kills and time.monotonic() - wall < watched.wall):
            os.kill(watched.runner, signal.SIGKILL)
            watched.cause = watched.cause or cause
            kills += 1
            if kills > MAX_KILLS:
                raise zygote.ZygoteLost("the runner zygote does not answer, although the test runner was killed")
            wall = time.monotonic()
    sleep.advance()
    if watched.cause != BLOCKED:
        watched.blocked = sleep.settled


class SleepClock:
    """Measures for how long a runner and the process of its solution have both been asleep.

    Time in which a thread of one of them runs, waits for a core or waits for the disk is no sleep. The kernel's file
    schedstat says for how long a thread has waited for a core. So a busy machine does not look like a program that
    sleeps. Where these files cannot be read, no time counts.

    A look at the states of all threads shows whether they are asleep at this moment. A program that wakes for each look
    would never seem to be asleep. Therefore all other time in which no thread runs or waits for a core counts as
    `blocked`. The clocks and schedstat show this time, without a look at the states.

    Attributes:
        blocked: the seconds since the start in which no thread ran, waited for a core or was seen asleep. It falls
            again when the kernel says that a thread has waited for a core, which it says when the wait is over.
        settled: the value of `blocked` at the last look at which no thread ran or waited for a core.
        threads: the largest number of threads that one process had at the last look.
    """

    def __init__(self, *pids: int) -> None:
        self._pids = [pid for pid in pids if pid]
        self._clocks = [clock_of(pid) for pid in self._pids]
        self._waited: dict[int, int] = {}
        self._at = self._cpu = self._balance = self.blocked = self.settled = 0.0
        self.threads = 0
        self._look()

    def advance(self) -> float:
        """Return for how many of the seconds since the last call both processes were asleep."""
        before, cpu = self._at, self._cpu
        waits, states = self._look()
        if not states:
            return 0.0
        still = self._at - before - (self._cpu - cpu)
        # The waits of several threads may be at the same time. So their sum may be too much, and the longest too
        # little. Where all threads are seen asleep, the second mistake is rare.
        slept = max(0.0, still - max(waits, default=0) / 1e9) if states <= _SLEEPING else 0.0
        self._balance += still - sum(waits) / 1e9 - slept
        self.blocked = max(0.0, self._balance)
        if "R" not in states:
            self.settled = self.blocked
        return slept

    def _look(self) -> tuple[list[int], set[str]]:
        """Return the nanoseconds for which each thread has waited for a core since the last look, and all states.

        Both results are empty if the kernel does not give all of these facts.
        """
        new, states, waits, self.threads = {}, set[str](), list[int](), 0
        try:
            self._at, self._cpu = time.monotonic(), sum(map(time.clock_gettime, self._clocks))
            for pid in self._pids:
                threads = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208
                self.threads = max(self.threads, len(threads))
                for thread in threads[:MAX_THREADS]:
                    # A thread may end between two looks, and a program must not gain time by this.
                    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                        total = int(_read(pid, thread, "schedstat").split()[1])
                        # The name of a thread stands in brackets and may hold any character.
                        states.add(_read(pid, thread, "stat").rpartition(")")[2].split()[0])
                        new[int(thread)] = total
                        waits.append(max(0, total - self._waited.get(int(thread), 0)))
        except (OSError, ValueError, IndexError):
            return [], set()  # a process has ended just now, or the kernel does not say
        self._waited = new
        return waits, states


def _read(pid: int, thread: str, name: str) -> str:
    descriptor = os.open(f"/proc/{pid}/task/{thread}/{name}", os.O_RDONLY)
    try:
        return os.read(descriptor, 4096).decode("utf-8", "replace")
    finally:
        os.close(descriptor)
