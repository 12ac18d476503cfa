"""Runs many tiny solutions on this machine and on Ray, and measures the driver's memory, the rate and the files."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.common.process import run_system
from benchmarks.scale.cluster import standing_cluster
from benchmarks.scale.kept import KeptRuns, rounded

MAX_DRIVER_MB = 1000.0
"""The bound on the driver's peak of resident memory, in MB."""


def measure_million(
    kept: KeptRuns, count: int, per_problem: int, tests: int, workers: int, executors: Sequence[str]
) -> dict[str, Any]:
    """Run `count` solutions on each executor, unless `kept` has its run already.

    Return the figures of all runs in `kept`, and whether all of them gave the same codes.
    """
    job = {"count": count, "per_problem": per_problem, "tests": tests, "workers": workers}
    for executor in executors:
        kept.run(executor, lambda executor=executor: _run(executor, job))  # type: ignore[misc]
    runs = kept.runs
    return kept.write(
        **{
            name: {
                "solutions_per_second": rounded(run["solutions"] / run["seconds"]),
                "verdicts_per_second": rounded(run["verdicts"] / run["seconds"]),
                "minutes": round(run["seconds"] / 60, 1),
                "driver_peak_mb": run["driver_peak_mb"],
                "driver_cpu_ms_per_solution": rounded(1000 * run["driver_cpu_seconds"] / run["solutions"]),
                "largest_parts_mb": round(run["largest_parts_bytes"] / 1e6, 1),
                "files_mb": round(sum(run["file_bytes"].values()) / 1e6, 1),
            }
            for name, run in runs.items()
        },
        max_driver_mb=MAX_DRIVER_MB,
        same_codes=len({run["digest"] for run in runs.values()}) == 1,
        reached=all(run["driver_peak_mb"] < MAX_DRIVER_MB for run in runs.values())
        and len({run["digest"] for run in runs.values()}) == 1,
    )


def _run(executor: str, job: dict[str, Any]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        job = job | {"executor": executor, "address": "", "out": str(Path(name) / "out")}
        if executor == "local":
            answer = run_system("codepref-many", job)
        else:
            with standing_cluster(job["workers"]) as cluster:
                answer = run_system("codepref-many", job | {"address": cluster.address})
    print(executor, f"{answer['solutions'] / answer['seconds']:.0f} solutions/s", flush=True)
    # ru_maxrss is in KiB, and `own_peak_mb` is in MiB
    return answer | {
        "seconds": round(answer["seconds"], 1),
        "driver_peak_mb": round(answer["own_peak_mb"] * 1.048576, 1),
    }
