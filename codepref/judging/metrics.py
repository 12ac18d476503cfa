"""radon's metrics of a program: the only place that imports radon."""

from __future__ import annotations

import functools
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Metrics:
    """cyclomatic: McCabe's number of the most branched function, 1 where there is no branch (McCabe 1976).

    volume, difficulty: Halstead's over the whole program, in bits and without a unit (Halstead 1977).
    """

    cyclomatic: int = 1
    volume: float = 0.0
    difficulty: float = 0.0


@functools.lru_cache(maxsize=4096)
def measure(code: str) -> Metrics | None:
    """Metrics of a program that parses; None where radon gives up on it (nested beyond Python's recursion)."""
    from radon.complexity import cc_visit
    from radon.metrics import h_visit

    try:
        blocks, halstead = cc_visit(code), h_visit(code).total
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    most = max((block.complexity for block in blocks), default=1)
    return Metrics(max(1, most), float(halstead.volume), float(halstead.difficulty))
