"""The figures of an execution, as summary.json holds them."""

from __future__ import annotations

import platform
from collections import Counter
from typing import Any

from codepref.execution.limits import Limits
from codepref.execution.spool import Spool
from codepref.records import PASS, VERDICT_LETTERS


def summarise(spool: Spool, tests: int, limits: Limits, seconds: float) -> dict[str, Any]:
    """Counts, rates and versions. tests: how many were used. seconds: what this run took to judge what it judged."""
    from codepref import __version__

    letters: Counter[str] = Counter()
    distinct = passing = shared = fresh_samples = fresh_cells = 0
    cpu_ms = 0.0
    for copies, row, is_shared, row_cpu_ms, fresh in spool.judged():
        for letter, count in Counter(row).items():
            letters[letter] += copies * count
        distinct += 1
        passing += copies * (bool(row) and set(row) == {PASS})
        shared += copies * is_shared
        cpu_ms += copies * row_cpu_ms
        fresh_samples += copies * fresh
        fresh_cells += copies * fresh * len(row)
    return {
        "problems": len(spool.counts),
        "samples": spool.lines,
        "distinct_samples": distinct,
        "tests": tests,
        "cells": sum(letters.values()),
        "verdicts": {letter: letters[letter] for letter in VERDICT_LETTERS if letters[letter]},
        "samples_passing_all": passing,
        "shared_samples": shared,
        "cpu_seconds": round(cpu_ms / 1000, 3),
        "seconds": round(seconds, 3),
        "judged_in_this_run": {"samples": fresh_samples, "cells": fresh_cells},
        "samples_per_second": round(fresh_samples / seconds, 1) if seconds else 0.0,
        "cells_per_second": round(fresh_cells / seconds, 1) if seconds else 0.0,
        "limits": limits.resolved(),
        "versions": {"codepref": __version__, "python": platform.python_version()},
    }
