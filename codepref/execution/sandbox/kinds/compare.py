"""Compares an output with the expected one. The rules follow EvalPlus 0.3.1 (`evalplus/eval/__init__.py`).

Source: arXiv 2305.01210. The comparison is written for plain data and without numpy, since importing numpy takes
much longer than comparing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

RTOL, FLOAT_ATOL = 1e-7, 1e-6
"""The relative tolerance, and the absolute tolerance of floats where the test states none."""

Accept = Callable[[list[Any], Any, Any, float], Any]


def accepted(output: Any, expected: Any, atol: float, compare: str, oracle: Callable[[], Any] | None = None) -> bool:
    """Return whether `output` is right.

    compare: "equal", "set", "not_none" or "oracle:NAME".
    oracle: called when the comparison does not accept the output. It is not called for "not_none".
    atol: absolute tolerance of numbers. 0 means 1e-6 for floats, and no tolerance for other values.
    Raises what the comparison raises, such as TypeError for an unhashable item of a set.

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
    return oracle is not None and bool(oracle())


def is_floats(value: Any) -> bool:
    """Return whether the value is a float, or a non-empty list or tuple of floats."""
    if isinstance(value, list | tuple):
        return bool(value) and all(isinstance(item, float) for item in value)
    return isinstance(value, float)


def close(output: Any, expected: Any, atol: float) -> bool:
    """Return whether |output - expected| <= atol + 1e-7 |expected| for every number, and the shapes agree.

    Equal numbers are close, also infinite ones. Values that are not numbers must be equal. NaN is close to nothing.
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
    except OverflowError:
        return False
    return math.isfinite(gap) and bool(gap <= atol + RTOL * size)
