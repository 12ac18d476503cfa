"""Compare an output with the expected one. The rules derive from EvalPlus 0.3.1 and differ in some cases.

Source: arXiv 2305.01210, `evalplus/eval/__init__.py`. This module does not import numpy, since the import usually takes
longer than the comparison.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from numbers import Integral
from typing import Any

RTOL, FLOAT_ATOL = 1e-7, 1e-6
"""The relative tolerance, and the absolute tolerance of floats in a test whose tolerance is 0."""

EXACT = 2**53
"""From this size on, a float cannot represent every whole number."""

ROUNDING = 1e-12
"""Largest rounding error of an expected float if the output is an int, relative to the larger of 1 and the float."""

Accept = Callable[[list[Any], Any, Any, float], Any]


def accepted(output: Any, expected: Any, atol: float, compare: str, oracle: Callable[[], Any] | None = None) -> bool:
    """Return whether `output` is right.

    compare: "equal", "set", "not_none" or "oracle:NAME". With "not_none", a bool is right if it says whether `expected`
    is something other than None. Any other output is right if it is None exactly when `expected` is None.
    oracle: called if the comparison does not accept the output. It is not called for "not_none".
    atol: absolute tolerance of numbers and of numbers in lists and tuples, for an output that has the type of
        `expected`. 0 means 1e-6 if `expected` is a float or a non-empty list or tuple of floats, and no tolerance if it
        is anything else.
    An int at the place of an expected float is right if the float is that number after rounding (see `rounded`).
    Raises what the comparison raises, such as TypeError for an unhashable item if `compare` is "set".

    Worked example: accepted(0.30000000000000004, 0.3, 0, "equal") is True.
    """
    if compare == "not_none":
        wanted = expected is not None
        return bool(output == wanted) if isinstance(output, bool) else wanted == (output is not None)
    exact = set(output) == set(expected) if compare == "set" else bool(output == expected)
    if exact:
        return True
    tolerance = FLOAT_ATOL if atol == 0 and is_floats(expected) else atol
    if tolerance and type(output) is type(expected) and close(output, expected, tolerance):
        return True
    if rounded(output, expected):
        return True
    return oracle is not None and bool(oracle())


def is_floats(value: Any) -> bool:
    """Return whether the value is a float, or a non-empty list or tuple of floats."""
    if isinstance(value, list | tuple):
        return bool(value) and all(isinstance(item, float) for item in value)
    return isinstance(value, float)


def close(output: Any, expected: Any, atol: float) -> bool:
    """Return whether |output - expected| <= atol + 1e-7 |expected| for every number, and the shapes agree.

    Equal numbers are close, even if they are infinite. NaN is close to nothing. A list may be close to a tuple. Values
    other than numbers, lists and tuples must be equal.
    """
    if isinstance(expected, list | tuple):
        return (
            isinstance(output, list | tuple)
            and len(output) == len(expected)
            and all(close(*pair, atol) for pair in zip(output, expected, strict=True))
        )
    if not (isinstance(output, int | float | complex) and isinstance(expected, int | float | complex)):
        return bool(output == expected)
    if output == expected:
        return True
    try:
        gap, size = abs(output - expected), abs(expected)
        return math.isfinite(gap) and bool(gap <= atol + RTOL * size)
    except OverflowError:  # an int is too large for a float, so that `atol` does not matter beside it
        whole = isinstance(output, int) and isinstance(expected, int)
        return whole and abs(output - expected) * round(1 / RTOL) <= abs(expected)


def rounded(output: Any, expected: Any) -> bool:
    """Return whether `output` equals `expected`, where an int also equals a float that is this int after rounding.

    A reference that divides gives a rounded float, while an exact solution gives an int. An int is accepted if it
    differs from the float by at most 1e-12, absolute or relative. Below 2^53 the difference must also be less than one
    half, so no other whole number than the nearest is accepted. Where an int is expected, the output must be
    equal. Lists, tuples and dicts that are not equal are compared part by part if their types, lengths and keys agree.

    Worked example: with n = 2000003, rounded(n * (n + 1) * (2 * n + 1) // 6, n * (n + 1) * (2 * n + 1) / 6) is True.
    """
    kind = type(output)
    if isinstance(expected, float) and kind is not bool and issubclass(kind, Integral):  # or an integer of numpy
        return _is_rounding_of(int(output), float(expected))
    if type(output) is type(expected) and isinstance(expected, list | tuple):
        pairs = zip(output, expected, strict=False)
        return len(output) == len(expected) and all(left == right or rounded(left, right) for left, right in pairs)
    if type(output) is type(expected) and isinstance(expected, dict):
        return output.keys() == expected.keys() and all(rounded(output[key], expected[key]) for key in expected)
    return bool(output == expected)


def _is_rounding_of(whole: int, number: float) -> bool:
    """Return whether `number` can be `whole` after some roundings."""
    if whole == number or not math.isfinite(number):
        return whole == number
    try:
        gap = abs(whole - number)
    except OverflowError:
        return False
    return gap <= ROUNDING * max(1.0, abs(number)) and (gap < 0.5 or abs(number) >= EXACT)
