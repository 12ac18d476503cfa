"""The limits of one solution: time, memory, number of timeouts."""

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
"""The largest value of each limit: eleven days for times, 16 TiB for memory. The kernel's own limits hold no more."""

MIN_FIRST_SECONDS, FIRST_SHARE = 0.5, 6
"""The first attempt at a test gets half a second of CPU or a sixth of the limit, whichever is more."""

REFERENCE_FACTOR = 5
"""A test of the kind "inputs" may always take five times as long as its reference took."""

_OLD_NAME = "patience"
"""What `timeout_factor` was called before. Files keep that name, so that a finished run is still recognised."""


@dataclass(frozen=True, slots=True, init=False)
class Limits:
    """Limits of one solution.

    Time is CPU time of the solution's process, read from outside, so a busy machine does not change verdicts. The wall
    clock only stops programs that sleep.

    cpu_seconds: CPU time of a test. A test of the kind "inputs" gets at least five times what its reference used.
    wall_seconds: wall-clock ceiling of a test. None means ten times `cpu_seconds`, and 5 s at least.
    load_cpu_seconds: CPU time in which the solution's source must run before the first test. None means `cpu_seconds`,
        and 1 s at least.
    memory_mb: address space beyond the interpreter's own, in MiB.
    max_timeouts: after so many timeouts of a solution its other tests get little time, and are skipped in the end.
    reference_cpu_seconds: CPU time in which a reference solution must yield its expected outputs.
    timeout_factor: a test may take so many times as long as the slowest right solution took, and never more than
        `cpu_seconds`. Endless loops cost most of the time of a weak model's samples, and half a second shows a loop as
        well as three do. See `second_cpu_seconds`. None: every test may take `cpu_seconds`.

    Raises UserError for a limit that is not a positive number or is above MAXIMA.
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
            f"limits: {name} must be a positive number, not {value!r}"
            for name, value in asdict(self).items()
            if value is not None and not (isinstance(value, int | float) and math.isfinite(value) and value > 0)
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
        """CPU time of a test in the first attempt, when nothing is known yet about how long right solutions take."""
        lowest = max(MIN_FIRST_SECONDS, self.cpu_seconds / FIRST_SHARE)
        return self.cpu_seconds if self.timeout_factor is None else min(self.cpu_seconds, lowest)

    def lowered(self, cpu_seconds: float) -> Limits:
        """The same limits with less CPU time a test. The limits of loading and of the wall clock do not change."""
        full = self.resolved()
        wall, load = full["wall_seconds"], full["load_cpu_seconds"]
        return replace(self, cpu_seconds=cpu_seconds, wall_seconds=wall, load_cpu_seconds=load)

    def second_cpu_seconds(self, slowest: float | None) -> float:
        """CPU time of a test in the second attempt, for solutions that ran out of time in the first one.

        slowest: CPU seconds, all tests together, of the slowest solution that passed a test in time. The problem's gold
        solution counts too. None when no solution did: then the result is `cpu_seconds`.

        Worked example: with 3 s and a factor of 20, a slowest right solution of 1 ms allows 0.5 s, and one of 30 ms
        allows 1 s: 0.6 s, rounded up in steps of 0.5, 1 and 2 s, so that the limit seldom differs between runs.
        """
        if self.timeout_factor is None or slowest is None:
            return self.cpu_seconds
        return min(self.cpu_seconds, stepped(self.timeout_factor * slowest, self.first_cpu_seconds))

    def resolved(self) -> dict[str, Any]:
        """Every limit as a number, under the names of the fields. `memory_bytes` replaces `memory_mb`."""
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
        """As `resolved`, under the names that files and the keys of runs hold."""
        return {_OLD_NAME if name == "timeout_factor" else name: value for name, value in self.resolved().items()}


SCORING_LIMITS = Limits(timeout_factor=None)
"""For scores that are compared elsewhere: a right solution within the limit passes, however fast others are."""
