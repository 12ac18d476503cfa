"""Reads and writes files of judgments, with one row for each instruction.

The published data set coseal/CodeUltraFeedback has the columns `instruction`, `preference`, `models`, `responses`
(entries with `model` and `response`) and `annotations` (entries with `model`, `rating` and `rationale`). A rating is a
text, such as "4" or "N/A". codepref writes these columns, and further columns for the other fields of a Judgment. It
also reads rows of the published data set. Their annotations may be in another order than the responses, or be missing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from codepref.records import Judgment, Rating, Response
from codepref.sampling.responses_file import iter_records, responses_from_row, responses_row
from codepref.storage.files import write_jsonl

UNJUDGED = "N/A"
"""The text that stands in place of a missing rating, as in the published data set."""

_WHOLE = re.compile(r"\d{1,6}")


def write_judgments(path: Path, judgments: Iterable[Judgment]) -> int:
    """Atomically write one line for each judgment to `path`, and return the number of lines.

    The judgments are taken one at a time.
    """
    return write_jsonl(path, (judgment_row(judgment) for judgment in judgments))


def iter_judgments(source: str | Path) -> Iterator[Judgment]:
    """Yield the judgments in a file or hub data set.

    source: as for `codepref.sampling.responses_file.iter_responses`. A response without an annotation is unjudged.
    Raises UserError for a malformed row and for a second row with the same task_id. The message names the row. Raises
    the errors of `codepref.problems.load.read_rows` for a source that cannot be read.
    """
    return iter_records(source, judgment_from_row, "a judgment")


def read_judgments(source: str | Path) -> list[Judgment]:
    """Return a list of the judgments that `iter_judgments` yields."""
    return list(iter_judgments(source))


def judgment_row(judgment: Judgment) -> dict[str, Any]:
    """Return the row of one judgment, as files hold it."""
    ratings = judgment.ratings
    return responses_row(judgment.unrated()) | {
        "annotations": [
            {
                "model": response.model,
                "rating": UNJUDGED if rating.value is None else str(rating.value),
                "rationale": rating.rationale,
            }
            for response, rating in zip(judgment.responses, ratings, strict=True)
        ],
        "judge": judgment.judge,
        "order": list(judgment.order),
        "scale": [judgment.low, judgment.high],
        "unjudged": [rating.reason for rating in ratings],
        "second_ratings": [UNJUDGED if rating.second is None else str(rating.second) for rating in ratings],
        "scores": [rating.score for rating in ratings],
    }


def judgment_from_row(row: Mapping[str, Any], default_id: str) -> Judgment:
    """Return the judgment in one row. The instruction includes the row's input and system text.

    default_id: the task_id for a row without one. Raises KeyError, TypeError or ValueError if the row is malformed, and
    UserError as `codepref.problems.requests.request_texts` does.
    """
    task = responses_from_row(row, default_id)
    low, high = row.get("scale") or (1, 5)
    return Judgment(
        task_id=task.task_id,
        instruction=task.instruction.whole,
        preference=task.preference,
        responses=task.responses,
        ratings=tuple(_ratings(row, task.responses, int(low), int(high))),
        judge=str(row.get("judge") or ""),
        order=tuple(row.get("order") or ()),
        low=int(low),
        high=int(high),
    )


def _ratings(row: Mapping[str, Any], responses: Sequence[Response], low: int, high: int) -> Iterator[Rating]:
    annotations = _annotations(row.get("annotations") or [], responses)
    reasons = row.get("unjudged") or [""] * len(responses)
    seconds = row.get("second_ratings") or [UNJUDGED] * len(responses)
    scores = row.get("scores") or [None] * len(responses)
    for response, entry, recorded, second, score in zip(responses, annotations, reasons, seconds, scores, strict=True):
        value, reason = _value(None if entry is None else entry["rating"], low, high)
        yield Rating(
            response_id=response.response_id,
            value=value,
            rationale="" if entry is None else str(entry.get("rationale") or ""),
            reason="" if value is not None else recorded or reason,
            second=_value(second, low, high)[0],
            score=None if score is None else float(score),
        )


def _annotations(
    entries: Sequence[Mapping[str, Any]], responses: Sequence[Response]
) -> Sequence[Mapping[str, Any] | None]:
    """Return the annotation of each response, in the order of the responses. None stands for a missing annotation.

    If the annotations name the same models as the responses in the same order, they keep this order. Otherwise the
    model's name decides, if exactly one annotation and exactly one response have it. Other annotations are not used.
    Raises ValueError if an annotation names a model that has no response.
    """
    models = [response.model for response in responses]
    names = [entry["model"] for entry in entries]
    if names == models:
        return entries
    if unknown := sorted(set(names) - set(models)):
        raise ValueError(f"an annotation names the model {unknown[0]!r}, which has no response")
    unambiguous = {name for name in names if names.count(name) == models.count(name) == 1}
    by_name = {entry["model"]: entry for entry in entries}
    return [by_name[model] if model in unambiguous else None for model in models]


def _value(rating: Any, low: int, high: int) -> tuple[int | None, str]:
    """Return (value, "") for a whole number on the scale, as text or as an int. Otherwise return (None, reason)."""
    if rating is None or rating == UNJUDGED:
        return None, "not rated"
    text = str(rating).strip() if not isinstance(rating, bool) else ""
    if not _WHOLE.fullmatch(text):
        return None, f"the rating is not a whole number from {low} to {high}: {str(rating)[:40]!r}"
    value = int(text)
    return (value, "") if low <= value <= high else (None, f"the rating is not between {low} and {high}: {value}")
