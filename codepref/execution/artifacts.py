"""The files of an execution: verdicts.parquet, tests.parquet, details.parquet, summary.json, and parts on the way.

A part holds one task's finished verdicts under the hash of everything that they depend on, so that a killed run goes
on where it was. summary.json is written last: where it is, the others are whole.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codepref.execution.limits import Limits
from codepref.execution.tasks import Task
from codepref.records import INFRASTRUCTURE, Test, Verdict, VerdictMatrix
from codepref.runs.files import content_hash, read_json, write_json, write_parquet, write_text

if TYPE_CHECKING:
    import pyarrow as pa

VERDICTS, TESTS, DETAILS, SUMMARY, PARTS = (
    "verdicts.parquet",
    "tests.parquet",
    "details.parquet",
    "summary.json",
    "parts",
)


def task_key(task: Task, limits: Limits, unconfined: bool) -> str:
    """The hash of all that a task's verdicts depend on."""
    problem = task.problem
    tests = [(test.test_id, test.kind, test.source, test.count) for test in task.tests]
    solutions = [(solution.solution_id, solution.text) for solution in task.solutions]
    code = (problem.task_id, problem.entry_point, problem.helpers, problem.preamble)
    return content_hash(code, tests, solutions, limits.resolved(), unconfined)


class Parts:
    """Finished tasks of a run that has not ended yet, one small file each under `folder`/parts."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / PARTS

    def read(self, task: Task, key: str) -> VerdictMatrix | None:
        """The verdicts kept under `key`, or None. A damaged part is owed again."""
        path = self._folder / f"{key}.json"
        if not path.exists():
            return None
        try:
            verdicts = tuple(Verdict(**row) for row in json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError):
            return None
        return VerdictMatrix(task.problem.task_id, tuple(task.tests), verdicts)

    def write(self, key: str, matrix: VerdictMatrix) -> None:
        """Keep a task's verdicts, unless our own machinery failed at one: that is owed again."""
        if not any(INFRASTRUCTURE in verdict.letters for verdict in matrix.verdicts):
            rows = [asdict(verdict) for verdict in matrix.verdicts]
            # escaped to ASCII, since a solution may hold lone surrogates
            write_text(self._folder / f"{key}.json", json.dumps(rows))

    def remove(self) -> None:
        """Drop all parts: the whole has been written."""
        shutil.rmtree(self._folder, ignore_errors=True)


def finished_summary(folder: Path, key: str) -> dict[str, Any] | None:
    """The summary of a finished run over the same input, or None."""
    if not (folder / SUMMARY).exists():
        return None
    summary: dict[str, Any] = read_json(folder / SUMMARY)
    return summary if summary.get("key") == key else None


def write_artifacts(folder: Path, matrices: Sequence[VerdictMatrix], summary: dict[str, Any]) -> None:
    """Write the three tables, then summary.json. Raises MachineError when the disk is full."""
    write_parquet(folder / VERDICTS, (_verdict_row(verdict) for verdict in _verdicts(matrices)), _verdict_schema())
    tests = (_test_row(test) for matrix in matrices for test in matrix.tests)
    write_parquet(folder / TESTS, tests, _test_schema())
    details = (
        {"task_id": verdict.task_id, "solution_id": verdict.solution_id, "detail": _clean(verdict.detail)}
        for verdict in _verdicts(matrices)
        if verdict.detail
    )
    write_parquet(folder / DETAILS, details, _detail_schema())
    write_json(folder / SUMMARY, summary)


def _verdicts(matrices: Iterable[VerdictMatrix]) -> Iterable[Verdict]:
    return (verdict for matrix in matrices for verdict in matrix.verdicts)


def _clean(text: str) -> str:
    """Parquet holds valid UTF-8 alone: a lone surrogate becomes a question mark."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _verdict_row(verdict: Verdict) -> dict[str, Any]:
    return {
        "task_id": verdict.task_id,
        "solution_id": verdict.solution_id,
        "solution": _clean(verdict.solution),
        "verdicts": verdict.letters,
        "isolation": verdict.isolation,
        "cpu_ms": verdict.cpu_ms,
    }


def _verdict_schema() -> pa.Schema:
    import pyarrow as pa

    texts = {name: pa.string() for name in ("task_id", "solution", "verdicts", "isolation")}
    types = {**texts, "solution_id": pa.int64(), "cpu_ms": pa.float64()}
    order = ("task_id", "solution_id", "solution", "verdicts", "isolation", "cpu_ms")
    return pa.schema([(name, types[name]) for name in order])


def _test_row(test: Test) -> dict[str, Any]:
    return {
        "task_id": test.task_id,
        "test_id": test.test_id,
        "test": _clean(test.source),
        "kind": test.kind,
        "count": test.count,
    }


def _test_schema() -> pa.Schema:
    import pyarrow as pa

    texts = [(name, pa.string()) for name in ("task_id", "test_id", "test", "kind")]
    return pa.schema([*texts, ("count", pa.int64())])


def _detail_schema() -> pa.Schema:
    import pyarrow as pa

    return pa.schema([("task_id", pa.string()), ("solution_id", pa.int64()), ("detail", pa.string())])
