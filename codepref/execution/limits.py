"""What one solution may use up."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from codepref.errors import UserError

MOST = {
    "cpu_seconds": 1e6,
    "wall_seconds": 1e6,
    "load_cpu_seconds": 1e6,
    "memory_mb": 1 << 24,
    "max_timeouts": 1e9,
    "reference_cpu_seconds": 1e6,
}
"""The largest value of each limit: a fortnight, and 16 TiB. What is above does not fit the kernel's own limits."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one solution. Time is CPU time of the judged process, read from outside, so that a busy machine does
    not change verdicts; the wall clock only stops sleepers.

    cpu_seconds: CPU time of a test (for a test of kind "inputs" at least five times what the reference used).
    wall_seconds: ceiling of a test by the wall clock; None means ten times `cpu_seconds`, at least 5 s.
    load_cpu_seconds: CPU time of running the solution's source before the first test; None means `cpu_seconds`, at
        least 1 s.
    memory_mb: address space beyond the interpreter's own, in MiB.
    max_timeouts: after so many time-outs of one solution its other tests are skipped (letter S).
    reference_cpu_seconds: CPU time in which a reference solution must give its expected outputs.
    """

    cpu_seconds: float = 3.0
    wall_seconds: float | None = None
    load_cpu_seconds: float | None = None
    memory_mb: int = 1024
    max_timeouts: int = 2
    reference_cpu_seconds: float = 60.0

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
        }
