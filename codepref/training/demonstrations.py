"""Demonstrations, read from the rows of a data set, and rows for supervised fine-tuning. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from codepref.chat import Chat
from codepref.errors import UserError
from codepref.records import Message
from codepref.training.examples import Example, Examples
from codepref.training.rows import Faults, TrainingRows, encode_row

PROMPT_COLUMNS = ("instruction", "prompt", "problem", "question")
ANSWER_COLUMNS = ("response", "completion", "output", "solution", "answer", "chosen")
"""The columns that may hold a demonstration's answer. The first one that is not empty is used.

PROMPT_COLUMNS holds the columns of prompts in the same way.
"""


def examples_from_rows(rows: Iterable[tuple[str, Mapping[str, Any]]], *, limit: int = 0) -> Examples:
    """Return the demonstrations in the rows of a data set.

    rows: pairs of a row's place, which messages name, and the row's columns. A row holds either `messages`, the last of
    them from the assistant, or one of PROMPT_COLUMNS and one of ANSWER_COLUMNS. A prompt or an answer is a text or a
    list of messages. limit: the largest number of rows to read; 0 reads all. Raises UserError for a row in another
    form.
    """
    examples: list[Example] = []
    for number, (where, row) in enumerate(rows):
        if limit and number == limit:
            break
        prompt, answer = _prompt_and_answer(row, where)
        if not prompt or not answer or answer[-1]["role"] != "assistant":
            raise UserError(
                f"{where}: a demonstration needs a prompt, and an answer whose last message is from the assistant"
            )
        examples.append(Example(str(row.get("task_id") or where), prompt, answer, True))
    return Examples(examples, {})


def sft_rows(answers: Examples, chat: Chat, *, max_length: int) -> TrainingRows:
    """Return the wanted answers as rows for TRL's SFTTrainer, with the columns `prompt` and `completion`.

    A row with more than `max_length` tokens in prompt and answer is dropped whole, since a cut answer teaches the model
    not to stop. A row that repeats the tokens of an earlier row, and one that the chat template changes, is dropped
    too. The result counts the dropped rows. Raises UserError as `encode_row` and `Faults.counts` do.
    """
    rows: list[dict[str, Any]] = []
    dropped: Counter[str] = Counter(answers.dropped)
    seen: set[tuple[int, ...]] = set()
    longest, faults = 0, Faults()
    for number, example in enumerate(answers.examples, start=1):
        if not example.wanted:
            continue
        place = f"answer {number} ({example.task_id})"
        row = encode_row(chat, example.prompt, example.completion, place)
        if faults.add(row.faults, place):
            continue
        if len(row.ids) > max_length:
            dropped[f"longer than training.max_length = {max_length} tokens"] += 1
        elif tuple(row.ids) in seen:
            dropped["answer left out: it is there already"] += 1
        else:
            seen.add(tuple(row.ids))
            longest = max(longest, len(row.ids))
            rows.append({"prompt": row.prompt, "completion": list(example.completion)})
    dropped.update(faults.counts(len(rows)))
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
                f"{where}: this row is not a demonstration. It needs a value in the column `messages`, or in one of "
                f"{', '.join(PROMPT_COLUMNS)} and one of {', '.join(ANSWER_COLUMNS)}. Its columns are "
                f"{', '.join(map(str, row))}."
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
        raise UserError(
            f"{where}: a prompt or answer must be a text, or a list of messages that have texts as role and content"
        )
    return [{"role": turn["role"], "content": turn["content"]} for turn in value]
