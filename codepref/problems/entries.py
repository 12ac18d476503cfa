"""Writes an entry of a problem's field `tests` as the source of a test."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from codepref.errors import UserError


def source_of(fields: Mapping[str, Any], where: str) -> str:
    """Return the fields as JSON text, in which NaN and infinity are written as `NaN` and `Infinity`.

    where: names the entry in the error message. Raises UserError for a value that JSON cannot write, such as bytes or a
    date.
    """
    try:
        return json.dumps(fields)
    except (TypeError, ValueError, RecursionError) as error:
        raise UserError(f"{where} holds a value that cannot be written as JSON ({error})") from None
