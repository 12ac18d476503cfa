"""What one solution may use up."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

from codepref.errors import UserError
from codepref.execution.inside.plan import stepped

MOST = {
    "cpu_seconds": 1e6,
    "wall_seconds": 1e6,
    "load_cpu_seconds": 1e6,
    "memory_mb": 1 << 24,
    "max_timeouts": 1e9,
    "reference_cpu_seconds": 1e6,
    "patience": 1e9,
}
"""The largest value of each limit: a fortnight, and 16 TiB. What is above does not fit the kernel's own limits."""

LEAST_FIRST_SECONDS, FIRST_SHARE = 0.5, 6
"""What patience never goes below: half a second, or a sixth of the limit."""

REFERENCE_FACTOR = 5
"""A test of kind "inputs" may always take so many times what its reference took."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one solution. Time is CPU time of the judged process, read from outside, so that a busy machine does
    not change verdicts; the wall clock only stops sleepers.

    cpu_seconds: CPU time of a test (for a test of kind "inputs" at least five times what the reference used).
    wall_seconds: ceiling of a test by the wall clock; None means ten times `cpu_seconds`, at least 5 s.
    load_cpu_seconds: CPU time of running the solution's source before the first test; None means `cpu_seconds`, at
        least 1 s.
    memory_mb: address space beyond the interpreter's own, in MiB.
    max_timeouts: after so many time-outs of one solution its other tests are skipped (code S).
    reference_cpu_seconds: CPU time in which a reference solution must give its expected outputs.
    patience: how many times as long as the slowest right solution a test may take, `cpu_seconds` being the most.
        Endless loops are most of what a weak model's samples cost, and a loop is no less endless after half a second.
        See `late`. None: every test may take `cpu_seconds`.
    """

    cpu_seconds: float = 3.0
    wall_seconds: float | None = None
    load_cpu_seconds: float | None = None
    memory_mb: int = 1024
    max_timeouts: int = 2
    reference_cpu_seconds: float = 60.0
    patience: float | None = 20.0

    def __post_init__(self) -> None:
        """Raises UserError for a limit that is not a positive number, or above what MOST allows."""
        wrong = [
            f"limits: {name} must be a positive number, not {value!r}"
            for name, value in asdict(self).items()
            if value is not None and not (isinstance(value, int | float) and math.isfinite(value) and value > 0)
        ]
        if not wrong:
            given = {name: value for name, value in asdict(self).items() if value is not None}
            wrong = [
                f"limits: {name} must be at most {MOST[name]:,.0f}, not {value!r}"
                for name, value in given.items()
                if value > MOST[name]
            ]
            wrong += [
                f"limits: {name} must be at least 1, not {given[name]!r}"
                for name in ("memory_mb", "max_timeouts")
                if given[name] < 1
            ]
        if wrong:
            raise UserError(*wrong)

    @property
    def first_seconds(self) -> float:
        """CPU time of a test in the first round, in which it is not known yet how long right solutions take."""
        least = max(LEAST_FIRST_SECONDS, self.cpu_seconds / FIRST_SHARE)
        return self.cpu_seconds if self.patience is None else min(self.cpu_seconds, least)

    def lowered(self, cpu_seconds: float) -> Limits:
        """The same limits with less CPU time a test; loading and the wall-clock ceiling stay as they were."""
        full = self.resolved()
        wall, load = full["wall_seconds"], full["load_cpu_seconds"]
        return replace(self, cpu_seconds=cpu_seconds, wall_seconds=wall, load_cpu_seconds=load)

    def late(self, slowest: float | None) -> float:
        """CPU time of a test for solutions that ran out of it in the first round.

        slowest: CPU seconds, all tests together, of the slowest solution that passed a test in time (the problem's gold
        solution among them). None when there is none: then nothing can be told, and it is `cpu_seconds`.

        Worked example: with 3 s and a patience of 20, a slowest right solution of 1 ms gives 0.5 s, of 30 ms gives 1 s
        (0.6 s, in steps of 0.5, 1 and 2 s so that the limit seldom differs between runs).
        """
        if self.patience is None or slowest is None:
            return self.cpu_seconds
        return min(self.cpu_seconds, stepped(self.patience * slowest, self.first_seconds))

    def resolved(self) -> dict[str, Any]:
        """Every limit as a number, under the names of the fields (memory in bytes under `memory_bytes`)."""
        cpu = float(self.cpu_seconds)
        return {
            "cpu_seconds": cpu,
            "wall_seconds": float(max(10 * cpu, 5.0) if self.wall_seconds is None else self.wall_seconds),
            "load_cpu_seconds": float(max(cpu, 1.0) if self.load_cpu_seconds is None else self.load_cpu_seconds),
            "memory_bytes": int(self.memory_mb) << 20,
            "max_timeouts": int(self.max_timeouts),
            "reference_cpu_seconds": float(self.reference_cpu_seconds),
            "patience": float(self.patience or 0.0),
        }


SCORING_LIMITS = Limits(patience=None)
"""For scores that are compared elsewhere: a right solution within the limit is right, however fast others are."""
