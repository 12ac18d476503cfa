"""The source of tests of kind "stdio": a JSON object with the input and the expected output of a program."""

from __future__ import annotations

import json

from codepref.errors import UserError


def stdio_source(stdin: str, expected: str) -> str:
    """The source of a test that runs a program with the standard input `stdin` and expects the output `expected`."""
    return json.dumps({"input": stdin, "output": expected})


def check_stdio(source: str, where: str) -> None:
    """Raise UserError unless `source` is a JSON object whose `input` and `output` are texts."""
    try:
        document = json.loads(source)
        plain = isinstance(document, dict) and set(document) == {"input", "output"}
        if plain and all(isinstance(text, str) for text in document.values()):
            document["input"].encode()
            return
    except (ValueError, RecursionError):
        pass  # the message below names the form
    form = '{"input": text, "output": text}, where input can be written as UTF-8'
    raise UserError(f'{where}: a test of kind "stdio" must be JSON, {form}')
