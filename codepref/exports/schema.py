"""The types of exported columns in Parquet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from codepref.exports.base import ColumnType

if TYPE_CHECKING:
    import pyarrow as pa


def schema_of(columns: Mapping[str, ColumnType]) -> pa.Schema:
    """Return the schema of a Parquet file with these columns."""
    import pyarrow as pa

    text, flag = pa.string(), pa.bool_()
    messages = pa.list_(pa.struct([("role", text), ("content", text)]))
    speech = pa.struct([("from", text), ("value", text)])
    types: dict[ColumnType, pa.DataType] = {
        "text": text,
        "flag": flag,
        "messages": messages,
        "marked messages": pa.list_(pa.struct([("role", text), ("content", text), ("train", flag)])),
        "speech": speech,
        "speeches": pa.list_(speech),
        "ranked": pa.list_(pa.struct([("rank", pa.int64()), ("completion", messages)])),
        "reward": pa.struct([("style", text), ("ground_truth", text)]),
        "extra": pa.struct(
            [("split", text), ("index", pa.int64()), ("task_id", text), ("prefix", text), ("reference", text)]
        ),
    }
    return pa.schema([(name, types[kind]) for name, kind in columns.items()])
