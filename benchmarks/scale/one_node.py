"""Compares `execute` on this machine with `execute --executor ray` on one node, on the same samples."""

from __future__ import annotations

import hashlib
import statistics
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.common.process import run_system
from benchmarks.common.samples import Row, read_samples, write_suite
from benchmarks.scale.kept import KeptRuns, rounded

MIN_SHARE = 0.85
"""The least share of the local rate that one node over Ray must reach."""


def measure_one_node(
    kept: KeptRuns, data: Path, problems: int | None, samples: int | None, workers: int, repeats: int, quick: bool
) -> dict[str, Any]:
    """Run both executors in turn, `repeats` times each, in fresh processes. Return figures, mostly medians of the runs.

    Runs that `kept` has already are not repeated. quick: leave out samples that run out of time in a first local run.
    """
    rows = read_samples(data, problems, samples)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if quick:
            first = kept.run("which samples run out of time", lambda: {"late": _late(folder, data, rows, workers)})
            rows = [row for at, row in enumerate(rows) if at not in set(first["late"])]
        files = [str(path) for path in write_suite(folder, "humaneval", data, rows)]
        for repeat in range(repeats):
            for executor in ("local", "ray") if repeat % 2 == 0 else ("ray", "local"):
                kept.run(f"{executor} {repeat}", lambda executor=executor: _run(files, executor, workers))  # type: ignore[misc]
    return _summary(kept, repeats)


def _late(folder: Path, data: Path, rows: list[Row], workers: int) -> list[int]:
    files = [str(path) for path in write_suite(folder, "humaneval", data, rows)]
    codes = _answer(files, "local", workers)["codes"]
    return [at for at, text in enumerate(codes) if "T" in text]


def _answer(files: list[str], executor: str, workers: int) -> dict[str, Any]:
    return run_system(
        "codepref-scale", {"problems": files[0], "samples": files[1], "executor": executor, "workers": workers}
    )


def _run(files: list[str], executor: str, workers: int) -> dict[str, Any]:
    answer = _answer(files, executor, workers)
    print(executor, f"{answer['solutions'] / answer['work_seconds']:.0f} solutions/s", flush=True)
    names = ("ray_seconds", "start_seconds", "work_seconds", "process_seconds")
    codes = dict(Counter(answer["codes"]).most_common())
    digest = hashlib.sha256("\n".join(answer["codes"]).encode()).hexdigest()[:16]
    figures = {name: round(answer[name], 2) for name in names} | {"solutions": answer["solutions"]}
    return figures | {"codes": codes, "digest": digest, "peak_mb": answer["own_peak_mb"]}


def _summary(kept: KeptRuns, repeats: int) -> dict[str, Any]:
    runs = {name: [kept.runs[f"{name} {repeat}"] for repeat in range(repeats)] for name in ("local", "ray")}
    pairs = list(zip(runs["local"], runs["ray"], strict=True))
    shares = [local["work_seconds"] / ray["work_seconds"] for local, ray in pairs]
    share = statistics.median(shares)

    def middle(name: str, figure: str) -> float:
        return round(statistics.median(run[figure] for run in runs[name]), 2)

    return kept.write(
        solutions=runs["local"][0]["solutions"],
        per_second={
            name: rounded(statistics.median(run["solutions"] / run["work_seconds"] for run in runs[name]))
            for name in runs
        },
        share_of_local=rounded(share),
        shares=[rounded(one) for one in shares],
        least_share=MIN_SHARE,
        reached=share >= MIN_SHARE,
        seconds={
            name: {figure: middle(name, f"{figure}_seconds") for figure in ("ray", "start", "work", "process")}
            for name in runs
        },
        runs_with_other_codes=sum(run["digest"] != runs["local"][0]["digest"] for name in runs for run in runs[name]),
    )
