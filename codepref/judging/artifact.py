"""A file of judgments, one row for each problem.

The columns `instruction`, `preference`, `models`, `responses` (`model`, `response`) and `annotations` (`model`,
`rating` as text or "N/A", `rationale`) are those of coseal/CodeUltraFeedback. The other columns hold what these leave
out. Rows of the published data set can be read too: their annotations may be in another order than the responses, and
some or all may be missing.
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
"""The published rating of a response without a rating."""

_WHOLE = re.compile(r"\d{1,6}")


def write_judgments(path: Path, judgments: Iterable[Judgment]) -> int:
    """Write one line for each judgment, atomically. Holds one line in memory at a time. Returns the count."""
    return write_jsonl(path, (judgment_row(judgment) for judgment in judgments))


def iter_judgments(source: str | Path) -> Iterator[Judgment]:
    """Yield the judgments in a file or hub data set.

    source: as for `codepref.sampling.responses_file.iter_responses`. A response without an annotation is unjudged.
    Raises UserError with the place of a malformed row or of a second row with the same task_id.
    """
    return iter_records(source, judgment_from_row, "a judgment")


def read_judgments(source: str | Path) -> list[Judgment]:
    """All judgments of a file or hub data set; see `iter_judgments`."""
    return list(iter_judgments(source))


def judgment_row(judgment: Judgment) -> dict[str, Any]:
    """The line of a file for one judgment."""
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
    """The judgment in one row. Raises KeyError, TypeError or ValueError if the row is malformed."""
    task = responses_from_row(row, default_id)
    low, high = row.get("scale") or (1, 5)
    return Judgment(
        task_id=task.task_id,
        instruction=task.instruction.text,
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
    """The annotation of each response, None where there is none.

    Annotations in another order, or fewer than the responses, are matched by the model's name if it is unambiguous.
    """
    models = [response.model for response in responses]
    names = [entry["model"] for entry in entries]
    if names == models:
        return entries
    if unknown := sorted(set(names) - set(models)):
        raise ValueError(f"an annotation is of {unknown[0]!r}, which has no response")
    unambiguous = {name for name in names if names.count(name) == models.count(name) == 1}
    by_name = {entry["model"]: entry for entry in entries}
    return [by_name[model] if model in unambiguous else None for model in models]


def _value(rating: Any, low: int, high: int) -> tuple[int | None, str]:
    """(the value of a rating that is a text or a number, "") or (None, the reason why it has no value)."""
    if rating is None or rating == UNJUDGED:
        return None, "not rated"
    text = str(rating).strip() if not isinstance(rating, bool) else ""
    if not _WHOLE.fullmatch(text):
        return None, f"the rating is no whole number: {str(rating)[:40]!r}"
    value = int(text)
    return (value, "") if low <= value <= high else (None, f"the rating is not between {low} and {high}: {value}")
