"""Whether a program printed what it should have: the comparison of tests of kind "stdio". Pure.

After competition checkers (testlib by Mike Mirzayanov: tokens as in `wcmp`, real numbers as in `rcmp6`).
"""

from __future__ import annotations

import math
import re

TOLERANCE = 1e-6

_REAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\Z")
_WHOLE = re.compile(r"[+-]?[0-9]+\Z")


def same_text(output: str, expected: str) -> bool:
    """Whether `output` is right: equal but for white space at the ends of lines and of the text, or token by token.

    A token that is expected as a real number (with a point or an exponent) may differ by 1e-6, absolute or relative;
    every other token, whole numbers among them, must be the same text.

    >>> same_text("0.3333333 yes", "0.333333333333 yes"), same_text("1000001", "1000000")
    (True, False)
    """
    if stripped(output) == stripped(expected):
        return True
    given, wanted = output.split(), expected.split()
    return len(given) == len(wanted) and all(map(same_token, given, wanted))


def stripped(text: str) -> str:
    """The text without white space at the ends of its lines, and without empty lines at its end."""
    return "\n".join(line.rstrip() for line in text.split("\n")).rstrip()


def same_token(given: str, wanted: str) -> bool:
    """Whether one token stands for another; see `same_text`."""
    if given == wanted:
        return True
    # A tolerance on whole numbers would accept 1000001 for 1000000, which no checker of integers does.
    if _WHOLE.match(wanted) or not (_REAL.match(wanted) and _REAL.match(given)):
        return False
    number, true = float(given), float(wanted)
    if not (math.isfinite(number) and math.isfinite(true)):
        return False
    return abs(number - true) <= TOLERANCE * max(1.0, abs(true))
