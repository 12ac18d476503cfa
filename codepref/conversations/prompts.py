"""Finds the prompt of a row: its system text, earlier turns, and the request with the text that belongs to it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from codepref.conversations.messages import messages_of
from codepref.errors import UserError
from codepref.problems.columns import decoded, is_list
from codepref.problems.requests import is_no_input
from codepref.records import Message

REQUESTS = ("instruction", "prompt", "problem", "question", "query", "input", "context")
"""The columns that may hold the request. The first one that is not empty is used."""

ADDITIONS: Mapping[str, tuple[str, ...]] = {
    "instruction": ("input", "query", "context"),
    "prompt": ("input",),
    "problem": ("input",),
    "question": ("input",),
}
"""A column of requests -> the columns whose texts also belong to the request. Each follows it after a blank line."""

SYSTEMS = ("system", "system_prompt")
HISTORY = "history"


def filled(value: Any) -> bool:
    """Return whether a value holds something. Blank texts, null, NaN, and empty lists and structs do not."""
    if isinstance(value, str):
        return bool(value.strip())
    if is_list(value) or isinstance(value, Mapping):
        return len(value) > 0
    return value is not None and value == value


def prompt_of(row: Mapping[str, Any], where: str, used: set[str]) -> list[Message]:
    """Return the prompt of a row, or [] if all its columns REQUESTS are empty.

    The request is the first of REQUESTS that is not empty: a text, or a list of messages. The texts of its ADDITIONS
    follow in its last message, unless this message contains them already or they stand for no input. The turns in
    `history` come before it, and the texts in SYSTEMS come first. used: receives the names of the columns that were
    read. Raises UserError for values in another form.
    """
    name = next((name for name in REQUESTS if filled(row.get(name))), None)
    if name is None:
        return []
    used.add(name)
    request = messages_of(row[name], name, where)
    for other in ADDITIONS.get(name, ()):
        if filled(row.get(other)) and not is_no_input(row[other]):
            used.add(other)
            _add(request, row[other], other, where)
    return with_system(row, [*history_of(row, where, used), *request], where, used)


def with_system(row: Mapping[str, Any], turns: Sequence[Message], where: str, used: set[str]) -> list[Message]:
    """Return turns with the system text of a row, if it has one, at their beginning.

    If the turns begin with a system message already, its text follows that of the row. A message that already
    contains the row's text stays unchanged. Raises UserError if the system text of the row is not a text.
    """
    turns = list(turns)
    for name in SYSTEMS:
        if not filled(row.get(name)):
            continue
        used.add(name)
        text = row[name]
        if not isinstance(text, str):
            raise UserError(f"{where}: `{name}` must be text, not {type(text).__name__}")
        if turns and turns[0]["role"] == "system":
            if text.strip() not in turns[0]["content"]:
                turns[0] = {"role": "system", "content": f"{text}\n\n{turns[0]['content']}"}
        else:
            turns.insert(0, {"role": "system", "content": text})
    return turns


def history_of(row: Mapping[str, Any], where: str, used: set[str]) -> list[Message]:
    """Return the earlier turns in `history`, or [] if the column is missing or empty.

    The column holds pairs of a request and its answer, or messages. Raises UserError for a value in another form.
    """
    if not filled(row.get(HISTORY)):
        return []
    used.add(HISTORY)
    value = decoded(row[HISTORY], HISTORY, where)
    if is_list(value) and all(is_list(turn) and len(turn) == 2 for turn in value):
        if not all(isinstance(text, str) for turn in value for text in turn):
            raise UserError(f"{where}: `{HISTORY}` must hold pairs of texts: a request and its answer")
        roles = ("user", "assistant")
        return [{"role": role, "content": text} for turn in value for role, text in zip(roles, turn, strict=True)]
    if is_list(value):
        return messages_of(value, HISTORY, where)
    raise UserError(f"{where}: `{HISTORY}` must be a list of pairs of texts, or of messages")


def _add(request: list[Message], value: Any, name: str, where: str) -> None:
    """Add a text to the last message of a request, unless that message contains it already."""
    if not isinstance(value, str):
        raise UserError(f"{where}: `{name}` must be text, not {type(value).__name__}")
    if value.strip() not in request[-1]["content"]:
        request[-1] = {**request[-1], "content": f"{request[-1]['content']}\n\n{value}"}
