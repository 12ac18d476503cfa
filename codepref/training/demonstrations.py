"""Demonstrations, read from the rows of a data set, and rows for supervised fine-tuning. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from codepref.chat import Chat
from codepref.conversations.answers import answers_of_row
from codepref.conversations.unused import Columns
from codepref.training.examples import Example, Examples
from codepref.training.rows import Faults, TrainingRows, encode_row


def examples_from_rows(
    rows: Iterable[tuple[str, Mapping[str, Any]]], *, limit: int = 0, source: str = "data"
) -> Examples:
    """Return the answers in the rows of a data set: demonstrations, or answers with a label or a score.

    rows: for each row its place, which messages name, and its columns. `codepref.conversations.answers` reads the
    columns. A row holds a conversation that ends with an answer, a request and an answer, or a problem with several
    scored answers. An answer is unwanted if its label is false. An answer without a label is unwanted if its score in
    the tests of the data set is below 1.
    limit: the largest number of rows to read; 0 reads all. source: the name of the data set in the LeftOutWarning about
    columns that hold something and are not read.
    Raises UserError for a row in another form or with wrong values.
    """
    examples: list[Example] = []
    columns, left_out = Columns(), Counter[str]()
    for where, row in islice(rows, limit or None):
        used: set[str] = set()
        for one in answers_of_row(row, where, used, left_out):
            examples.append(Example(one.task_id, one.prompt, one.answer, one.wanted is not False))
        columns.row(row, used)
    columns.warn(source)
    return Examples(examples, {f"answer left out: {reason}": count for reason, count in sorted(left_out.items())})


def wanted_only(answers: Examples) -> Examples:
    """Return only the wanted answers. `dropped` of the result also counts the unwanted answers."""
    wanted = [example for example in answers.examples if example.wanted]
    unwanted = len(answers.examples) - len(wanted)
    reason = {"answer left out: its label or score says that it is wrong": unwanted} if unwanted else {}
    return Examples(wanted, {**answers.dropped, **reason})


def sft_rows(answers: Examples, chat: Chat, *, max_length: int, section: str = "training") -> TrainingRows:
    """Return the wanted answers as rows for TRL's SFTTrainer, with the columns `prompt` and `completion`.

    A row with more than `max_length` tokens in prompt and answer is dropped whole, since a cut answer teaches the model
    not to stop. A row is also dropped if it repeats the tokens of an earlier row, or if `encode_row` finds a fault that
    does not end with KEPT. The result counts the dropped rows. section: the section of the recipe that
    `max_length` comes from. Raises UserError as `encode_row` and `Faults.counts` do.
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
            dropped[f"longer than {section}.max_length = {max_length} tokens"] += 1
        elif tuple(row.ids) in seen:
            dropped["answer left out: it is there already"] += 1
        else:
            seen.add(tuple(row.ids))
            longest = max(longest, len(row.ids))
            rows.append({"prompt": row.prompt, "completion": list(example.completion)})
    dropped.update(faults.counts(len(rows)))
    return TrainingRows(rows, dict(sorted(dropped.items())), longest, len(rows))
