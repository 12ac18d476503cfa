"""Writes pairs to Parquet for `datasets` and TRL's DPOTrainer, and reads pairs from Parquet and JSON lines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codepref.errors import UserError
from codepref.records import Pair
from codepref.storage.files import read_jsonl, read_parquet, write_parquet

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


def read_pairs(path: Path) -> list[Pair]:
    """Read pairs from JSON lines (a name that ends in .jsonl or .gz) or from Parquet (any other name).

    A row needs `prompt`, `chosen` and `rejected` as lists of messages, or `instruction`, `chosen` and `rejected` as
    texts, as in coseal/CodeUltraFeedback_binarized. Other columns may be missing.
    Raises UserError for a missing file, for missing columns and for a row that is not a pair. The message gives the
    number of such a row. The function does not check whether a confidence is in [0, 1].
    """
    is_lines = path.suffix in (".jsonl", ".gz")
    rows = [row for _, row in read_jsonl(path)] if is_lines else read_parquet(path, ("chosen", "rejected"))
    return pairs_from_rows(rows, where=str(path))


def pairs_from_rows(rows: Iterable[Mapping[str, Any]], *, where: str = "pairs") -> list[Pair]:
    """Return the pairs in rows such as a list of mappings or a `datasets.Dataset`.

    where: the name of the rows in messages. Raises UserError for a row that is not a pair. The message has the number
    of the row, from 1.
    """
    pairs = []
    for number, original in enumerate(rows, start=1):
        row = _with_messages(original) if isinstance(original.get("chosen"), str) else original
        for name in ("prompt", "chosen", "rejected"):
            if not _is_messages(row.get(name)):
                raise UserError(f"{where}: row {number}: {_requirement(original, name)}")
        try:
            pairs.append(_pair(row, number))
        except (TypeError, ValueError) as error:
            raise UserError(f"{where}: row {number}: {error}") from None
    return pairs


def _requirement(row: Mapping[str, Any], name: str) -> str:
    """Return a message about a wrong row. name: its first column that is not a list of at least one message."""
    if row.get(name) == []:
        return f"`{name}` is an empty list, and must hold at least one message {{role, content}}"
    if row.get(name) is not None and not (name == "prompt" and isinstance(row[name], str)):
        return f"`{name}` must be a list of messages {{role, content}}, as TRL takes them"
    present = ", ".join(str(column) for column, value in row.items() if value is not None)
    return (
        "a pair needs `prompt`, `chosen` and `rejected` as lists of messages {role, content}, as TRL takes them, or "
        f"`instruction`, `chosen` and `rejected` as texts. The row has {present or 'no values'}"
    )


def _with_messages(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a row of texts with prompt, chosen and rejected as lists of one message each.

    Its preference, ratings and models become the evidence. A row in which the instruction or an answer is not a text is
    returned as it is.
    """
    texts = {"prompt": row.get("instruction"), "chosen": row["chosen"], "rejected": row.get("rejected")}
    if not all(isinstance(text, str) for text in texts.values()):
        return row
    roles = {"prompt": "user"}
    columns: dict[str, Any] = {
        name: [{"role": roles.get(name, "assistant"), "content": text}] for name, text in texts.items()
    }
    evidence = ("preference", "rating_chosen", "rating_rejected", "model_chosen", "model_rejected")
    columns["evidence"] = {name: row[name] for name in evidence if row.get(name) is not None}
    return dict(row) | columns


def _pair(row: Mapping[str, Any], number: int) -> Pair:
    """Return the pair of a row. A missing chosen_id or rejected_id becomes -1.

    number: the number of the row, which becomes the task_id if the row has no column task_id. Raises TypeError or
    ValueError for a value of a wrong type.
    """
    evidence = row.get("evidence") or "{}"
    if isinstance(evidence, str):
        evidence = json.loads(evidence)
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
    """Return the confidence as a number. None becomes 1. Raises ValueError for a value that is not a number."""
    if value is None:
        return 1.0
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ValueError(f"`confidence` must be a number between 0 and 1, not {value!r}") from None


def _is_messages(value: Any) -> bool:
    return (
        isinstance(value, Sequence)
        and not isinstance(value, str)
        and len(value) > 0
        and all(
            isinstance(m, Mapping) and isinstance(m.get("role"), str) and isinstance(m.get("content"), str)
            for m in value
        )
    )
