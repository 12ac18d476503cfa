"""Reads values that hold messages: text, messages, ShareGPT's turns, or JSON text of them. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from codepref.errors import UserError
from codepref.problems.columns import is_list
from codepref.records import Message

SPEAKERS: Mapping[str, str] = {
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "bing": "assistant",
    "bard": "assistant",
    "bot": "assistant",
    "model": "assistant",
    "assistant": "assistant",
    "system": "system",
    "tool": "tool",
    "observation": "tool",
}
"""The name of a speaker in a data set -> the role in codepref's messages."""

_KEYS = (("role", "content"), ("from", "value"))
_FORM = "must be a text, or a list of messages {role, content} or {from, value}"


def is_messages(value: Any) -> bool:
    """Return whether a value is a list of at least one message, or the JSON text of such a list."""
    value = _decoded(value)
    return is_list(value) and len(value) > 0 and all(_keys(item) for item in value)


def messages_of(value: Any, name: str, where: str, *, role: str = "user") -> list[Message]:
    """Return the messages in a value of a column.

    A value is a message, a list of messages, or the JSON text of either. Another text becomes one message of `role`. If
    the content of a message is a list of text parts, they are joined.
    name, where: the column, and the file and the line, for error messages. Raises UserError for other values, for
    messages with calls of tools or with content that is not text, and for a speaker in `from` without a known role.
    """
    value = _decoded(value)
    if isinstance(value, str):
        return [{"role": role, "content": value}]
    if _keys(value):
        value = [value]
    if not is_list(value) or not all(_keys(item) for item in value):
        raise UserError(f"{where}: `{name}` {_FORM}, not {_described(value)}")
    return [_message(item, f"{where}: message {place} of `{name}`") for place, item in enumerate(value)]


def _decoded(value: Any) -> Any:
    """Return the message or the list of messages in a JSON text. Other values, such as other texts, stay unchanged."""
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        try:
            inner = json.loads(value)
        except (ValueError, RecursionError):
            return value
        if _keys(inner) or (isinstance(inner, list) and inner and all(_keys(item) for item in inner)):
            return inner
    return value


def _keys(item: Any) -> tuple[str, str] | None:
    """Return the two keys by which a mapping is a message, or None."""
    if not isinstance(item, Mapping):
        return None
    return next((keys for keys in _KEYS if all(key in item for key in keys)), None)


def _message(item: Mapping[str, Any], where: str) -> Message:
    keys = _keys(item)
    assert keys is not None  # the caller has checked it
    speaker, content = item[keys[0]], item[keys[1]]
    if item.get("tool_calls"):
        raise UserError(f"{where} calls tools, which codepref cannot train on. Leave the row out")
    if not isinstance(speaker, str) or (keys[0] == "from" and speaker.lower() not in SPEAKERS):
        raise UserError(
            f"{where} has the speaker {str(speaker)[:40]!r}. Known speakers are {', '.join(SPEAKERS)}. Rename the "
            "speaker"
        )
    return {"role": SPEAKERS.get(speaker.lower(), speaker), "content": _text(content, where)}


def _text(content: Any, where: str) -> str:
    if isinstance(content, str):
        return content
    if is_list(content):
        parts = [part.get("text") if isinstance(part, Mapping) else part for part in content]
        texts = [part for part in parts if isinstance(part, str)]
        if len(texts) == len(parts):
            return "".join(texts)
        raise UserError(f"{where} holds parts that are not text, such as pictures. Leave the row out")
    raise UserError(f"{where} must hold text, not {_described(content)}")


def _described(value: Any) -> str:
    if is_list(value):
        kinds = sorted({type(item).__name__ for item in value})
        return f"a list of {' and '.join(kinds)}" if kinds else "an empty list"
    return "null" if value is None else type(value).__name__
