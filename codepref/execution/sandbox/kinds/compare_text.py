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
_PLAIN = re.compile(r"-?(?:0|[1-9][0-9]{0,15})\Z")
_MAX_POWER_DIGITS = 1000  # an exponent with more digits is cut: no output can hold so many zeros
_LARGEST = 2**53
"""Up to this size a float holds every whole number."""


def same_text(output: str, expected: str, tolerance: float = TOLERANCE) -> bool:
    """Return whether `output` is right.

    The tokens of a text are separated by white space. `output` is right if it has as many tokens as `expected` and each
    of them is right. Where the expected token is a real number (with a point or an exponent) that a float can hold, a
    number that differs from it by at most `tolerance`, absolute or relative, is right. Where it is a real number that a
    float cannot hold, a number of exactly this value is right. Where the expected token is a whole number of at most
    2^53, without a plus sign or leading zeros, a real number of exactly this value is right, such as 3.0 for 3. Any
    other token must be equal to the expected one.

    >>> same_text("0.3333333 yes", "0.333333333333 yes"), same_text("1000001", "1000000"), same_text("3.0", "3")
    (True, False, True)
    """
    if stripped(output) == stripped(expected):
        return True
    tokens, wanted = output.split(), expected.split()
    return len(tokens) == len(wanted) and all(same_token(*pair, tolerance) for pair in zip(tokens, wanted, strict=True))


def stripped(text: str) -> str:
    """Return the text without white space at the right ends of its lines and without empty lines at its end."""
    return "\n".join(line.rstrip() for line in text.split("\n")).rstrip()


def same_token(token: str, wanted: str, tolerance: float = TOLERANCE) -> bool:
    """Return whether `token` is right where `wanted` is expected (see `same_text`)."""
    if token == wanted:
        return True
    if not (_REAL.match(wanted) and _REAL.match(token)):
        return False
    if _WHOLE.match(wanted):
        # With a tolerance for whole numbers, 1000001 would be accepted for 1000000. Beyond 2^53, programs that
        # compute with floats print rounded numbers.
        small = _PLAIN.match(wanted) is not None and abs(int(wanted)) <= _LARGEST
        return small and not _WHOLE.match(token) and _value(token) == _value(wanted)
    number, true = float(token), float(wanted)
    if not (math.isfinite(number) and math.isfinite(true)):
        return _value(token) == _value(wanted)
    return abs(number - true) <= tolerance * max(1.0, abs(true))


def _value(number: str) -> tuple[bool, str, int]:
    """Return the value of a text that `_REAL` matches: whether it is negative, its digits, and its power of ten.

    Equal values give equal results, and no large number is computed. The digits neither begin nor end with a zero.

    >>> _value("-1.50e3"), _value("-1500"), _value("0.0")
    ((True, '15', 2), (True, '15', 2), (False, '', 0))
    """
    mantissa, _, power = number.lower().lstrip("+-").partition("e")
    before, _, after = mantissa.partition(".")
    digits = (before + after).lstrip("0")
    significant = digits.rstrip("0")
    if not significant:
        return False, "", 0
    sign = "-" if power.startswith("-") else ""
    shift = power.lstrip("+-").lstrip("0")[:_MAX_POWER_DIGITS] or "0"
    return number.startswith("-"), significant, int(sign + shift) - len(after) + len(digits) - len(significant)
