"""Reads a row's request to a model: joins the instruction and its input, and returns the system text apart. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from codepref.errors import UserError

INPUTS = ("input", "context")
"""Columns that can hold the text to which an instruction applies (Alpaca, Dolly, questions about tables)."""
SYSTEMS = ("system", "system_prompt", "system_message")
"""Columns that can hold the text of a system turn."""
_NO_INPUT = ("<noinput>", "<no input>", "noinput", "nan")
"""Texts that stand for an empty input in published data sets."""


def request_texts(row: Mapping[str, Any], instruction: str, where: str, column: str = "instruction") -> tuple[str, str]:
    """Return the text of a request and its system text.

    The text is the instruction and the texts of the columns of INPUTS, separated by blank lines. The system text is
    that of the first column of SYSTEMS that holds one, or "". A number counts as a text, and texts such as "<noinput>"
    count as empty. column: the column of the instruction, which is then neither an input nor a system text. Raises
    UserError for an input or a system text of another type, and for earlier turns in `history`, since the prompt would
    not show them.
    """
    texts = [_text(row, name, where) for name in INPUTS if name != column]
    systems = [_text(row, name, where) for name in SYSTEMS if name != column]
    if row.get("history") and column != "history":
        raise UserError(
            f"{where}: the column `history` holds earlier turns, which the prompt would not show. Remove the column, "
            "or write the turns into the instruction"
        )
    return "\n\n".join([instruction, *filter(None, texts)]), next(filter(None, systems), "")


def _text(row: Mapping[str, Any], name: str, where: str) -> str:
    value = row.get(name)
    if value is None or value == [] or value == {} or value != value:  # NaN stands for a missing text in tables
        return ""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise UserError(
            f"{where}: the column `{name}` holds no text, so it cannot be added to the request. Turn it into a text, "
            "or remove the column"
        )
    return "" if is_no_input(value) else value


def is_no_input(value: Any) -> bool:
    """Return whether a value is a text that stands for no input, such as "<noinput>" or a blank text."""
    return isinstance(value, str) and value.strip().lower() in ("", *_NO_INPUT)
