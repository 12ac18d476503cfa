"""A task as the engine sends it to a worker: plain data, with the limits by name."""

from __future__ import annotations

import math
from typing import Any

from .decoder import Decoder
from .encoder import encoded


def stepped(seconds: float, smallest: float) -> float:
    """`seconds` rounded up to `smallest` times 1, 2, 4, 8 and so on.

    The time that a program takes varies from run to run. A limit that follows from it in steps hardly ever varies, so
    verdicts do not either.
    """
    return smallest * 2.0 ** max(0, math.ceil(math.log2(max(seconds, smallest) / smallest)))


class Plan:
    """One task. tests: (kind, source) pairs. For some kinds the source is parsed already and is a tuple of fields."""

    __slots__ = ("entry_point", "helpers", "limits", "preamble", "tests")

    def __init__(
        self, helpers: str, preamble: str, entry_point: str, tests: list[tuple[str, Any]], limits: dict[str, float]
    ) -> None:
        self.helpers, self.preamble, self.entry_point = helpers, preamble, entry_point
        self.tests, self.limits = tests, limits

    def encode(self) -> bytes:
        """Encode this plan for `decode`. Raises Unencodable."""
        parts = (self.helpers, self.preamble, self.entry_point, self.tests, self.limits)
        return encoded(parts)

    @classmethod
    def decode(cls, data: bytes) -> Plan:
        """The inverse of `encode`."""
        return cls(*Decoder(data).value())
