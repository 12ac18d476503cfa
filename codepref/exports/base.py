"""The classes that describe the files of a trainer, and functions that the modules of this folder share. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from codepref.records import Message

ExportKind = Literal["pairs", "kto", "sft", "rl"]
"""What a file holds: "pairs" (Pair records), "kto" (Examples of both labels), "sft" (wanted Examples) or "rl"
(Problems)."""

KIND_NAMES: Mapping[str, str] = {
    "pairs": "preference pairs",
    "kto": "single answers with a label",
    "sft": "demonstrations",
    "rl": "problems for reinforcement learning",
}

ColumnType = Literal["text", "flag", "messages", "marked messages", "speech", "speeches", "ranked", "reward", "extra"]
"""The type of a column. `codepref.exports.schema.schema_of` has each of them in Parquet."""

LINES, PARQUET = ".jsonl", ".parquet"


class UnfitError(ValueError):
    """Raised for a row that cannot be written in the form of a trainer.

    The text of the exception is the reason, as a part of a message.
    """


@dataclass(frozen=True)
class Settings:
    """Lines for the user's configuration of a trainer.

    name: the name of the file for the lines, which lies beside the exported rows. text: the content of the file. note:
    what to do with the file. merge: a function that takes the content of an existing file of this name and returns the
    new content. If `merge` is None, an existing file is replaced.
    """

    name: str
    text: str
    note: str
    merge: Callable[[str], str] | None = None


@dataclass(frozen=True)
class Layout:
    """How one trainer takes one kind of rows.

    columns: the columns and their types. row: a function that returns the row of a Pair, Example or Problem. It raises
    UnfitError for what the trainer would drop or misread. settings: a function that takes the file of rows and the
    name of their source, and returns the lines for the user's configuration. endings: the endings of file names that
    the trainer reads.
    """

    columns: Mapping[str, ColumnType]
    row: Callable[[Any], dict[str, Any]]
    settings: Callable[[Path, str], Sequence[Settings]]
    endings: tuple[str, ...] = (LINES, PARQUET)


@dataclass(frozen=True)
class Trainer:
    """A trainer for which codepref writes files. `codepref.exports.TRAINERS` names these objects.

    title: the name in messages. version: the version of the trainer whose code was read or run, or "". layouts: the
    layout of each kind of rows that the trainer takes. refusals: for other kinds, the reason why the trainer does not
    take them, as a part of a message.
    """

    title: str
    version: str
    layouts: Mapping[str, Layout]
    refusals: Mapping[str, str] = field(default_factory=dict)


def text_of(messages: Sequence[Message]) -> str:
    """Return the text of an answer. Raises UnfitError if the answer is not one message of the assistant."""
    if len(messages) != 1 or messages[0]["role"] != "assistant":
        raise UnfitError("the answer is not one message of the assistant")
    return messages[0]["content"]


def filled(text: str) -> str:
    """Return a text unchanged. Raises UnfitError if it is blank."""
    if not text.strip():
        raise UnfitError("the answer is empty")
    return text


def system_and_turns(messages: Sequence[Message]) -> tuple[str, Sequence[Message]]:
    """Return the text of the system message at the beginning, or "", and the other messages."""
    if messages and messages[0]["role"] == "system":
        return messages[0]["content"], messages[1:]
    return "", messages


def alternating(turns: Sequence[Message]) -> Sequence[Message]:
    """Return `turns` unchanged if they begin and end with the user, and user and assistant alternate.

    Raises UnfitError for other turns.
    """
    for place, turn in enumerate(turns):
        if turn["role"] != ("user", "assistant")[place % 2]:
            raise UnfitError("the roles of the prompt do not alternate between user and assistant")
    if len(turns) % 2 == 0:
        raise UnfitError("the prompt does not end with a message of the user")
    return turns


def one_request(messages: Sequence[Message]) -> tuple[str, str]:
    """Return the system text, or "", and the text of the only user message. Raises UnfitError for other prompts."""
    system, turns = system_and_turns(messages)
    if len(turns) != 1 or turns[0]["role"] != "user":
        raise UnfitError("the prompt is not one message of the user, with or without a system text")
    return system, turns[0]["content"]


def whole(prompt: Sequence[Message], answer: Sequence[Message]) -> list[Message]:
    """Return the conversation of a prompt and an answer."""
    return [*prompt, *answer]
