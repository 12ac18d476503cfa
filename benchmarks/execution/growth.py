"""How codepref's time and memory grow with samples, with tests a sample, and with workers."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from execution_matrix import LIMITS, PER_COMPLETION
from execution_process import run_system
from execution_samples import SUITES, Row, stretched, write_suite

Log = Callable[[str], None]


def growth(data: Path, samples: list[Row], axes: dict[str, Sequence[int]], workers: int, log: Log) -> dict[str, Any]:
    """One run a point, its processes' memory watched. axes: samples a problem; tests a problem; workers.

    Samples and workers are measured on HumanEval's tests at 1 s, tests on the self-written ones at 0.1 s. Beyond the
    distinct samples there are, copies that differ in a comment are made.
    """
    problems = len({row["task_id"] for row in samples})
    points = []
    for each in axes["samples"]:
        rows = stretched(samples, each)
        points.append({"axis": "samples", "samples": len(rows), "workers": workers, **_check_run(data, rows, workers)})
        log(f"growth: {len(rows)} samples {points[-1]['seconds']:.2f} s")
    middle = stretched(samples, sorted(axes["samples"])[len(axes["samples"]) // 2])
    for count in axes["workers"]:
        points.append({"axis": "workers", "samples": len(middle), "workers": count, **_check_run(data, middle, count)})
        log(f"growth: {count} workers {points[-1]['seconds']:.2f} s")
    for tests in axes["tests"]:
        point = _matrix_run(data, middle, workers, tests)
        points.append({"axis": "tests", "samples": len(middle), "workers": workers, "most_tests": tests, **point})
        log(f"growth: at most {tests} tests {points[-1]['seconds']:.2f} s")
    return {"problems": problems, "points": points}


def _check_run(data: Path, rows: list[Row], workers: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        problems, file = write_suite(Path(folder), next(iter(SUITES)), data, rows)
        job = {"problems": str(problems), "samples": str(file), "seconds": 1.0, "workers": workers}
        answer = run_system("codepref", job, watch=True)
    return {"cells": len(rows), **_kept(answer)}


def _matrix_run(data: Path, rows: list[Row], workers: int, tests: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "samples.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        job = {"data": str(data / "codegen16b"), "samples": str(file), "seconds": LIMITS["test_seconds"]}
        job |= {"workers": workers, "per_completion": PER_COMPLETION, "most_tests": tests}
        answer = run_system("codepref-matrix", job, watch=True)
    return {"cells": sum(len(codes) for task in answer["codes"] for codes in task), **_kept(answer)}


def _kept(answer: dict[str, Any]) -> dict[str, Any]:
    return {key: answer[key] for key in ("seconds", "process_seconds", "own_peak_mb", "memory")}
