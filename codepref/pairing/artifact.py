"""Writes pairs to Parquet for `datasets` and TRL's DPOTrainer, and reads pairs in published forms."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codepref.conversations.answers import Answer, answers_of_row, is_scored
from codepref.conversations.unused import Columns
from codepref.errors import UserError
from codepref.pairing.labelled import pairs_from_answers
from codepref.pairing.pair_rows import is_pair, read_pair_row
from codepref.problems.load import read_rows
from codepref.records import Pair
from codepref.storage.files import is_parquet, read_parquet, write_parquet

if TYPE_CHECKING:
    import pyarrow as pa


def pair_schema() -> pa.Schema:
    """Return the schema of a pairs file. The column `evidence` is JSON text, since its keys depend on the rule."""
    import pyarrow as pa

    messages = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
    return pa.schema(
        [
            ("task_id", pa.string()),
            ("prompt", messages),
            ("chosen", messages),
            ("rejected", messages),
            ("rule", pa.string()),
            ("confidence", pa.float64()),
            ("chosen_id", pa.int64()),
            ("rejected_id", pa.int64()),
            ("evidence", pa.string()),
        ]
    )


def pair_rows(pairs: Iterable[Pair]) -> list[dict[str, Any]]:
    """Return pairs as plain rows with the columns of `pair_schema`."""
    return [
        {
            "task_id": pair.task_id,
            "prompt": list(pair.prompt),
            "chosen": list(pair.chosen),
            "rejected": list(pair.rejected),
            "rule": pair.rule,
            "confidence": pair.confidence,
            "chosen_id": pair.chosen_id,
            "rejected_id": pair.rejected_id,
            "evidence": json.dumps(dict(pair.evidence), ensure_ascii=False),
        }
        for pair in pairs
    ]


def write_pairs(path: Path, pairs: Iterable[Pair]) -> None:
    """Write pairs to a Parquet file. An error leaves no incomplete file at `path`."""
    write_parquet(path, pair_rows(pairs), pair_schema())


def to_dataset(pairs: Iterable[Pair]) -> Any:
    """Return pairs as a `datasets.Dataset` with the columns of `pair_schema`."""
    import datasets
    import pyarrow as pa

    return datasets.Dataset(pa.Table.from_pylist(pair_rows(pairs), schema=pair_schema()))


def read_pairs(source: str | Path) -> list[Pair]:
    """Read pairs from a file, a folder, a pattern of files or a hub data set (see `codepref.problems.rows.read_rows`).

    A Parquet file may have any name.
    A row is a pair in one of the forms of `codepref.pairing.pair_rows`, or holds answers with a label or a score, of
    which pairs are made; see `codepref.pairing.labelled.pairs_from_answers`. The form of the first row decides between
    the two. A LeftOutWarning names columns that hold something and are not read, and counts answers that were left out.
    Raises UserError for a missing file, for a row in another form, with its place, and if answers give no pair. The
    function does not check whether a confidence is in [0, 1].
    """
    return _read(_rows(source), str(source))


def pairs_from_rows(rows: Iterable[Mapping[str, Any]], *, where: str = "pairs") -> list[Pair]:
    """Return the pairs in rows such as a list of mappings or a `datasets.Dataset`, as `read_pairs` does.

    where: the name of the rows in messages, which give the number of a wrong row, from 1.
    """
    return _read(((f"{where}: row {number}", row) for number, row in enumerate(rows, start=1)), where)


def holds_answers(source: str | Path) -> bool:
    """Return whether the first row of a file or a hub data set holds labelled or scored answers, and not a pair."""
    first = next(_rows(source), None)
    return first is not None and not is_pair(first[1]) and is_scored(first[1])


def _rows(source: str | Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Return the rows of a source. A file of Parquet may have any name, since `write_pairs` takes any name."""
    if is_parquet(Path(source)):
        return ((f"{source} row {place}", row) for place, row in enumerate(read_parquet(Path(source))))
    return read_rows(str(source))


def _read(rows: Iterator[tuple[str, Mapping[str, Any]]], source: str) -> list[Pair]:
    first = next(rows, None)
    if first is None:
        return []
    columns, left_out = Columns(), Counter[str]()
    rows = chain([first], rows)
    if is_scored(first[1]) and not is_pair(first[1]):
        pairs = pairs_from_answers(_answers(rows, columns, left_out), left_out)
        if not pairs:
            reasons = "; ".join(f"{reason}: {count:,}" for reason, count in left_out.items()) or "its rows hold none"
            raise UserError(
                f"{source}: its answers give no pair ({reasons}). A pair needs a wanted and an unwanted answer to the "
                "same prompt. The method kto learns from single answers"
            )
    else:
        pairs = []
        for number, (where, row) in enumerate(rows, start=1):
            used: set[str] = set()
            try:
                pairs.append(_pair(read_pair_row(row, number, where, used), number))
            except (TypeError, ValueError) as error:
                raise UserError(f"{where}: {error}") from None
            columns.row(row, used)
    columns.warn(source, left_out)
    return pairs


def _answers(
    rows: Iterable[tuple[str, Mapping[str, Any]]], columns: Columns, left_out: Counter[str]
) -> Iterator[Answer]:
    for where, row in rows:
        used: set[str] = set()
        yield from answers_of_row(row, where, used, left_out)
        columns.row(row, used)


def _pair(row: Mapping[str, Any], number: int) -> Pair:
    """Return the pair of a row. A missing chosen_id or rejected_id becomes -1.

    number: the number of the row, which becomes the task_id if the row has no column task_id. Raises TypeError or
    ValueError for a value of a wrong type.
    """
    evidence = row.get("evidence") or "{}"
    if isinstance(evidence, str):
        try:
            evidence = json.loads(evidence)
        except (ValueError, RecursionError):
            evidence = None
    if not isinstance(evidence, Mapping):
        raise ValueError("`evidence` must be an object, or its JSON text")
    ids = {name: row[name] for name in ("chosen_id", "rejected_id") if row.get(name) is not None}
    return Pair(
        task_id=str(row.get("task_id", number)),
        prompt=row["prompt"],
        chosen=row["chosen"],
        rejected=row["rejected"],
        rule=str(row.get("rule") or ""),
        confidence=_confidence(row.get("confidence")),
        chosen_id=int(ids.get("chosen_id", -1)),
        rejected_id=int(ids.get("rejected_id", -1)),
        evidence=evidence,
    )


def _confidence(value: Any) -> float:
    """Return the confidence as a number. None becomes 1. Raises ValueError for a value that `float` refuses."""
    if value is None:
        return 1.0
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ValueError(f"`confidence` must be a number between 0 and 1, not {value!r}") from None
