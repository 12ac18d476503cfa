"""How long to wait before the next attempt. Pure."""

from __future__ import annotations

import random
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

FIRST, LONGEST = 0.5, 60.0
"""Seconds: before the first further attempt, and before any, unless the server asks for more."""


def delay(attempt: int, retry_after: float | None, generator: random.Random) -> float:
    """Seconds before attempt number `attempt` + 1 (the first is 0).

    Doubling, with half of it drawn at random so that many callers do not come back together. What the server asks for
    (`Retry-After`) is waited at least.
    """
    doubled = min(LONGEST, FIRST * 2.0 ** min(attempt, 30))
    waited = doubled * (0.5 + 0.5 * generator.random())
    return max(waited, retry_after or 0.0)


def asked_wait(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds that a server's headers ask to wait (RFC 9110, 10.2.3: seconds or a date), or None.

    headers: names in lower case. now: seconds since the epoch.
    """
    if (milliseconds := _number(headers.get("retry-after-ms"))) is not None:
        return milliseconds / 1000
    text = headers.get("retry-after")
    if text is None:
        return None
    if (seconds := _number(text)) is not None:
        return seconds
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except ValueError:
        return None


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text is not None else -1.0
    except ValueError:
        return None
    return value if 0 <= value < float("inf") else None
