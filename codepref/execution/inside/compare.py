"""When an output is accepted for an input: EvalPlus's comparisons (0.3.1, `evalplus/eval/__init__.py`, arXiv
2305.01210), written for plain data and without numpy, whose import would cost a hundred times the comparison.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

RTOL, FLOAT_ATOL = 1e-7, 1e-6

Accept = Callable[[list[Any], Any, Any, float], Any]


def accepted(output: Any, expected: Any, atol: float, compare: str, oracle: Callable[[], Any] | None = None) -> bool:
    """Whether `output` is right.

    compare: "equal", "set", "not_none" or "oracle:NAME"; `oracle()` is asked when "equal" does not accept.
    Worked example: accepted(0.30000000000000004, 0.3, 0, "equal") is True, since floats are held to 1e-6.
    Exceptions of the comparison itself (an unhashable item of a set) are the caller's to judge.
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
    """A float, or a non-empty list or tuple of floats."""
    if isinstance(value, list | tuple):
        return bool(value) and all(isinstance(item, float) for item in value)
    return isinstance(value, float)


def close(output: Any, expected: Any, atol: float) -> bool:
    """|output - expected| <= atol + 1e-7 |expected| in every number, the same shape; NaN is close to nothing."""
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
