"""The form in which the engine sends a task to a worker. It consists of plain data and holds the limits by name."""

from __future__ import annotations

import math
from typing import Any

from .decoder import Decoder
from .encoder import encoded


def stepped(seconds: float, smallest: float) -> float:
    """Return `seconds` rounded up to the next of the steps `smallest` times 1, 2, 4, 8 and so on.

    The time that a program takes varies from run to run. A limit that grows in steps with this time varies less often.
    """
    return smallest * 2.0 ** max(0, math.ceil(math.log2(max(seconds, smallest) / smallest)))


class Plan:
    """A task without its solutions.

    Attributes:
        helpers: Python text of the problem that runs before the tests.
        preamble: Python text of the problem that runs before the solution.
        entry_point: the name under which the solution defines what the problem asks for.
        tests: pairs of a kind and a source. For the kind "inputs" the source is a tuple of fields.
        limits: the limits by name (see `Limits.resolved`), with `max_cpu_seconds` and `reference_factor`.
        definitions: names that the problem's prompt, preamble or gold solution defines, each with "class" or "def".
    """

    __slots__ = ("definitions", "entry_point", "helpers", "limits", "preamble", "tests")

    def __init__(
        self,
        helpers: str,
        preamble: str,
        entry_point: str,
        tests: list[tuple[str, Any]],
        limits: dict[str, float],
        definitions: dict[str, str] | None = None,
    ) -> None:
        self.helpers, self.preamble, self.entry_point = helpers, preamble, entry_point
        self.tests, self.limits, self.definitions = tests, limits, definitions or {}

    def encode(self) -> bytes:
        """Return this plan as bytes that `decode` reads. Raises Unencodable if a part is not plain data."""
        parts = (self.helpers, self.preamble, self.entry_point, self.tests, self.limits, self.definitions)
        return encoded(parts)

    @classmethod
    def decode(cls, data: bytes) -> Plan:
        """Return the plan that `encode` turned into `data`."""
        return cls(*Decoder(data).value())
