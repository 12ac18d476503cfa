"""Compare what a function returned with an expected value of JSON, for tests of the kind "calls". Pure."""

from __future__ import annotations

import sys
from typing import Any

from .compare import FLOAT_ATOL, close, rounded


def same_value(output: Any, expected: Any, tolerance: float = FLOAT_ATOL) -> bool:
    """Return whether `output` is right.

    expected: a value of JSON, that is None, a bool, a number, a text, a list, or a dict with texts as keys.
    tolerance: how far a number may be from an expected float. Above 1e-6 it is also a relative tolerance.

    A tuple is right where a list with its items is expected. A key of a dict is right if it is the expected text or if
    JSON would write it as this text, such as 1 for "1". A tuple is right as a key if Python writes it as this text.
    Where a float is expected, a float that differs by at most tolerance + 1e-7 |expected| is right, and so is a whole
    number that the float can be a rounding of. With a tolerance above 1e-6, a float or a whole number is right if it
    differs by at most tolerance * max(1, |expected|) + 1e-7 |expected|. NaN is right where NaN is expected. Any other
    number must be equal. A proxy, which stands for an object of the solution, is never right.

    >>> same_value((1, {2: "a"}), [1, {"2": "a"}]), same_value([0.1 + 0.2], [0.3]), same_value(1000001, 1000000)
    (True, True, False)
    """
    if isinstance(expected, list):
        items = list(tuple.__iter__(output)) if isinstance(output, tuple) else output
        if type(items) is not list or len(items) != len(expected):
            return False
        return all(same_value(item, wanted, tolerance) for item, wanted in zip(items, expected, strict=True))
    if isinstance(expected, dict):
        return isinstance(output, dict) and _same_items(output, expected, tolerance)
    if expected is None:
        return output is None
    if isinstance(expected, str):
        return type(output) is str and output == expected
    return _same_number(plain_number(output), expected, tolerance)


def _same_items(output: dict[Any, Any], expected: dict[str, Any], tolerance: float) -> bool:
    keys = {key if type(key) is str else _json_key(key): key for key in output}
    if len(keys) != len(output) or keys.keys() != expected.keys():
        return False
    return all(same_value(output[key], expected[text], tolerance) for text, key in keys.items() if text is not None)


def _json_key(key: Any) -> str | None:
    """Return the text that JSON writes for a key that is not a text, or None for a key of another type.

    JSON has no form for a tuple, so the result for a tuple is the text that Python writes.
    """
    if key is None or isinstance(key, bool):
        return {None: "null", True: "true", False: "false"}[key]
    return repr(key) if type(key) in (int, float, tuple) else None


def plain_number(output: Any) -> Any:
    """Return a scalar of numpy, such as a number, as a plain value, and every other value unchanged."""
    numpy = sys.modules.get("numpy")
    return output.item() if numpy is not None and isinstance(output, numpy.generic) else output


def _same_number(output: Any, expected: Any, tolerance: float) -> bool:
    if type(output) not in (bool, int, float, complex):
        return False
    if output == expected or (output != output and expected != expected):  # the second means that both are NaN
        return True
    if not isinstance(expected, float):
        return False
    if tolerance > FLOAT_ATOL:
        if type(output) not in (int, float) or abs(output) > sys.float_info.max:  # a large int has no float
            return False
        return close(float(output), expected, tolerance * max(1.0, abs(expected)))
    return close(output, expected, tolerance) if type(output) is float else rounded(output, expected)
