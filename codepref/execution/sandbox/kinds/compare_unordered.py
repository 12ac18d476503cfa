"""Compares lists, lines and words that may come in any order, for tests of the kinds "calls" and "stdio". Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .compare_json import plain_number, same_value
from .compare_text import same_text, same_token

MAX_UNSORTED = 2000
"""If the sorted items differ, longer lists are not searched for another way to match their items."""


MAX_KEY_DEPTH = 8
"""The key of an item covers lists within lists to this depth. A list that holds itself twice would take too long."""


def same_items(output: Any, expected: Any, *, deep: bool, tolerance: float) -> bool:
    """Return whether an output is right if the items of lists may come in any order.

    deep: whether the items of lists in lists may come in any order too. In lists inside a dict the order counts.
    tolerance: as in `same_value`, which compares all other values.

    >>> same_items([[2, 1], [3]], [[3], [1, 2]], deep=True, tolerance=0)
    True
    """

    def same(one: Any, other: Any) -> bool:
        return same_items(one, other, deep=deep, tolerance=tolerance) if deep else same_value(one, other, tolerance)

    if not isinstance(expected, list):
        return same_value(output, expected, tolerance)
    items = list(tuple.__iter__(output)) if isinstance(output, tuple) else output
    if type(items) is not list or len(items) != len(expected):
        return False
    return _match(sorted(items, key=_key), sorted(expected, key=_key), same)


def same_lines(output: str, expected: str, *, words: bool, tolerance: float) -> bool:
    """Return whether a program's output is right if its lines may come in any order. Blank lines do not count.

    words: whether the words of the output may come in any order, on any line. tolerance: as in `same_text`.

    >>> same_lines("b 2\\na 1", "a 1\\nb 2\\n", words=False, tolerance=0)
    True
    """
    if words:
        found, wanted = (sorted(text.split(), key=_line_key) for text in (output, expected))
        return len(found) == len(wanted) and _match(found, wanted, lambda one, other: same_token(one, other, tolerance))
    lines, others = (
        sorted(filter(None, (" ".join(line.split()) for line in text.split("\n"))), key=_line_key)
        for text in (output, expected)
    )
    return len(lines) == len(others) and _match(lines, others, lambda one, other: same_text(one, other, tolerance))


def _match(items: list[Any], expected: list[Any], same: Callable[[Any, Any], bool]) -> bool:
    """Return whether a simple search matches the items with the expected items, which are equally many.

    The search first compares both lists in order. If they differ and are not longer than MAX_UNSORTED, each item in
    turn takes the first remaining expected item for which it is right.
    """
    if all(map(same, items, expected)):
        return True
    if len(items) > MAX_UNSORTED:
        return False
    left = list(expected)
    for item in items:
        at = next((at for at, other in enumerate(left) if same(item, other)), None)
        if at is None:
            return False
        left.pop(at)
    return True


def _key(value: Any, depth: int = 0) -> tuple[int, Any]:
    """Return a key to sort items by: numbers by value, and a tuple like a list. Deep parts of an item do not count.

    With such keys, two lists whose numbers differ by a tolerance usually have their items in the same order.
    """
    value = plain_number(value)
    if value is None:
        return 0, 0
    if isinstance(value, int | float):
        return (1, value) if value == value else (2, 0)
    if isinstance(value, str):
        return 3, value
    if depth < MAX_KEY_DEPTH and isinstance(value, list | tuple):
        return 4, [_key(item, depth + 1) for item in value]
    if depth < MAX_KEY_DEPTH and isinstance(value, dict):
        return 5, sorted((_key(name, depth + 1), _key(item, depth + 1)) for name, item in value.items())
    return 6, type(value).__name__


def _line_key(line: str) -> list[tuple[int, Any]]:
    """Return a key to sort lines and words by, which compares numbers by value."""
    return [_key(_number(word)) for word in line.split()]


def _number(word: str) -> float | str:
    try:
        return float(word)
    except ValueError:
        return word
