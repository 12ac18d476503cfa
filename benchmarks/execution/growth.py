"""Measures how codepref's time and memory grow with the number of samples, of tests a problem, and of workers."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.common.process import run_system
from benchmarks.common.samples import SUITES, Row, stretched, write_rows, write_suite
from benchmarks.execution.matrix import LIMITS, PER_COMPLETION

Log = Callable[[str], None]


def growth(data: Path, samples: list[Row], axes: dict[str, Sequence[int]], workers: int, log: Log) -> dict[str, Any]:
    """Run codepref once for each point, and measure its time and the memory of its processes.

    axes: axis -> its points. A point of the axis "samples" is the number of samples of each problem. A point of "tests"
    is the largest number of tests of each problem. A point of "workers" is the number of workers.

    The axes of samples and workers use HumanEval's tests and a limit of 1 s. The axis of tests uses self-written tests
    and a limit of 0.1 s. The axes of workers and tests use the median of the numbers of samples, or the upper one of
    two in the middle. If a point needs more samples than a problem has, copies with a comment are added.
    """
    problems = len({row["task_id"] for row in samples})
    points = []
    for count in axes["samples"]:
        rows = stretched(samples, count)
        points.append({"axis": "samples", "samples": len(rows), "workers": workers, **_suite_run(data, rows, workers)})
        log(f"growth: {len(rows)} samples {points[-1]['seconds']:.2f} s")
    middle = stretched(samples, sorted(axes["samples"])[len(axes["samples"]) // 2])
    for count in axes["workers"]:
        points.append({"axis": "workers", "samples": len(middle), "workers": count, **_suite_run(data, middle, count)})
        log(f"growth: {count} workers {points[-1]['seconds']:.2f} s")
    for max_tests in axes["tests"]:
        point = _matrix_run(data, middle, workers, max_tests)
        points.append({"axis": "tests", "samples": len(middle), "workers": workers, "max_tests": max_tests, **point})
        log(f"growth: at most {max_tests} tests {points[-1]['seconds']:.2f} s")
    return {"problems": problems, "points": points}


def _suite_run(data: Path, rows: list[Row], workers: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        problems, file = write_suite(Path(folder), next(iter(SUITES)), data, rows)
        job = {"problems": str(problems), "samples": str(file), "seconds": 1.0, "workers": workers}
        answer = run_system("codepref", job, monitor=True)
    return {"cells": len(rows), **_measured(answer)}


def _matrix_run(data: Path, rows: list[Row], workers: int, max_tests: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        file = write_rows(Path(folder) / "samples.jsonl", rows)
        job = {"data": str(data / "codegen16b"), "samples": str(file), "seconds": LIMITS["test_seconds"]}
        job |= {"workers": workers, "per_completion": PER_COMPLETION, "max_tests": max_tests}
        answer = run_system("codepref-matrix", job, monitor=True)
    return {"cells": sum(len(codes) for task in answer["codes"] for codes in task), **_measured(answer)}


def _measured(answer: dict[str, Any]) -> dict[str, Any]:
    return {key: answer[key] for key in ("seconds", "process_seconds", "own_peak_mb", "memory")}
