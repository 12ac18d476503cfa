"""Responses and judgments as JSON lines, one a problem: the published columns of CodeUltraFeedback, and ours beside.

`instruction`, `preference`, `models`, `responses` (`model`, `response`) and `annotations` (`model`, `rating` as text,
"N/A" where unjudged, `rationale`) are as published (coseal/CodeUltraFeedback). The other columns hold what they leave
out, so that nothing is lost between the stages. A file of responses has no annotations yet.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from codepref.errors import UserError
from codepref.records import Judgment, Rating, Response
from codepref.runs.files import read_jsonl, write_jsonl

UNJUDGED = "N/A"
"""The published word for a response without a rating."""


def write_judgments(path: Path, judgments: Iterable[Judgment]) -> int:
    """Write one line a problem, atomically, holding one at a time. Returns the count."""
    return write_jsonl(path, (judgment_row(judgment) for judgment in judgments))


def read_judgments(path: Path) -> list[Judgment]:
    """All judgments of a file; see `iter_judgments`."""
    return list(iter_judgments(path))


def iter_judgments(path: Path) -> Iterator[Judgment]:
    """Yield judgments, or tasks to be judged, one a line.

    Only `instruction`, `preference` and `responses` must be there: another program may have written the file.
    Raises UserError with file, line and what is wrong; two lines of one task_id are wrong.
    """
    seen: set[str] = set()
    for number, row in read_jsonl(path):
        try:
            judgment = judgment_from_row(row, f"line-{number}")
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"{path}:{number}: no judgment: {_said(error)}") from None
        if judgment.task_id in seen:
            raise UserError(f"{path}:{number}: task {judgment.task_id!r} stands there twice; one line a task is needed")
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
        ratings=tuple(_ratings(row, responses)),
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


def _ratings(row: Mapping[str, Any], responses: tuple[Response, ...]) -> Iterator[Rating]:
    annotations = row.get("annotations") or []
    if not annotations:
        return
    if len(annotations) != len(responses):
        raise ValueError(f"{len(annotations)} annotations for {len(responses)} responses")
    reasons = row.get("unjudged") or [""] * len(annotations)
    seconds = row.get("second_ratings") or [UNJUDGED] * len(annotations)
    for response, annotation, reason, second in zip(responses, annotations, reasons, seconds, strict=True):
        if annotation["model"] != response.model:
            raise ValueError(f"annotation of {annotation['model']!r} beside a response of {response.model!r}")
        value = _number(annotation["rating"])
        unread = "" if value is not None else reason or "not rated"
        yield Rating(response.response_id, value, str(annotation["rationale"]), unread, _number(second))


def _number(text: Any) -> int | None:
    return None if text == UNJUDGED else int(text)


def _said(error: Exception) -> str:
    return f"no column {error}" if isinstance(error, KeyError) else str(error)
