"""Reads verdicts from a folder that `execute` has written, all at once or one task at a time."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from codepref.errors import UserError
from codepref.execution.artifacts import DETAILS, SUMMARY, TESTS, VERDICTS
from codepref.execution.parts import PARTS
from codepref.records import Test, Verdict, VerdictMatrix
from codepref.storage.files import GROUP_ROWS, read_parquet

_COLUMNS = ("task_id", "solution_id", "solution", "verdicts", "isolation", "cpu_ms")


def read_verdicts(folder: Path | str) -> list[VerdictMatrix]:
    """Return the verdicts that `execute` wrote into `folder`, one matrix for each task, in the order of the problems.

    Raises UserError when the folder holds no finished execution, and when a table is damaged or lacks a column.
    """
    verdicts: dict[str, list[Verdict]] = {}
    tests: dict[str, tuple[Test, ...]] = {}
    for matrix in iter_verdicts(folder, together=False):
        verdicts.setdefault(matrix.task_id, []).extend(matrix.verdicts)
        tests[matrix.task_id] = matrix.tests
    return [VerdictMatrix(task, tests[task], tuple(rows)) for task, rows in verdicts.items()]


def iter_verdicts(folder: Path | str, *, together: bool = True) -> Iterator[VerdictMatrix]:
    """Yield the verdicts of a folder, one matrix for each task, without holding all verdicts in memory.

    All tests and details are held in memory.
    together: refuse a folder in which the rows of a task are not adjacent. `execute` writes them adjacent.
    If `together` is false, a task may have several matrices.
    Raises UserError when there is no finished execution, when a table is damaged or lacks a column, or when rows of one
    task are apart and `together` is true.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = Path(folder)
    if folder.is_file():
        raise UserError(
            f"{folder} is a file, and verdicts are a folder that `codepref execute` wrote. `codepref train` and "
            "`codepref export` read a file of scored answers as --pairs"
        )
    if not (folder / SUMMARY).exists() or not (folder / VERDICTS).exists():
        state = "its execution was not finished" if (folder / PARTS).exists() else f"it lacks {SUMMARY} or {VERDICTS}"
        raise UserError(f"{folder}: cannot read verdicts, since {state}. Run `codepref execute` into this folder first")
    tests, details, seen = _tests(folder), _details(folder), set[str]()
    try:
        verdicts_file = pq.ParquetFile(folder / VERDICTS)
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(f"{folder / VERDICTS}: the file cannot be read as Parquet ({error})") from None
    with verdicts_file as table:
        if missing := set(_COLUMNS) - set(table.schema_arrow.names):
            raise UserError(
                f"{folder / VERDICTS}: the table lacks the columns {', '.join(sorted(missing))}. "
                "Run `codepref execute` into another folder"
            )
        columns = [*_COLUMNS, *({"outcomes"} & set(table.schema_arrow.names))]  # older folders have none
        rows = (row for batch in table.iter_batches(GROUP_ROWS, columns=columns) for row in batch.to_pylist())
        for task, mine in groupby(rows, key=lambda row: str(row["task_id"])):
            if together and task in seen:
                raise UserError(
                    f"{folder / VERDICTS}: the rows of task {task!r} are not adjacent. "
                    "Run `codepref execute` into another folder"
                )
            seen.add(task)
            verdicts = tuple(_verdict(row, details) for row in mine)
            yield VerdictMatrix(task, tuple(tests.get(task, ())), verdicts)


def _verdict(row: dict[str, Any], details: dict[tuple[str, int], str]) -> Verdict:
    codes, digests = row.pop("verdicts"), row.pop("outcomes", b"")
    return Verdict(
        **row, codes=codes, answer_digests=digests, detail=details.get((row["task_id"], row["solution_id"]), "")
    )


def _tests(folder: Path) -> dict[str, list[Test]]:
    tests: dict[str, list[Test]] = {}
    for row in read_parquet(folder / TESTS, ("task_id", "test_id", "test")):
        test = Test(row["task_id"], row["test_id"], row["test"], row.get("kind", "asserts"), row.get("count", 1))
        tests.setdefault(test.task_id, []).append(test)
    return tests


def _details(folder: Path) -> dict[tuple[str, int], str]:
    path = folder / DETAILS
    rows = read_parquet(path, ("task_id", "solution_id", "detail")) if path.exists() else []
    return {(row["task_id"], row["solution_id"]): row["detail"] for row in rows}
