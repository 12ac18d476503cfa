"""The limits of one solution: time, memory and number of timeouts."""

from __future__ import annotations

import math
import warnings
from dataclasses import asdict, dataclass, replace
from typing import Any

from codepref.errors import UserError
from codepref.execution.sandbox.wire.plan import stepped

MAXIMA = {
    "cpu_seconds": 1e6,
    "wall_seconds": 1e6,
    "load_cpu_seconds": 1e6,
    "memory_mb": 1 << 24,
    "max_timeouts": 1e9,
    "reference_cpu_seconds": 1e6,
    "timeout_factor": 1e9,
}
"""The largest value of each limit. 1e6 s are more than eleven days, and 1 << 24 MiB are 16 TiB."""

_OPTIONAL = frozenset({"wall_seconds", "load_cpu_seconds", "timeout_factor"})
"""The limits that may be None."""

MIN_FIRST_SECONDS, FIRST_SHARE = 0.5, 6
"""The CPU time of a test in the first attempt: a sixth of the limit, at least half a second, and never above the limit.

Without a `timeout_factor` it is the limit. A test of the kind "inputs" may take longer.
"""

REFERENCE_FACTOR = 5
"""A test of the kind "inputs" may take at least five times the CPU time that its reference used."""

_OLD_NAME = "patience"
"""The former name of `timeout_factor`. Files keep this name, so that a finished run is still recognised."""


def _is_positive(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf


@dataclass(frozen=True, slots=True, init=False)
class Limits:
    """The limits of one solution.

    Limits of CPU time count what the solution's process uses. The kernel measures this time, so it hardly depends on
    other processes of the machine. Without reference solutions, a test may be asleep for `cpu_seconds`, or for
    `load_cpu_seconds` if that is more, unless `wall_seconds` is less. Time in which it waits for a core does not count
    as asleep.

    cpu_seconds: CPU time of a test. A test of the kind "inputs" may take five times what its reference used, even if
        that is more.
    wall_seconds: the whole wall-clock time of a test. None means ten times `cpu_seconds`, and at least 5 s.
        Where solution and test run in separate processes, a test may take twice its limit of CPU time, even if
        `wall_seconds` is less. Where they share a process, a test may take more than twice `wall_seconds`.
    load_cpu_seconds: CPU time in which the solution's source must run before the first test. None means `cpu_seconds`,
        and at least 1 s.
    memory_mb: address space beyond the interpreter's own, in MiB. The value must be at least 1.
    max_timeouts: the number of timeouts after which the other tests of a solution get a twentieth of the time, and at
        least 5 ms of CPU time. Tests that share a process with the solution, and tests of whole programs, keep their
        full CPU time. A later timeout gets the code S, except in a test that shares a process with the solution.
        After ten times `max_timeouts` such codes the remaining tests are not run and get the code S. A timeout in the
        test's own code counts as ten of them, even if its code is T. If a process that solution and tests share ends
        early and there are `max_timeouts` timeouts, the other tests that share a process get the code S. The value of
        `max_timeouts` must be at least 1.
    reference_cpu_seconds: CPU time in which a reference solution must compute its expected outputs.
    timeout_factor: the limit of a test is this factor times the time of the slowest right solution. It is rounded up
        (see `second_cpu_seconds`) and lies between `first_cpu_seconds` and `cpu_seconds`. A test first gets
        `first_cpu_seconds`, since much of the time for a weak model's samples is spent on endless loops, and a short
        limit detects these too. For the kind "inputs" the time of the reference counts in place of the slowest right
        solution's, and a test gets its full limit in the first attempt. None: there is one attempt, in which a test may
        take `cpu_seconds`.

    Raises UserError for a limit that is not a positive finite number, is above its value in MAXIMA, or must be at least
    1 and is lower. Raises TypeError for an unknown name. Only `wall_seconds`, `load_cpu_seconds` and `timeout_factor`
    may be None.
    """

    cpu_seconds: float
    wall_seconds: float | None
    load_cpu_seconds: float | None
    memory_mb: int
    max_timeouts: int
    reference_cpu_seconds: float
    timeout_factor: float | None

    def __init__(
        self,
        cpu_seconds: float = 3.0,
        wall_seconds: float | None = None,
        load_cpu_seconds: float | None = None,
        memory_mb: int = 1024,
        max_timeouts: int = 2,
        reference_cpu_seconds: float = 60.0,
        timeout_factor: float | None = 20.0,
        **old_names: Any,
    ) -> None:
        if _OLD_NAME in old_names:
            warnings.warn(f"Limits: {_OLD_NAME} is now called timeout_factor", FutureWarning, stacklevel=2)
            timeout_factor = old_names.pop(_OLD_NAME)
        if old_names:
            raise TypeError(f"Limits has no argument {', '.join(old_names)}")
        values = (cpu_seconds, wall_seconds, load_cpu_seconds, memory_mb, max_timeouts, reference_cpu_seconds)
        for name, value in zip(MAXIMA, (*values, timeout_factor), strict=True):
            object.__setattr__(self, name, value)
        self._check()

    def _check(self) -> None:
        wrong = [
            f"limits: {name} must be a positive finite number, not {value!r}"
            for name, value in asdict(self).items()
            if not (_is_positive(value) or (value is None and name in _OPTIONAL))
        ]
        if not wrong:
            values = {name: value for name, value in asdict(self).items() if value is not None}
            wrong = [
                f"limits: {name} must be at most {MAXIMA[name]:,.0f}, not {value!r}"
                for name, value in values.items()
                if value > MAXIMA[name]
            ]
            wrong += [
                f"limits: {name} must be at least 1, not {values[name]!r}"
                for name in ("memory_mb", "max_timeouts")
                if values[name] < 1
            ]
        if wrong:
            raise UserError(*wrong)

    @property
    def first_cpu_seconds(self) -> float:
        """CPU time of a test in the first attempt, before it is known how long right solutions take."""
        lowest = max(MIN_FIRST_SECONDS, self.cpu_seconds / FIRST_SHARE)
        return self.cpu_seconds if self.timeout_factor is None else min(self.cpu_seconds, lowest)

    def lowered(self, cpu_seconds: float) -> Limits:
        """Return these limits with `cpu_seconds` as the CPU time of a test.

        The limits of loading and of wall-clock time keep the values that they have now.
        """
        full = self.resolved()
        wall, load = full["wall_seconds"], full["load_cpu_seconds"]
        return replace(self, cpu_seconds=cpu_seconds, wall_seconds=wall, load_cpu_seconds=load)

    def second_cpu_seconds(self, slowest: float | None) -> float:
        """Return the CPU time of a test in the second attempt, for solutions that ran out of time in the first attempt.

        slowest: the CPU seconds that the slowest right solution used to load and in all tests together. Here a solution
        is right if it passed at least one test and no test timed out. The problem's gold solution counts too, if it is
        right. None means that no solution was right. The result is then `cpu_seconds`, as it is without a
        `timeout_factor`.

        Worked example: the limit is 3 s and the factor is 20. If the slowest right solution took 1 ms, the result is
        0.5 s. If it took 30 ms, the result is 1 s: 20 times 30 ms is 0.6 s, which is rounded up to the next step of
        0.5, 1 and 2 s. Because of the steps, the limit seldom differs between runs.
        """
        if self.timeout_factor is None or slowest is None:
            return self.cpu_seconds
        return min(self.cpu_seconds, stepped(self.timeout_factor * slowest, self.first_cpu_seconds))

    def resolved(self) -> dict[str, Any]:
        """Return every limit as a number, under the names of the fields.

        `memory_bytes` replaces `memory_mb`. A `timeout_factor` of None becomes 0.
        """
        cpu = float(self.cpu_seconds)
        return {
            "cpu_seconds": cpu,
            "wall_seconds": float(max(10 * cpu, 5.0) if self.wall_seconds is None else self.wall_seconds),
            "load_cpu_seconds": float(max(cpu, 1.0) if self.load_cpu_seconds is None else self.load_cpu_seconds),
            "memory_bytes": int(self.memory_mb) << 20,
            "max_timeouts": int(self.max_timeouts),
            "reference_cpu_seconds": float(self.reference_cpu_seconds),
            "timeout_factor": float(self.timeout_factor or 0.0),
        }

    def recorded(self) -> dict[str, Any]:
        """Return the limits as `resolved` does, under the names that files and the keys of runs use."""
        return {_OLD_NAME if name == "timeout_factor" else name: value for name, value in self.resolved().items()}


SCORING_LIMITS = Limits(timeout_factor=None)
"""Limits for scores that are compared with published ones. Each test may take `cpu_seconds`."""
