"""Writes and checks sources of tests of kind "stdio": JSON objects with a program's input and expected output."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from codepref.errors import UserError


def stdio_source(stdin: str, expected: str) -> str:
    """Return the source of a test that gives a program the standard input `stdin` and expects the output `expected`."""
    return json.dumps({"input": stdin, "output": expected})


def stdio_entry(entry: Mapping[str, Any], where: str) -> str:
    """Return the source of an entry of `tests` with the texts `input` and `output`.

    Raises UserError if `input` or `output` is not a text, or if UTF-8 cannot encode `input`.
    """
    text, expected = entry.get("input"), entry.get("output")
    if not isinstance(text, str) or not isinstance(expected, str):
        raise UserError(f'{where} of kind "stdio" needs texts under the keys input and output')
    source = stdio_source(text, expected)
    check_stdio(source, where)
    return source


def check_stdio(source: str, where: str) -> None:
    """Raise UserError unless `source` is a JSON object of two texts, `input` (which UTF-8 can encode) and `output`."""
    try:
        document = json.loads(source)
        plain = isinstance(document, dict) and set(document) == {"input", "output"}
        if plain and all(isinstance(text, str) for text in document.values()):
            document["input"].encode()
            return
    except (ValueError, RecursionError):
        pass  # the message below names the form
    form = '{"input": text, "output": text}, and UTF-8 must be able to encode input'
    raise UserError(f'{where}: a test of kind "stdio" must be JSON of the form {form}')
