"""Judgments as JSON lines in the columns of the published data set, and back without loss.

Columns of CodeUltraFeedback: task_id, instruction, preference, models, responses [{model, response}], annotations
[{model, rating, rationale}], where rating is text and "N/A" stands for none. Beside them: judge, order, low, high; a
response's response_ids, finished, principles; and in `annotations` value, reason, second, score.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from codepref.errors import UserError
from codepref.records import Judgment, Rating, Response
from codepref.runs.files import read_jsonl, write_jsonl

UNJUDGED = "N/A"


def write_judgments(path: Path, judgments: Iterable[Judgment]) -> int:
    """Write one judgment a line, atomically; `datasets.load_dataset("json", ...)` takes the file. Returns the count."""
    return write_jsonl(path, map(judgment_row, judgments))


def read_judgments(path: Path) -> list[Judgment]:
    """Read what `write_judgments` wrote. Raises UserError with the line for what is missing or malformed."""
    found = []
    for number, row in read_jsonl(path):
        try:
            found.append(_judgment(row))
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"{path}:{number}: no judgment ({type(error).__name__}: {error})") from None
    return found


def judgment_row(judgment: Judgment) -> dict[str, Any]:
    """A judgment as a row; every row has the same keys, and a key always values of one type."""
    both = list(zip(judgment.responses, judgment.ratings, strict=True))
    return {
        "task_id": judgment.task_id,
        "instruction": judgment.instruction,
        "preference": judgment.preference,
        "models": [response.model for response, _ in both],
        "responses": [{"model": response.model, "response": response.text} for response, _ in both],
        "annotations": [
            {
                "model": response.model,
                "rating": UNJUDGED if rating.value is None else str(rating.value),
                "rationale": rating.rationale,
                "value": rating.value,
                "reason": rating.reason,
                "second": rating.second,
                "score": rating.score,
            }
            for response, rating in both
        ],
        "judge": judgment.judge,
        "order": list(judgment.order),
        "response_ids": [response.response_id for response, _ in both],
        "finished": [response.finished for response, _ in both],
        "principles": [response.principle for response, _ in both],
        "low": judgment.low,
        "high": judgment.high,
    }


def _judgment(row: Mapping[str, Any]) -> Judgment:
    columns = ("response_ids", "models", "responses", "annotations", "finished", "principles")
    parts = list(zip(*(row[name] for name in columns), strict=True))
    return Judgment(
        task_id=str(row["task_id"]),
        instruction=str(row["instruction"]),
        preference=str(row["preference"]),
        responses=tuple(
            Response(str(row["task_id"]), int(at), model, response["response"], finished, principle)
            for at, model, response, _, finished, principle in parts
        ),
        ratings=tuple(_rating(int(at), said, row["low"], row["high"]) for at, _, _, said, _, _ in parts),
        judge=str(row["judge"]),
        order=tuple(map(int, row["order"])),
        low=int(row["low"]),
        high=int(row["high"]),
    )


def _rating(response_id: int, said: Mapping[str, Any], low: int, high: int) -> Rating:
    value = said["value"]
    if value is not None and not low <= int(value) <= high:
        raise ValueError(f"a rating of {value} on a scale from {low} to {high}")
    return Rating(response_id, value, said["rationale"], said["reason"], said["second"], said.get("score"))
