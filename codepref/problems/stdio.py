"""Tests of kind "stdio" as JSON documents: what goes in, and what must come out."""

from __future__ import annotations

import json

from codepref.errors import UserError


def stdio_source(given: str, expected: str) -> str:
    """The source of a test that feeds `given` to a program and expects `expected`."""
    return json.dumps({"input": given, "output": expected})


def check_stdio(source: str, where: str) -> None:
    """Raises UserError unless `source` is a JSON object whose `input` and `output` are texts."""
    try:
        document = json.loads(source)
        plain = isinstance(document, dict) and set(document) == {"input", "output"}
        if plain and all(isinstance(text, str) for text in document.values()):
            document["input"].encode()
            return
    except (ValueError, RecursionError):
        pass  # told below, with the form that is needed
    form = '{"input": text, "output": text}, where input can be written as UTF-8'
    raise UserError(f'{where}: a test of kind "stdio" must be JSON, {form}')
