"""Computes the figures of an execution. summary.json holds them, and a few more."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Sequence
from itertools import compress
from typing import Any

from codepref.execution.limits import Limits
from codepref.execution.spool import Spool
from codepref.records import VERDICT_CODES, Test, is_correct


def summarise(spool: Spool, used: Sequence[Test], limits: Limits, seconds: float) -> dict[str, Any]:
    """Return counts, rates, limits and versions.

    used: all tests and probes of the run. seconds: the wall-clock time of this run.
    A probe has no expected result, so its codes are not counted. The CPU time includes that of probes.
    """
    from codepref import __version__

    counts: dict[str, list[int]] = {}
    for test in used:
        counts.setdefault(test.task_id, []).append(test.count)
    tests = sum(test.count > 0 for test in used)
    codes: Counter[str] = Counter()
    distinct = passing = shared = fresh_samples = fresh_cells = 0
    cpu_ms = 0.0
    for task, copies, written, is_shared, row_cpu_ms, fresh in spool.verdicts():
        row = written if tests == len(used) else "".join(compress(written, counts.get(task, ())))
        for code, count in Counter(row).items():
            codes[code] += copies * count
        distinct += 1
        passing += copies * (is_correct(row) is True)
        shared += copies * is_shared
        cpu_ms += copies * row_cpu_ms
        fresh_samples += copies * fresh
        fresh_cells += copies * fresh * len(row)
    return {
        "problems": len(spool.counts),
        "samples": spool.lines,
        "distinct_samples": distinct,
        "tests": tests,
        "probes": len(used) - tests,
        "cells": sum(codes.values()),
        "verdicts": {code: codes[code] for code in VERDICT_CODES if codes[code]},
        "samples_passing_all": passing,
        "shared_samples": shared,
        "cpu_seconds": round(cpu_ms / 1000, 3),
        "seconds": round(seconds, 3),
        "judged_in_this_run": {"samples": fresh_samples, "cells": fresh_cells},
        "samples_per_second": round(fresh_samples / seconds, 1) if seconds else 0.0,
        "cells_per_second": round(fresh_cells / seconds, 1) if seconds else 0.0,
        "limits": limits.recorded(),
        "versions": {"codepref": __version__, "python": platform.python_version()},
    }
