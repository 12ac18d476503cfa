"""Writes the entries of the field `tests` as sources of tests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from codepref.errors import UserError


def source_of(fields: Mapping[str, Any], where: str) -> str:
    """Return the fields as JSON text. Raises UserError for a value that JSON cannot write, such as bytes or a date."""
    try:
        return json.dumps(fields)
    except (TypeError, ValueError, RecursionError) as error:
        raise UserError(f"{where} holds a value that cannot be written as JSON ({error})") from None
