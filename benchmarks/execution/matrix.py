"""The self-test matrix: distinct solutions x distinct self-written tests, timed, and held against plain processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from execution_process import busy, run_system

from codepref.problems.load import load_problems
from codepref.sampling.answers import load_tests
from codepref.storage.files import content_hash

PER_COMPLETION = 5
EXAMPLES = 20
LIMITS = {"test_seconds": 0.1, "load_seconds": 1.0, "memory_bytes": 1 << 30}
"""codepref's own, for a test limit of 0.1 s."""

Cells = list[list[str]]
"""Codes by task, then by solution."""


def tasks_of(data: Path, samples: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The matrix: task_id, solutions (programs) and tests (sources, as codepref extracts them)."""
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
    log: Any,
) -> dict[str, Any]:
    """Timed runs of codepref in fresh processes, its cells beside the reference's, and one run on a busy machine.

    machine: workers, and spinning processes for the last run.
    """
    workers, spinning = machine
    tasks = tasks_of(data, samples)
    cells = sum(len(task["solutions"]) * len(task["tests"]) for task in tasks)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "samples.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in samples))
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
    expected = reference(tasks, work, workers, log)
    found = compared(tasks, expected, codes, details)
    explain(found, log)
    kept = [{key: run[key] for key in ("seconds", "reading_seconds", "judging_seconds")} for run in runs]
    facts = {"problems": len(tasks), "solutions": len(samples), "tests": sum(len(task["tests"]) for task in tasks)}
    timed = {"cells": cells, "limits": LIMITS, "runs": kept}
    return {**facts, **timed, "changed_between_runs": changes, "loaded": under_load, **found}


def reference(tasks: list[dict[str, Any]], work: Path, processes: int, log: Any, keep: bool = True) -> Cells:
    """The codes of plain processes, kept in a file of the work folder."""
    path = work / f"reference-{content_hash(tasks, LIMITS)[:16]}.json"
    if keep and path.exists():
        cells: Cells = json.loads(path.read_text())
        return cells
    with tempfile.TemporaryDirectory() as folder:
        script, running = Path(__file__).parent / "execution_reference.py", []
        for share in range(processes):
            paper, answer = Path(folder) / f"{share}.json", Path(folder) / f"{share}.out.json"
            paper.write_text(json.dumps({"tasks": tasks[share::processes], "limits": LIMITS}))
            variables = {**os.environ, "PYTHONHASHSEED": "0"}
            command = [sys.executable, str(script), str(paper), str(answer)]
            running.append((share, answer, subprocess.Popen(command, env=variables, start_new_session=True)))
        made: Cells = [[] for _ in tasks]
        for share, answer, process in running:
            if process.wait():
                raise RuntimeError(f"the reference ended with status {process.returncode}")
            made[share::processes] = json.loads(answer.read_text())
    if keep:
        path.write_text(json.dumps(made))
        log(f"the reference is in {path.name}")
    return made


def each_cell(expected: Cells, codes: Cells, visit: Callable[[int, int, int, str, str], None]) -> None:
    """visit(task, solution, test, reference's code, codepref's code). Raises ValueError where shapes differ."""
    for task, (one, other) in enumerate(zip(expected, codes, strict=True)):
        for solution, (right, ours) in enumerate(zip(one, other, strict=True)):
            for test, pair in enumerate(zip(right, ours, strict=True)):
                visit(task, solution, test, *pair)


def changed_cells(before: Cells, after: Cells) -> dict[str, int]:
    """How many cells have changed, by the codes before and after, such as "PT"."""
    pairs: Counter[str] = Counter()

    def visit(task: int, solution: int, test: int, one: str, other: str) -> None:
        if one != other:
            pairs[one + other] += 1

    each_cell(before, after, visit)
    return dict(pairs)


def compared(tasks: list[dict[str, Any]], expected: Cells, codes: Cells, details: Cells) -> dict[str, Any]:
    """Counts of (reference, codepref) codes, shares of agreement, and up to 20 examples of each difference.

    counted: cells that did not time out in the reference and that codepref ran. agree: those with the same code.
    skipped: cells that codepref did not run (S) though the reference did not time out there.
    """
    counts: Counter[str] = Counter()
    examples: dict[str, list[dict[str, Any]]] = {}

    def visit(task: int, solution: int, test: int, right: str, ours: str) -> None:
        counts[right + ours] += 1
        if right != ours:
            some = examples.setdefault(right + ours, [])
            # no more than two of one solution, so that the examples show more than one cause
            if len(some) < EXAMPLES and [row["at"][:2] for row in some].count([task, solution]) < 2:
                some.append({"at": [task, solution, test], "detail": details[task][solution]})

    each_cell(expected, codes, visit)
    for some in examples.values():
        for row in some:
            task, solution, test = row["at"]
            row |= {"task_id": tasks[task]["task_id"], "test": tasks[task]["tests"][test]}
            row["solution"] = tasks[task]["solutions"][solution]
    ended = {pair: count for pair, count in counts.items() if pair[0] != "T"}
    skipped = sum(count for pair, count in ended.items() if pair[1] == "S")
    agree = sum(count for pair, count in ended.items() if pair[0] == pair[1])
    result = {"counts": dict(counts.most_common()), "reference_timeouts": sum(counts.values()) - sum(ended.values())}
    result |= {"counted": sum(ended.values()) - skipped, "agree": agree, "skipped": skipped}
    return result | {"examples": {pair: examples[pair] for pair in sorted(examples)}}


def explain(found: dict[str, Any], log: Any) -> None:
    """Give each example a cause, after running its cell again by itself, in both ways."""
    from execution_cells import cause_of_cell, judged_alone

    for pair, examples in found["examples"].items():
        single = [
            {"task_id": row["task_id"], "solutions": [row["solution"]], "tests": [row["test"]]} for row in examples
        ]
        plain = reference(single, Path(), 1, log, keep=False)
        for row, task, right in zip(examples, single, plain, strict=True):
            row["alone"] = right[0] + judged_alone(task, LIMITS["test_seconds"])
            row["cause"] = cause_of_cell(pair, row["alone"], row["solution"], row["test"], row["detail"])
