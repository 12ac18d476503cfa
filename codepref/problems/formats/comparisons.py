"""Finds out whether the statement of a problem allows any order of a result, or names a tolerance of numbers. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

DEFAULT = 1e-6
"""The tolerance of numbers, unless the statement names a larger one."""

_ANY_ORDER = re.compile(r"\b(?:return|answer|output|result|list)\b[^.!?\n]{0,80}\bin any order\b", re.IGNORECASE)
_NO_ORDER = re.compile(
    r"\border of (?:the )?(?:output|answer|result)s?\b[^.!?\n]{0,80}\bdo(?:es)?(?: not|n't) matter\b", re.IGNORECASE
)
_TOLERANCE = re.compile(
    r"\b(?:within|error|tolerance|differ\w*|precision)\b[^\n]{0,100}?\b10\s*(?:\^|\*\*)?\s*\{?\s*[-−–]\s*\{?\s*([1-9])(?![0-9])"
    r"|\b(?:within|error|tolerance|differ\w*)\b[^\n]{0,60}?\b1e-0?([1-9])(?![0-9])",
    re.IGNORECASE,
)


def stated_comparison(statement: str, results: Sequence[Any]) -> dict[str, Any]:
    """Return the keys `order` and `tolerance` of tests of kind "calls", if the statement asks for them.

    If the answer may be returned "in any order", `order` is "items". If "the order of the output does not matter",
    `order` is "all". The key is missing if a result is no list.

    >>> stated_comparison("Return the pairs in any order.", [[[1, 2]]])
    {'order': 'items'}
    """
    found: dict[str, Any] = {}
    if results and all(isinstance(result, list | tuple) for result in results):
        if _NO_ORDER.search(statement):
            found["order"] = "all"
        elif _ANY_ORDER.search(statement):
            found["order"] = "items"
    if tolerance := stated_tolerance(statement):
        found["tolerance"] = tolerance
    return found


def stated_tolerance(statement: str) -> float | None:
    """Return the tolerance that a statement names as a power of ten, such as 10^-5 or 1e-5.

    Return None if none is found, or if it is not larger than DEFAULT.

    >>> stated_tolerance("Answers within 10^-5 of the actual answer will be accepted.")
    1e-05
    """
    match = _TOLERANCE.search(statement)
    if match is None:
        return None
    tolerance = float(f"1e-{match.group(1) or match.group(2)}")
    return tolerance if tolerance > DEFAULT else None
