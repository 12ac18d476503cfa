"""A task as the engine sends it: plain data, and the limits by name."""

from __future__ import annotations

import math
from typing import Any

from .codec import Malformed, encoded
from .decoder import Decoder


def stepped(seconds: float, least: float) -> float:
    """`seconds` rounded up to the least, twice, four times the least and so on. What another program took varies from
    run to run; a limit that follows from it in steps varies hardly ever, and verdicts with it.
    """
    return least * 2.0 ** max(0, math.ceil(math.log2(max(seconds, least) / least)))


class Plan:
    """One task. tests: (kind, source) pairs; a test of kind "inputs" has its six fields in place of the source."""

    __slots__ = ("entry_point", "helpers", "limits", "preamble", "tests")

    def __init__(
        self, helpers: str, preamble: str, entry_point: str, tests: list[tuple[str, Any]], limits: dict[str, float]
    ) -> None:
        self.helpers, self.preamble, self.entry_point = helpers, preamble, entry_point
        self.tests, self.limits = tests, limits

    def encode(self) -> bytes:
        """As bytes that `decode` takes."""
        parts = (self.helpers, self.preamble, self.entry_point, self.tests, self.limits)
        return encoded(parts)

    @classmethod
    def decode(cls, data: bytes) -> Plan:
        """The inverse of `encode`."""
        return cls(*Decoder(data).value())


class InputsPlan:
    """The fields of a test of kind "inputs", and what its reference gave once it was asked.

    batches: number of calls, the request, the reference's answer, and whether an answer of the same bytes is right.
    Both stay bytes: most answers are compared as such, and a zygote that holds no objects forks faster.
    """

    __slots__ = (
        "arguments",
        "atol",
        "batches",
        "compare",
        "entry_point",
        "failure",
        "inputs",
        "oracle",
        "reference",
        "seconds",
    )

    def __init__(self, entry_point: str, inputs: str, reference: str, atol: float, compare: str, oracle: str) -> None:
        self.entry_point, self.inputs, self.reference = entry_point, inputs, reference
        self.atol, self.compare, self.oracle = atol, compare, oracle
        self.arguments: list[list[Any]] = []
        self.batches: list[tuple[int, bytes, bytes, bool]] = []
        self.failure = "the reference was not run"
        self.seconds = 0.0

    def take(self, told: bytes) -> None:
        """Take in what the reference gave (`expected.produce`). Raises Malformed."""
        try:
            self.batches, self.arguments, self.seconds = Decoder(told).value()
        except (ValueError, TypeError) as error:
            raise Malformed(str(error)) from None
        self.failure = ""
