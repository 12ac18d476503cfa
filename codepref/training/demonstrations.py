"""Demonstrations to learn from -> rows for supervised fine-tuning. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from codepref.errors import UserError
from codepref.records import Message
from codepref.training.kto_rows import Example, Examples
from codepref.training.rows import Encode, TrainingRows, check_template

ASKED = ("instruction", "prompt", "problem", "question")
ANSWERED = ("response", "completion", "output", "solution", "answer", "chosen")
"""Columns of demonstrations: the first of each that a row has."""


def examples_from_rows(rows: Iterable[tuple[str, Mapping[str, Any]]], *, limit: int = 0) -> Examples:
    """Demonstrations from (place, row) of any data set.

    A row holds `messages` that end with the assistant's, or a column of ASKED and one of ANSWERED, each a text or a
    list of messages. limit: the first so many; 0 takes all. Raises UserError for a row that holds neither.
    """
    found: list[Example] = []
    for place, (where, row) in enumerate(rows):
        if limit and place == limit:
            break
        prompt, answer = _sides(row, where)
        if not prompt or not answer or answer[-1]["role"] != "assistant":
            raise UserError(f"{where}: a demonstration is what is asked and an assistant's answer to it")
        found.append(Example(str(row.get("task_id") or where), prompt, answer, True))
    return Examples(found, {})


def sft_rows(given: Examples, encode: Encode, *, max_length: int, eos_id: int) -> TrainingRows:
    """Rows {"prompt", "completion"} for TRL's SFTTrainer, of the wanted answers alone.

    Longer ones than `max_length` tokens are dropped whole, since a cut one would teach not to stop; equal ones count
    once. Both are counted. Raises UserError for a chat template under which training would see another context than
    sampling, or an answer without an end (see `codepref.training.rows.check_template`).
    """
    rows: list[dict[str, Any]] = []
    dropped: Counter[str] = Counter(given.dropped)
    seen: set[tuple[int, ...]] = set()
    longest = 0
    for example in given.examples:
        if not example.wanted:
            continue
        prompt = list(encode(example.prompt, True))
        whole = list(encode([*example.prompt, *example.completion], False))
        check_template(prompt, whole, eos_id)
        if len(whole) > max_length:
            dropped[f"longer than training.max_length = {max_length} tokens"] += 1
        elif tuple(whole) in seen:
            dropped["answer left out: it is there already"] += 1
        else:
            seen.add(tuple(whole))
            longest = max(longest, len(whole))
            rows.append({"prompt": list(example.prompt), "completion": list(example.completion)})
    return TrainingRows(rows, dict(sorted(dropped.items())), longest, len(rows))


def _sides(row: Mapping[str, Any], where: str) -> tuple[Sequence[Message], Sequence[Message]]:
    if isinstance(messages := row.get("messages"), list) and messages:
        turns = _messages(messages, "", where)
        return turns[:-1], turns[-1:]
    sides = []
    for columns, role in ((ASKED, "user"), (ANSWERED, "assistant")):
        name = next((name for name in columns if row.get(name)), None)
        if name is None:
            raise UserError(
                f"{where}: no demonstration: needs `messages`, or one of {', '.join(ASKED)} and one of "
                f"{', '.join(ANSWERED)} (columns: {', '.join(map(str, row))})"
            )
        sides.append(_messages(row[name], role, where))
    return sides[0], sides[1]


def _messages(value: Any, role: str, where: str) -> list[Message]:
    if isinstance(value, str):
        return [{"role": role, "content": value}]
    whole = isinstance(value, list) and all(
        isinstance(turn, Mapping) and isinstance(turn.get("role"), str) and isinstance(turn.get("content"), str)
        for turn in value
    )
    if not whole:
        raise UserError(f"{where}: a text or a list of messages is needed")
    return [{"role": turn["role"], "content": turn["content"]} for turn in value]
