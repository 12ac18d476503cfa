"""The tables of an execution (verdicts.parquet, tests.parquet, details.parquet), and its summary.json.

summary.json is written after the tables, so it marks them as complete.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from codepref.execution.limits import Limits
from codepref.execution.spool import Spool
from codepref.execution.tasks import definitions
from codepref.records import Problem, Test
from codepref.storage import files
from codepref.storage.files import atomic_open, content_hash, read_json

if TYPE_CHECKING:
    import pyarrow as pa

VERDICTS, TESTS, DETAILS, SUMMARY = "verdicts.parquet", "tests.parquet", "details.parquet", "summary.json"

GROUP_CHARACTERS = 1 << 24
"""A row group of solutions or of tests ends when their texts together have more characters than this, even if there are
few rows."""


def task_key(problem: Problem, tests: Sequence[Test], limits: Limits, unconfined: bool) -> str:
    """Return the hash of the input that decides the codes: of the problem, of `tests`, and of the other arguments.

    Of the problem, the id, the entry point, the helpers, the preamble and the names in `definitions` count. With a
    `timeout_factor`, the gold solution counts too, since its time can decide the limit of a test.
    """
    rows = [(test.test_id, test.kind, test.source, test.count) for test in tests]
    code = (problem.task_id, problem.entry_point, problem.helpers, problem.preamble)
    defined = sorted(definitions(problem).items())  # added only if there are some, so that older keys stay
    timed = [problem.gold] if problem.gold and limits.timeout_factor is not None else []
    return content_hash(code, rows, limits.recorded(), unconfined, *([defined] if defined else []), *timed)


def finished_summary(folder: Path, key: str) -> dict[str, Any] | None:
    """Return the summary of a finished run over the same input.

    Return None if there is no such run or if a table is missing. Raises UserError if summary.json is no JSON.
    """
    if not all((folder / name).exists() for name in (VERDICTS, TESTS, DETAILS, SUMMARY)):
        return None
    summary: dict[str, Any] = read_json(folder / SUMMARY)
    return summary if summary.get("key") == key else None


def write_tables(folder: Path, spool: Spool, tests: Iterable[Test]) -> None:
    """Write the three tables, one row group at a time. Raises what `atomic_open` raises."""
    _write_columns(folder / VERDICTS, _verdict_groups(spool), _verdict_schema())
    _write_columns(folder / TESTS, _test_groups(tests), _test_schema())
    _write_columns(folder / DETAILS, _detail_groups(spool), _detail_schema())


def _write_columns(path: Path, groups: Iterable[list[tuple[Any, ...]]], schema: pa.Schema) -> None:
    """Write groups of rows into one Parquet file. A row is a tuple in the schema's order, since mappings are slower."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    def column(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
        # pa.array would import pandas if pandas is installed, which takes time.
        if kind in (pa.int64(), pa.float64()):
            numbers = np.array(values, dtype=kind.to_pandas_dtype())
            return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(numbers)])
        parts = [value.encode() if isinstance(value, str) else value for value in values]
        ends = np.cumsum([0, *map(len, parts)], dtype=np.int32)
        return pa.Array.from_buffers(kind, len(parts), [None, pa.py_buffer(ends), pa.py_buffer(b"".join(parts))])

    with atomic_open(path, "wb") as stream, pq.ParquetWriter(stream, schema, compression="zstd") as writer:
        for group in groups:
            columns = zip(*group, strict=True)
            arrays = [column(values, kind) for values, kind in zip(columns, schema.types, strict=True)]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))


def _verdict_groups(spool: Spool) -> Iterator[list[tuple[Any, ...]]]:
    group: list[tuple[Any, ...]] = []
    size = 0
    for task, number, (source, codes, isolation, cpu_ms, _, answer_digests) in spool.rows():
        group.append((task, number, _clean(source), codes, isolation, cpu_ms, answer_digests))
        size += len(source)
        if len(group) >= files.GROUP_ROWS or size > GROUP_CHARACTERS:
            yield group
            group, size = [], 0
    if group:
        yield group


def _detail_groups(spool: Spool) -> Iterator[list[tuple[Any, ...]]]:
    rows = ((task, number, _clean(detail)) for task, number, detail in spool.details())
    while group := list(islice(rows, files.GROUP_ROWS)):
        yield group


def _clean(text: str) -> str:
    """Return the text with a question mark in place of each lone surrogate, since Parquet needs valid UTF-8."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _verdict_schema() -> pa.Schema:
    import pyarrow as pa

    texts = {name: pa.string() for name in ("task_id", "solution", "verdicts", "isolation")}
    types = {**texts, "solution_id": pa.int64(), "cpu_ms": pa.float64(), "outcomes": pa.binary()}
    order = ("task_id", "solution_id", "solution", "verdicts", "isolation", "cpu_ms", "outcomes")
    return pa.schema([(name, types[name]) for name in order])


def _test_groups(tests: Iterable[Test]) -> Iterator[list[tuple[Any, ...]]]:
    group: list[tuple[Any, ...]] = []
    size = 0
    for test in tests:
        group.append((test.task_id, test.test_id, _clean(test.source), test.kind, test.count))
        size += len(test.source)
        if len(group) >= files.GROUP_ROWS or size > GROUP_CHARACTERS:
            yield group
            group, size = [], 0
    if group:
        yield group


def _test_schema() -> pa.Schema:
    import pyarrow as pa

    texts = [(name, pa.string()) for name in ("task_id", "test_id", "test", "kind")]
    return pa.schema([*texts, ("count", pa.int64())])


def _detail_schema() -> pa.Schema:
    import pyarrow as pa

    return pa.schema([("task_id", pa.string()), ("solution_id", pa.int64()), ("detail", pa.string())])
