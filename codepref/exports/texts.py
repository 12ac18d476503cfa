"""Plain texts: one request and its answers, for trainers and scripts that take no messages. Pure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from codepref.exports.base import Layout, Settings, Trainer, one_request, text_of
from codepref.records import Pair
from codepref.training.examples import Example


def pair_row(pair: Pair) -> dict[str, Any]:
    """Return the row of a pair.

    Raises UnfitError for a prompt that is not one message of the user, with or without a system text, and for an answer
    that is not one message of the assistant.
    """
    system, request = one_request(pair.prompt)
    return {
        "system": system,
        "prompt": request,
        "chosen": text_of(pair.chosen),
        "rejected": text_of(pair.rejected),
        "task_id": pair.task_id,
    }


def demonstration_row(example: Example) -> dict[str, Any]:
    """Return the row of a demonstration. Raises UnfitError as `pair_row` does."""
    system, request = one_request(example.prompt)
    return {
        "system": system,
        "prompt": request,
        "completion": text_of(example.completion),
        "task_id": example.task_id,
    }


def labelled_row(example: Example) -> dict[str, Any]:
    """Return the row of a labelled answer. Raises UnfitError as `pair_row` does."""
    return {**demonstration_row(example), "label": example.wanted}


def _no_settings(file: Path, source: str) -> list[Settings]:
    return []


TRAINER = Trainer(
    "plain texts",
    "",
    {
        "pairs": Layout(
            {"system": "text", "prompt": "text", "chosen": "text", "rejected": "text", "task_id": "text"},
            pair_row,
            _no_settings,
        ),
        "kto": Layout(
            {"system": "text", "prompt": "text", "completion": "text", "label": "flag", "task_id": "text"},
            labelled_row,
            _no_settings,
        ),
        "sft": Layout(
            {"system": "text", "prompt": "text", "completion": "text", "task_id": "text"},
            demonstration_row,
            _no_settings,
        ),
    },
    {"rl": "plain texts have no place for tests"},
)
