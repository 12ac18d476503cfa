"""Tests of kind "stdio" as JSON documents: what goes in, and what must come out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from codepref.errors import UserError


def stdio_source(given: str, expected: str) -> str:
    """The source of a test that feeds `given` to a program and expects `expected`."""
    return json.dumps({"input": given, "output": expected})


def stdio_entry(entry: Mapping[str, Any], where: str) -> str:
    """The source of an entry of `tests` with the texts `input` and `output`. Raises UserError where it has none."""
    text, expected = entry.get("input"), entry.get("output")
    if not isinstance(text, str) or not isinstance(expected, str):
        raise UserError(f'{where} of kind "stdio" needs the texts input and output')
    source = stdio_source(text, expected)
    check_stdio(source, where)
    return source


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
