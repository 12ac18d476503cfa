"""Demonstrations -> rows for supervised fine-tuning. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from codepref.errors import UserError
from codepref.records import Message
from codepref.training.examples import Example, Examples
from codepref.training.rows import Encode, TrainingRows, check_template

PROMPT_COLUMNS = ("instruction", "prompt", "problem", "question")
ANSWER_COLUMNS = ("response", "completion", "output", "solution", "answer", "chosen")
"""Columns of demonstrations. The first column that a row fills is used."""


def examples_from_rows(rows: Iterable[tuple[str, Mapping[str, Any]]], *, limit: int = 0) -> Examples:
    """Demonstrations from the rows of any data set.

    rows: (where the row stands, its columns). A row holds `messages` whose last message is the assistant's, or one of
    PROMPT_COLUMNS and one of ANSWER_COLUMNS; each is a text or a list of messages. limit: take the first so many rows;
    0 takes all. Raises UserError for a row that holds neither.
    """
    examples: list[Example] = []
    for number, (where, row) in enumerate(rows):
        if limit and number == limit:
            break
        prompt, answer = _prompt_and_answer(row, where)
        if not prompt or not answer or answer[-1]["role"] != "assistant":
            raise UserError(f"{where}: a demonstration needs a prompt and an assistant's answer to it")
        examples.append(Example(str(row.get("task_id") or where), prompt, answer, True))
    return Examples(examples, {})


def sft_rows(answers: Examples, encode: Encode, *, max_length: int, eos_id: int) -> TrainingRows:
    """Rows {"prompt", "completion"} of the wanted answers, for TRL's SFTTrainer.

    Answers longer than `max_length` tokens, prompt included, are dropped whole, since a cut answer teaches the model
    not to stop. Equal answers count once. Both are counted. Raises UserError for the chat templates that
    `codepref.training.rows.check_template` refuses.
    """
    rows: list[dict[str, Any]] = []
    dropped: Counter[str] = Counter(answers.dropped)
    seen: set[tuple[int, ...]] = set()
    longest = 0
    for example in answers.examples:
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


def _prompt_and_answer(row: Mapping[str, Any], where: str) -> tuple[Sequence[Message], Sequence[Message]]:
    if isinstance(messages := row.get("messages"), list) and messages:
        turns = _messages(messages, "", where)
        return turns[:-1], turns[-1:]
    parts = []
    for columns, role in ((PROMPT_COLUMNS, "user"), (ANSWER_COLUMNS, "assistant")):
        name = next((name for name in columns if row.get(name)), None)
        if name is None:
            raise UserError(
                f"{where}: not a demonstration: it needs `messages`, or one of {', '.join(PROMPT_COLUMNS)} and one of "
                f"{', '.join(ANSWER_COLUMNS)} (its columns: {', '.join(map(str, row))})"
            )
        parts.append(_messages(row[name], role, where))
    return parts[0], parts[1]


def _messages(value: Any, role: str, where: str) -> list[Message]:
    if isinstance(value, str):
        return [{"role": role, "content": value}]
    is_chat = isinstance(value, list) and all(
        isinstance(turn, Mapping) and isinstance(turn.get("role"), str) and isinstance(turn.get("content"), str)
        for turn in value
    )
    if not is_chat:
        raise UserError(f"{where}: a prompt or answer must be a text or a list of messages with role and content")
    return [{"role": turn["role"], "content": turn["content"]} for turn in value]
