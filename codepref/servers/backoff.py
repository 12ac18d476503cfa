"""Computes how long to wait before the next attempt at a call. Pure."""

from __future__ import annotations

import random
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

FIRST_DELAY, MAX_DELAY = 0.5, 60.0
"""The longest delays after the first attempt and after any attempt, in seconds. A server can ask for a longer one."""


def delay(attempt: int, requested: float | None, generator: random.Random) -> float:
    """Return the seconds to wait after attempt number `attempt`. The first attempt has number 0.

    The delay doubles with each attempt up to MAX_DELAY. A random part of up to one half is left off, so that many
    callers do not return at the same time. It is at least `requested`, the delay that the server asked for.
    """
    doubled = min(MAX_DELAY, FIRST_DELAY * 2.0 ** min(attempt, 30))
    jittered = doubled * (0.5 + 0.5 * generator.random())
    return max(jittered, requested or 0.0)


def requested_delay(headers: Mapping[str, str], now: float) -> float | None:
    """Return the delay in seconds that a server asks for in its headers, or None if they hold no valid delay.

    Reads `retry-after-ms`, or else `retry-after` as a date (RFC 9110, 10.2.3) or as seconds. Of several numbers of
    seconds, the largest counts.
    headers: names in lower case. now: seconds since the epoch.
    """
    if (milliseconds := _number(headers.get("retry-after-ms"))) is not None:
        return milliseconds / 1000
    text = headers.get("retry-after")
    if text is None:
        return None
    # a proxy and the server behind it can each ask for a delay
    numbers = [_number(part.strip().removesuffix("s").strip()) for part in text.split(",")]
    if all(number is not None for number in numbers):
        return max(number for number in numbers if number is not None)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, TypeError, IndexError, OverflowError, OSError):
        return None


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text is not None else -1.0
    except ValueError:
        return None
    return value if 0 <= value < float("inf") else None
