"""Writes rated pairs with the columns of the published data set coseal/CodeUltraFeedback_binarized.

A training script that uses only these columns can also use the written files.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codepref.errors import UserError
from codepref.judging.artifact import judgment_row
from codepref.records import Judgment, Pair, Rating
from codepref.storage.files import write_jsonl, write_parquet

if TYPE_CHECKING:
    import pyarrow as pa

PUBLISHED = ("instruction", "preference", "models", "responses", "annotations")
SIDES = ("chosen", "rejected")


def write_binarized(path: Path, judgments: Sequence[Judgment], pairs: Iterable[Pair]) -> int:
    """Write one row for each pair as Parquet, or as JSON lines if `path` ends in .jsonl. Return the number of rows.

    The columns are PUBLISHED, then `chosen` and `rejected` as plain texts, `rating_chosen` and `rating_rejected` as
    whole numbers (null for an unjudged response), and `model_chosen` and `model_rejected`.
    Raises UserError for a pair whose responses or ratings the judgments do not hold.
    """
    rows = list(binarized_rows(judgments, pairs))
    if path.suffix == ".jsonl":
        return write_jsonl(path, rows)
    write_parquet(path, rows, _schema())
    return len(rows)


def binarized_rows(judgments: Sequence[Judgment], pairs: Iterable[Pair]) -> Iterator[dict[str, Any]]:
    """Yield the rows that `write_binarized` writes.

    Raises UserError for a pair whose responses or ratings the judgments do not hold.
    """
    by_task = {judgment.task_id: judgment for judgment in judgments}
    for pair in pairs:
        judgment = by_task.get(pair.task_id)
        if judgment is None:
            raise UserError(
                f"the judgments lack task {pair.task_id!r}. Give the judgments from which the pairs were made"
            )
        row = judgment_row(judgment)
        columns = {name: row[name] for name in PUBLISHED}
        sides = {side: _side(judgment, pair, side) for side in SIDES}
        for place, prefix in enumerate(("", "rating_", "model_")):  # in the published order
            columns |= {f"{prefix}{side}": facts[place] for side, facts in sides.items()}
        yield columns


def _side(judgment: Judgment, pair: Pair, side: str) -> tuple[str, int | None, str]:
    """Return (text, rating, model) of one side of a pair. Raises UserError if `judgment` lacks it."""
    response_id = getattr(pair, f"{side}_id")
    ratings: Mapping[int, Rating] = {rating.response_id: rating for rating in judgment.ratings}
    for response in judgment.responses:
        if response.response_id == response_id and response_id in ratings:
            return response.text, ratings[response_id].value, response.model
    raise UserError(
        f"{pair.task_id}: the judgments hold no rating of response {response_id}. Give the judgments from which the "
        "pairs were made"
    )


def _schema() -> pa.Schema:
    import pyarrow as pa

    text, whole = pa.string(), pa.int64()
    responses = pa.list_(pa.struct([("model", text), ("response", text)]))
    annotations = pa.list_(pa.struct([("model", text), ("rating", text), ("rationale", text)]))
    kinds = {"models": pa.list_(text), "responses": responses, "annotations": annotations}
    fields = [(name, kinds.get(name, text)) for name in PUBLISHED]
    fields += [(side, text) for side in SIDES]
    fields += [(f"rating_{side}", whole) for side in SIDES]
    return pa.schema([*fields, *((f"model_{side}", text) for side in SIDES)])
