"""The files of an execution: verdicts.parquet, tests.parquet, details.parquet, summary.json, and parts on the way.

A part holds one task's finished verdicts under the hash of everything that they depend on, so that a killed run goes
on where it was. summary.json is written last: where it is, the others are whole.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from itertools import groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codepref.errors import UserError
from codepref.execution.limits import Limits
from codepref.execution.tasks import Task
from codepref.records import INFRASTRUCTURE, Test, Verdict, VerdictMatrix
from codepref.runs.files import atomic_open, content_hash, read_json, read_parquet, write_json, write_text

if TYPE_CHECKING:
    import pyarrow as pa

VERDICTS, TESTS, DETAILS, SUMMARY, PARTS = (
    "verdicts.parquet",
    "tests.parquet",
    "details.parquet",
    "summary.json",
    "parts",
)

GROUP_ROWS = 4096
"""Rows of a table that are held in memory at once while it is written."""


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
    _write_groups(folder / VERDICTS, (_verdict_row(verdict) for verdict in _verdicts(matrices)), _verdict_schema())
    tests = (_test_row(test) for matrix in matrices for test in matrix.tests)
    _write_groups(folder / TESTS, tests, _test_schema())
    details = (
        {"task_id": verdict.task_id, "solution_id": verdict.solution_id, "detail": _clean(verdict.detail)}
        for verdict in _verdicts(matrices)
        if verdict.detail
    )
    _write_groups(folder / DETAILS, details, _detail_schema())
    write_json(folder / SUMMARY, summary)


def _write_groups(path: Path, rows: Iterable[dict[str, Any]], schema: pa.Schema) -> None:
    """Write rows in row groups, atomically, so that the rows as dicts and as a table are never all in memory."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    left = iter(rows)
    with atomic_open(path, "wb") as stream, pq.ParquetWriter(stream, schema, compression="zstd") as writer:
        while group := list(islice(left, GROUP_ROWS)):
            writer.write_table(pa.Table.from_pylist(group, schema=schema))


def read_verdicts(folder: Path | str) -> list[VerdictMatrix]:
    """The verdicts that `execute` wrote into `folder`, one matrix a task, in the order of the problems.

    Raises UserError when the folder holds no finished execution.
    """
    folder = Path(folder)
    if not (folder / SUMMARY).exists():
        state = "was not finished (the same command goes on with it)" if (folder / PARTS).exists() else "is none"
        raise UserError(f"{folder}: an execution's folder with {SUMMARY} is needed, and this {state}")
    tests: dict[str, list[Test]] = {}
    for row in read_parquet(folder / TESTS, ("task_id", "test_id", "test")):
        test = Test(row["task_id"], row["test_id"], row["test"], row.get("kind", "asserts"), row.get("count", 1))
        tests.setdefault(test.task_id, []).append(test)
    details = {(row["task_id"], row["solution_id"]): row["detail"] for row in _read_details(folder)}
    verdicts: dict[str, list[Verdict]] = {}
    names = {"verdicts": "letters"}
    columns = ("task_id", "solution_id", "solution", "verdicts", "isolation", "cpu_ms")
    for row in read_parquet(folder / VERDICTS, columns):
        place = (row["task_id"], row["solution_id"])
        fields = {names.get(name, name): row[name] for name in columns}
        verdict = Verdict(**fields, detail=details.get(place, ""))
        verdicts.setdefault(verdict.task_id, []).append(verdict)
    return [VerdictMatrix(task, tuple(tests.get(task, ())), tuple(rows)) for task, rows in verdicts.items()]


def iter_verdicts(folder: Path | str) -> Iterator[VerdictMatrix]:
    """As `read_verdicts`, one matrix at a time for folders larger than memory; the rows of a task must stand together.

    Tests and details are held whole. Raises UserError when there is no finished execution, or a task comes twice.
    """
    import pyarrow.parquet as pq

    folder = Path(folder)
    if not (folder / SUMMARY).exists() or not (folder / VERDICTS).exists():
        raise UserError(f"{folder}: an execution's folder with {SUMMARY} and {VERDICTS} is needed")
    tests: dict[str, list[Test]] = {}
    for row in read_parquet(folder / TESTS, ("task_id", "test_id", "test")):
        test = Test(row["task_id"], row["test_id"], row["test"], row.get("kind", "asserts"), row.get("count", 1))
        tests.setdefault(test.task_id, []).append(test)
    details = {(row["task_id"], row["solution_id"]): row["detail"] for row in _read_details(folder)}
    seen: set[str] = set()
    with pq.ParquetFile(folder / VERDICTS) as table:
        rows = (row for batch in table.iter_batches(GROUP_ROWS) for row in batch.to_pylist())
        for task, mine in groupby(rows, key=lambda row: str(row["task_id"])):
            if task in seen:
                raise UserError(f"{folder / VERDICTS}: the rows of task {task!r} do not stand together")
            seen.add(task)
            verdicts = []
            for row in mine:
                row["letters"] = row.pop("verdicts")
                verdicts.append(Verdict(**row, detail=details.get((task, row["solution_id"]), "")))
            yield VerdictMatrix(task, tuple(tests.get(task, ())), tuple(verdicts))


def _read_details(folder: Path) -> list[dict[str, Any]]:
    path = folder / DETAILS
    return read_parquet(path, ("task_id", "solution_id", "detail")) if path.exists() else []


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
