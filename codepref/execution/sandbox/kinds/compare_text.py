"""Compares a program's output with the expected one, for tests of the kind "stdio". Pure.

The rules follow checkers in programming contests (testlib by Mike Mirzayanov): tokens as in `wcmp`, and real
numbers as in `rcmp6`.
"""

from __future__ import annotations

import math
import re

TOLERANCE = 1e-6

# Each character can match in only one way, so a long token takes linear time.
_REAL = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\Z")
_WHOLE = re.compile(r"[+-]?[0-9]+\Z")


def same_text(output: str, expected: str) -> bool:
    """Return whether `output` is right.

    It is right if it equals `expected` apart from white space at the ends of lines and of the text. It is also right if
    it has as many tokens as `expected` and each token is right. Where the expected token is a real number (with a point
    or an exponent), a number that differs by at most 1e-6, absolute or relative, is right. Any other token must be
    equal to the expected one. This includes whole numbers.

    >>> same_text("0.3333333 yes", "0.333333333333 yes"), same_text("1000001", "1000000")
    (True, False)
    """
    if stripped(output) == stripped(expected):
        return True
    tokens, wanted = output.split(), expected.split()
    return len(tokens) == len(wanted) and all(map(same_token, tokens, wanted))


def stripped(text: str) -> str:
    """Return the text without white space at the ends of its lines and without empty lines at its end."""
    return "\n".join(line.rstrip() for line in text.split("\n")).rstrip()


def same_token(token: str, wanted: str) -> bool:
    """Return whether `token` is right where `wanted` is expected (see `same_text`)."""
    if token == wanted:
        return True
    # With a tolerance for whole numbers, 1000001 would be accepted for 1000000.
    if _WHOLE.match(wanted) or not (_REAL.match(wanted) and _REAL.match(token)):
        return False
    number, true = float(token), float(wanted)
    if not (math.isfinite(number) and math.isfinite(true)):
        return False
    return abs(number - true) <= TOLERANCE * max(1.0, abs(true))
