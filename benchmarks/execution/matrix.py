"""Times the matrix of distinct solutions x distinct self-written tests, and compares it with plain processes."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.common.process import busy, module_environment, run_system
from benchmarks.common.samples import write_rows
from codepref.problems.load import load_problems
from codepref.sampling.answers import load_tests
from codepref.storage.files import content_hash

PER_COMPLETION = 5
"""The largest number of tests that are extracted from one test completion."""
MAX_EXAMPLES = 20
"""The largest number of examples of one pair of codes."""
MAX_EXAMPLES_PER_SOLUTION = 2
"""The largest number of examples of one pair of codes that come from one solution."""
LIMITS = {"test_seconds": 0.1, "load_seconds": 1.0, "memory_bytes": 1 << 30}
"""Limits of the plain processes. codepref has these limits by default when a test may take 0.1 s of CPU."""

Cells = list[list[str]]
"""Verdict codes by task, solution and test."""
Log = Callable[[str], None]


def tasks_of(data: Path, samples: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return one row for each task that has samples.

    Its keys are `task_id`, `solutions` (programs) and `tests` (sources that codepref extracted).
    """
    folder = data / "codegen16b"
    problems = load_problems(folder / "problems.jsonl.gz")
    tests = load_tests(folder / "tests.jsonl.gz", problems, per_completion=PER_COMPLETION).tests
    solutions: dict[str, list[str]] = {}
    for row in samples:
        solutions.setdefault(row["task_id"], []).append(row["solution"])
    return [
        {"task_id": task, "solutions": texts, "tests": [test.source for test in tests.get(task, [])]}
        for task, texts in solutions.items()
    ]


def matrix(
    data: Path,
    work: Path,
    samples: Sequence[dict[str, Any]],
    machine: tuple[int, int],
    repeats: int,
    log: Log,
) -> dict[str, Any]:
    """Time codepref in fresh processes, also once on a busy machine, and compare its codes with the reference.

    The reference is `benchmarks.execution.reference`. work: the folder in which the codes of the reference are kept.
    machine: the number of workers, and the number of busy processes beside the last run.
    """
    workers, spinning = machine
    tasks = tasks_of(data, samples)
    cells = sum(len(task["solutions"]) * len(task["tests"]) for task in tasks)
    with tempfile.TemporaryDirectory() as folder:
        file = write_rows(Path(folder) / "samples.jsonl", samples)
        job = {"data": str(data / "codegen16b"), "samples": str(file), "seconds": LIMITS["test_seconds"]}
        job |= {"workers": workers, "per_completion": PER_COMPLETION}
        runs = []
        for _ in range(repeats):
            runs.append(run_system("codepref-matrix", job))
            log(f"matrix of {cells} cells: codepref {runs[-1]['seconds']:.2f} s")
        with busy(spinning, sessions=True):
            loaded = run_system("codepref-matrix", job)
        log(f"beside {spinning} busy processes {loaded['seconds']:.2f} s")
    codes, details = runs[0]["codes"], runs[0]["details"]
    under_load: dict[str, Any] = {"busy_processes": spinning, "seconds": loaded["seconds"]}
    under_load["changed"] = changed_cells(codes, loaded["codes"])
    changes = [changed_cells(codes, run["codes"]) for run in runs[1:]]
    comparison = compare_cells(tasks, reference_codes(tasks, work, workers, log), codes, details)
    explain(comparison["examples"], log)
    timings = [{key: run[key] for key in ("seconds", "reading_seconds", "judging_seconds")} for run in runs]
    counts = {"problems": len(tasks), "solutions": len(samples), "tests": sum(len(task["tests"]) for task in tasks)}
    timed = {"cells": cells, "limits": LIMITS, "runs": timings}
    return {**counts, **timed, "changed_between_runs": changes, "loaded": under_load, **comparison}


def reference_codes(tasks: list[dict[str, Any]], work: Path, processes: int, log: Log, keep: bool = True) -> Cells:
    """Return the verdict codes of plain processes. Raises RuntimeError if one of them fails.

    keep: whether to use a file in `work`. If the file exists, the codes are read from it. Otherwise it is written.
    """
    path = work / f"reference-{content_hash(tasks, LIMITS)[:16]}.json"
    if keep and path.exists():
        cells: Cells = json.loads(path.read_text())
        return cells
    codes: Cells = [[] for _ in tasks]
    with tempfile.TemporaryDirectory() as folder:
        running = []
        for share in range(processes):
            job, answer = Path(folder) / f"{share}.json", Path(folder) / f"{share}.out.json"
            job.write_text(json.dumps({"tasks": tasks[share::processes], "limits": LIMITS}))
            command = [sys.executable, "-m", "benchmarks.execution.reference", str(job), str(answer)]
            process = subprocess.Popen(command, env=module_environment(), start_new_session=True)
            running.append((share, answer, process))
        for share, answer, process in running:
            if process.wait():
                raise RuntimeError(f"the reference ended with status {process.returncode}")
            codes[share::processes] = json.loads(answer.read_text())
    if keep:
        path.write_text(json.dumps(codes))
        log(f"the reference is in {path.name}")
    return codes


def each_cell(expected: Cells, codes: Cells, visit: Callable[[int, int, int, str, str], None]) -> None:
    """Call visit(task, solution, test, expected code, code) for every cell. Raises ValueError if the shapes differ."""
    for task, (expected_rows, rows) in enumerate(zip(expected, codes, strict=True)):
        for solution, (expected_row, row) in enumerate(zip(expected_rows, rows, strict=True)):
            for test, pair in enumerate(zip(expected_row, row, strict=True)):
                visit(task, solution, test, *pair)


def changed_cells(before: Cells, after: Cells) -> dict[str, int]:
    """Count the changed cells by code before and code after: "PT" -> the number of cells that went from P to T."""
    pairs: Counter[str] = Counter()

    def visit(task: int, solution: int, test: int, old: str, new: str) -> None:
        if old != new:
            pairs[old + new] += 1

    each_cell(before, after, visit)
    return dict(pairs)


def compare_cells(tasks: list[dict[str, Any]], expected: Cells, codes: Cells, details: Cells) -> dict[str, Any]:
    """Compare codepref's codes with those of the reference. The result has:

    counts: code of the reference and code of codepref, such as "PT" -> number of cells.
    reference_timeouts: the number of cells that timed out in the reference.
    skipped: the number of the other cells that codepref skipped (code S).
    counted: the number of all remaining cells. agree: how many of these have the same code in both.
    examples: two codes that differ -> up to 20 cells with these codes.
    """
    counts: Counter[str] = Counter()
    examples: dict[str, list[dict[str, Any]]] = {}

    def visit(task: int, solution: int, test: int, right: str, ours: str) -> None:
        counts[right + ours] += 1
        if right != ours:
            some = examples.setdefault(right + ours, [])
            # At most two examples come from one solution, so that the examples show more than one cause.
            same_solution = [row["cell"][:2] for row in some].count([task, solution])
            if len(some) < MAX_EXAMPLES and same_solution < MAX_EXAMPLES_PER_SOLUTION:
                some.append({"cell": [task, solution, test], "detail": details[task][solution]})

    each_cell(expected, codes, visit)
    for some in examples.values():
        for row in some:
            task, solution, test = row["cell"]
            row |= {"task_id": tasks[task]["task_id"], "test": tasks[task]["tests"][test]}
            row["solution"] = tasks[task]["solutions"][solution]
    in_time = {pair: count for pair, count in counts.items() if pair[0] != "T"}
    skipped = sum(count for pair, count in in_time.items() if pair[1] == "S")
    agree = sum(count for pair, count in in_time.items() if pair[0] == pair[1])
    result = {"counts": dict(counts.most_common()), "reference_timeouts": sum(counts.values()) - sum(in_time.values())}
    result |= {"counted": sum(in_time.values()) - skipped, "agree": agree, "skipped": skipped}
    return result | {"examples": {pair: examples[pair] for pair in sorted(examples)}}


def explain(examples: dict[str, list[dict[str, Any]]], log: Log) -> None:
    """Run the cell of each example alone in the reference and in codepref, and add `alone` and `cause` to it."""
    from benchmarks.execution.cells import cause_of_cell, code_alone

    for pair, rows in examples.items():
        single = [{"task_id": row["task_id"], "solutions": [row["solution"]], "tests": [row["test"]]} for row in rows]
        expected = reference_codes(single, Path(), 1, log, keep=False)
        for row, task, right in zip(rows, single, expected, strict=True):
            row["alone"] = right[0] + code_alone(task, LIMITS["test_seconds"])
            row["cause"] = cause_of_cell(pair, row["alone"], row["solution"], row["test"], row["detail"])
