"""A task in the form in which the engine sends it to a worker: plain data, with the limits by name."""

from __future__ import annotations

import math
from typing import Any

from .decoder import Decoder
from .encoder import encoded


def stepped(seconds: float, smallest: float) -> float:
    """Return `seconds` rounded up to the next of the steps `smallest` times 1, 2, 4, 8 and so on.

    The time that a program takes varies from run to run. A limit that is derived from it in steps varies less
    often.
    """
    return smallest * 2.0 ** max(0, math.ceil(math.log2(max(seconds, smallest) / smallest)))


class Plan:
    """One task, without its solutions.

    Attributes:
        helpers, preamble: Python text of the problem. The helpers run with the tests, and the preamble before the
        solution.
        entry_point: the name of the function that tests call.
        tests: (kind, source) pairs. For the kind "inputs" the source is a tuple of fields.
        limits: the limits by name (see `Limits.resolved`).
    """

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
        """Decode what `encode` returned."""
        return cls(*Decoder(data).value())
