"""Writes and checks sources of tests of kind "stdio": JSON objects with a program's input and expected output.

| key | value |
|---|---|
| `input` | the standard input |
| `output` | the expected standard output |
| `order` | "lines" if the lines of the output may come in any order, "words" if all its words may; or missing |
| `tolerance` | how far a real number may be from the expected one, absolute or relative; 1e-6 if it is missing |
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from codepref.errors import UserError
from codepref.problems.entries import source_of

ORDERS = ("lines", "words")
_KEYS = {"input", "output", "order", "tolerance"}


def stdio_source(stdin: str, expected: str, *, tolerance: float | None = None) -> str:
    """Return the source of a test that gives a program the standard input `stdin` and expects the output `expected`."""
    return json.dumps({"input": stdin, "output": expected, **({"tolerance": tolerance} if tolerance else {})})


def stdio_entry(entry: Mapping[str, Any], where: str) -> str:
    """Return the source of an entry of `tests` with the texts `input` and `output`.

    Raises UserError if `input` or `output` is not a text, if UTF-8 cannot encode `input`, and for a malformed
    order or tolerance.
    """
    text, expected = entry.get("input"), entry.get("output")
    if not isinstance(text, str) or not isinstance(expected, str):
        raise UserError(f'{where} of kind "stdio" needs texts under the keys input and output')
    source = source_of({key: value for key, value in entry.items() if key in _KEYS and value is not None}, where)
    check_stdio(source, where)
    return source


def check_stdio(source: str, where: str) -> None:
    """Raise UserError unless `source` is a JSON object as the table of this module describes it.

    UTF-8 must be able to encode the input.
    """
    try:
        document = json.loads(source)
        if isinstance(document, dict) and {"input", "output"} <= set(document) <= _KEYS:
            tolerance, order = document.get("tolerance", 1.0), document.get("order", "lines")
            number = isinstance(tolerance, int | float) and not isinstance(tolerance, bool) and 0 < tolerance < 1e9
            if number and order in ORDERS and all(isinstance(document[key], str) for key in ("input", "output")):
                document["input"].encode()
                return
    except (ValueError, RecursionError):
        pass  # the message below names the form
    form = '{"input": text, "output": text}'
    more = '"order" ("lines" or "words") and "tolerance" (a positive number below 1e9)'
    raise UserError(
        f'{where}: a test of kind "stdio" must be JSON of the form {form}. It may also hold {more}. UTF-8 must be able '
        "to encode input"
    )
