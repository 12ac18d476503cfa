"""What the sampler needs of an engine, and what it passes to one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from codepref.errors import UserError
from codepref.records import Message


@dataclass(frozen=True)
class Decoding:
    """How answers are drawn. temperature 0 is greedy decoding, which ignores top_p."""

    temperature: float = 0.8
    top_p: float = 0.95
    max_new_tokens: int = 512

    def __post_init__(self) -> None:
        """Raises UserError for values out of range."""
        wrong = [
            f"{name} must be {need}, not {value!r}"
            for name, value, fine, need in (
                ("temperature", self.temperature, 0 <= self.temperature < math.inf, "0 or above"),
                ("top_p", self.top_p, 0 < self.top_p <= 1, "above 0 and at most 1"),
                ("max_new_tokens", self.max_new_tokens, self.max_new_tokens >= 1, "at least 1"),
            )
            if not fine
        ]
        if wrong:
            raise UserError(*wrong)


@dataclass(frozen=True)
class Answer:
    """Raw model text. `finished` is False if the text was cut at max_new_tokens."""

    text: str
    finished: bool = True


@dataclass(frozen=True)
class Ask:
    """A request for one answer.

    kind: "solutions" or "tests". sample: the number of the answer among those of this task and kind, from 0.
    """

    task_id: str
    kind: str
    sample: int
    messages: Sequence[Message]


class Engine(Protocol):
    """A model that answers chat prompts. Opening one is cheap: it loads weights at its first answer."""

    @property
    def fingerprint(self) -> str:
        """A text that changes when the model's answers could change. Finished answers are kept under it."""
        ...

    def prompt_length(self, messages: Sequence[Message]) -> int:
        """The length of the prompt in tokens or characters. Prompts of similar length share a batch."""
        ...

    def answer(self, asks: Sequence[Ask], decoding: Decoding, seed: int) -> list[Answer]:
        """One answer per ask, in order. The same arguments give the same answers."""
        ...


class EngineOpener(Protocol):
    """An entry of the table of engines: the function or class that opens an engine."""

    def __call__(self, model: str, *, dtype: str, device: str) -> Engine:
        """Open the engine for `model`, the text after the engine's name in `NAME:MODEL`.

        dtype, device: the recipe's `model.dtype` and `model.device`; an engine without weights ignores them.
        Raises UserError if there is no such model.
        """
        ...
