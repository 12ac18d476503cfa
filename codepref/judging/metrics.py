"""Measures a program with radon. No other module imports radon."""

from __future__ import annotations

import functools

from codepref.judging.findings import Metrics


@functools.lru_cache(maxsize=4096)
def measure(code: str) -> Metrics | None:
    """Return the metrics of a program that parses, or None if radon cannot measure it.

    The usual reason is that the program is nested too deeply for radon.
    """
    from radon.complexity import cc_visit
    from radon.metrics import h_visit

    try:
        blocks, halstead = cc_visit(code), h_visit(code).total
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    highest = max((block.complexity for block in blocks), default=1)
    return Metrics(max(1, highest), float(halstead.volume), float(halstead.difficulty))
