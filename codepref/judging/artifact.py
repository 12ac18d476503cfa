"""Responses and judgments, one row a problem: the published columns of CodeUltraFeedback, and ours beside them.

`instruction`, `preference`, `models`, `responses` (`model`, `response`) and `annotations` (`model`, `rating` as text,
"N/A" where unjudged, `rationale`) are as published (coseal/CodeUltraFeedback). The other columns hold what they leave
out, so that nothing is lost between the stages. A file of responses has no annotations yet. Published rows are read
from their own data set too, where annotations may be fewer than responses, or none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from codepref.errors import UserError
from codepref.problems.load import read_rows
from codepref.records import Judgment, Rating, Response
from codepref.storage.files import write_jsonl

UNJUDGED = "N/A"
"""The published word for a response without a rating."""

_WHOLE = re.compile(r"\d{1,6}")


def write_judgments(path: Path, judgments: Iterable[Judgment]) -> int:
    """Write one line a problem, atomically, holding one at a time. Returns the count."""
    return write_jsonl(path, (judgment_row(judgment) for judgment in judgments))


def read_judgments(source: str | Path) -> list[Judgment]:
    """All judgments of a file or data set; see `iter_judgments`."""
    return list(iter_judgments(source))


def iter_judgments(source: str | Path) -> Iterator[Judgment]:
    """Yield judgments, or tasks to be judged, one a row of JSON lines, JSON, Parquet or a hub data set.

    Only `instruction`, `preference` and `responses` must be there: another program may have written the file.
    Raises UserError with the place and what is wrong; two rows of one task_id are wrong.
    """
    seen: set[str] = set()
    for number, (where, row) in enumerate(read_rows(str(source))):
        try:
            judgment = judgment_from_row(row, f"instruction/{number}")
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"{where}: no judgment: {_said(error)}") from None
        if judgment.task_id in seen:
            raise UserError(f"{where}: task {judgment.task_id!r} stands there twice; one row a task is needed")
        seen.add(judgment.task_id)
        yield judgment


def judgment_row(judgment: Judgment) -> dict[str, Any]:
    """One line of the file."""
    responses, ratings = judgment.responses, judgment.ratings
    return {
        "task_id": judgment.task_id,
        "instruction": judgment.instruction,
        "preference": judgment.preference,
        "models": [response.model for response in responses],
        "responses": [{"model": response.model, "response": response.text} for response in responses],
        "annotations": [
            {
                "model": response.model,
                "rating": UNJUDGED if rating.value is None else str(rating.value),
                "rationale": rating.rationale,
            }
            for response, rating in zip(responses, ratings, strict=False)
        ],
        "response_ids": [response.response_id for response in responses],
        "finished": [response.finished for response in responses],
        "principles": [response.principle for response in responses],
        "judge": judgment.judge,
        "order": list(judgment.order),
        "scale": [judgment.low, judgment.high],
        "unjudged": [rating.reason for rating in ratings],
        "second_ratings": [UNJUDGED if rating.second is None else str(rating.second) for rating in ratings],
        "scores": [rating.score for rating in ratings],
    }


def judgment_from_row(row: Mapping[str, Any], default_id: str) -> Judgment:
    """A judgment from a line. Raises KeyError, TypeError or ValueError that says what is wrong with it."""
    task_id = row.get("task_id", default_id)
    instruction, preference = row["instruction"], row["preference"]
    if not all(isinstance(text, str) for text in (task_id, instruction, preference)):
        raise ValueError("`task_id`, `instruction` and `preference` must be texts")
    responses = tuple(_responses(row, task_id))
    low, high = row.get("scale") or (1, 5)
    return Judgment(
        task_id=task_id,
        instruction=instruction,
        preference=preference,
        responses=responses,
        ratings=tuple(_ratings(row, responses, int(low), int(high))),
        judge=str(row.get("judge") or ""),
        order=tuple(row.get("order") or ()),
        low=int(low),
        high=int(high),
    )


def _responses(row: Mapping[str, Any], task_id: str) -> Iterator[Response]:
    count = len(row["responses"])
    ids = row.get("response_ids") or range(count)
    finished = row.get("finished") or [True] * count
    principles = row.get("principles") or [""] * count
    for given, response_id, whole, principle in zip(row["responses"], ids, finished, principles, strict=True):
        if not isinstance(given["model"], str) or not isinstance(given["response"], str):
            raise ValueError("`responses` must hold a text `model` and a text `response` each")
        yield Response(task_id, int(response_id), given["model"], given["response"], bool(whole), str(principle))


def _ratings(row: Mapping[str, Any], responses: tuple[Response, ...], low: int, high: int) -> Iterator[Rating]:
    annotations = list(row.get("annotations") or [])
    if not annotations and "unjudged" not in row:
        return
    if len(annotations) == len(responses) and all(
        said["model"] == response.model for said, response in zip(annotations, responses, strict=True)
    ):
        beside: list[Mapping[str, Any] | None] = annotations
    else:
        beside = _by_model(annotations, responses)
    reasons = row.get("unjudged") or [""] * len(responses)
    seconds = row.get("second_ratings") or [UNJUDGED] * len(responses)
    scores = row.get("scores") or [None] * len(responses)
    for response, annotation, told, second, score in zip(responses, beside, reasons, seconds, scores, strict=True):
        value, reason = _value(None if annotation is None else annotation["rating"], low, high)
        rationale = "" if annotation is None else str(annotation.get("rationale") or "")
        unread = "" if value is not None else told or reason
        finer = None if score is None else float(score)
        yield Rating(response.response_id, value, rationale, unread, _value(second, low, high)[0], finer)


def _by_model(
    annotations: Sequence[Mapping[str, Any]], responses: Sequence[Response]
) -> list[Mapping[str, Any] | None]:
    """Annotations in another order, or fewer of them: each to the response of its model, if only one can be meant."""
    models = [response.model for response in responses]
    named = [said["model"] for said in annotations]
    if unknown := sorted(set(named) - set(models)):
        raise ValueError(f"an annotation of {unknown[0]!r}, who gave no response")
    sure = {name for name in named if named.count(name) == models.count(name) == 1}
    by_name = {said["model"]: said for said in annotations}
    return [by_name[model] if model in sure else None for model in models]


def _value(said: Any, low: int, high: int) -> tuple[int | None, str]:
    """A rating as published (text) or as a number, strictly; or None and why."""
    if said is None or said == UNJUDGED:
        return None, "not rated"
    text = str(said).strip() if not isinstance(said, bool) else ""
    if not _WHOLE.fullmatch(text):
        return None, f"the rating is no whole number: {str(said)[:40]!r}"
    value = int(text)
    return (value, "") if low <= value <= high else (None, f"the rating is not between {low} and {high}: {value}")


def _said(error: Exception) -> str:
    return f"no column {error}" if isinstance(error, KeyError) else str(error)
