"""Counts the tokens that models write, and the tokens that trainings read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from codepref.models import load_tokenizer
from codepref.records import Pair
from codepref.storage.files import read_jsonl
from codepref.training.examples import Examples


def count_answers(file: Path, model: str) -> dict[str, Any]:
    """Return the number of answers in a file, of their tokens with end tokens, and the share of finished answers."""
    tokenizer = load_tokenizer(model)
    rows = [row for _, row in read_jsonl(file)]
    encoded = tokenizer([row["completion"] for row in rows], add_special_tokens=False)["input_ids"]
    finished = sum(bool(row["finished"]) for row in rows)
    return {
        "answers": len(rows),
        "tokens": sum(map(len, encoded)) + finished,
        "share_finished": finished / max(1, len(rows)),
    }


def mean_length(data: Examples | Sequence[Pair], model: str) -> float:
    """Return the mean number of tokens in a row of training data: its prompt, and its one or two answers.

    `max_length` does not cut the texts here.
    """
    tokenizer = load_tokenizer(model)
    lengths = []
    for prompt, answers in _rows(data):
        opened = len(tokenizer.apply_chat_template(list(prompt), add_generation_prompt=True)["input_ids"])
        whole = [len(tokenizer.apply_chat_template([*prompt, *answer])["input_ids"]) for answer in answers]
        lengths.append(opened + sum(max(0, length - opened) for length in whole))
    return sum(lengths) / max(1, len(lengths))


def _rows(data: Examples | Sequence[Pair]) -> Iterator[tuple[Any, list[Any]]]:
    if isinstance(data, Examples):
        yield from ((one.prompt, [one.completion]) for one in data.examples)
    else:
        yield from ((pair.prompt, [pair.chosen, pair.rejected]) for pair in data)
