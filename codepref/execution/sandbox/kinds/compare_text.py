"""Compare a program's output with the expected one, for tests of the kind "stdio". The functions are pure.

The rules resemble those of two checkers for programming contests, `wcmp` (for tokens) and `rcmp6` (for real numbers)
of testlib by Mike Mirzayanov.
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

    The tokens of a text are separated by white space. `output` is right if it has as many tokens as `expected` and each
    of them is right. Where the expected token is a real number (with a point or an exponent) that a float can hold, a
    number that differs from it by at most 1e-6, absolute or relative, is right. Any other token must be equal to the
    expected one. A whole number is such a token.

    >>> same_text("0.3333333 yes", "0.333333333333 yes"), same_text("1000001", "1000000")
    (True, False)
    """
    if stripped(output) == stripped(expected):
        return True
    tokens, wanted = output.split(), expected.split()
    return len(tokens) == len(wanted) and all(map(same_token, tokens, wanted))


def stripped(text: str) -> str:
    """Return the text without white space at the right ends of its lines and without empty lines at its end."""
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
