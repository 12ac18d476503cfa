"""The interface of engines, and the records that the sampler exchanges with them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from codepref.errors import UserError
from codepref.records import Message


@dataclass(frozen=True)
class Decoding:
    """How answers are drawn. A temperature of 0 means greedy decoding, which ignores top_p."""

    temperature: float = 0.8
    top_p: float = 0.95
    max_new_tokens: int = 512

    def __post_init__(self) -> None:
        """Raise UserError for values out of range."""
        wrong = [
            f"{name} must be {need}, not {value!r}"
            for name, value, fine, need in (
                ("temperature", self.temperature, 0 <= self.temperature < math.inf, "finite and not negative"),
                ("top_p", self.top_p, 0 < self.top_p <= 1, "above 0 and at most 1"),
                ("max_new_tokens", self.max_new_tokens, self.max_new_tokens >= 1, "at least 1"),
            )
            if not fine
        ]
        if wrong:
            raise UserError(*wrong)


@dataclass(frozen=True)
class Answer:
    """Raw model text. `finished` is False if a token limit cut the text off."""

    text: str
    finished: bool = True


@dataclass(frozen=True)
class Ask:
    """A request for one answer.

    Attributes:
    task_id: the task of the problem, or the key of a request to a pool.
    kind: "solutions" or "tests".
    sample: the number of the answer among the answers for this task and kind, from 0.
    messages: the chat prompt.
    """

    task_id: str
    kind: str
    sample: int
    messages: Sequence[Message]


class Engine(Protocol):
    """A model that answers chat prompts. Opening it should be cheap: weights should be loaded at the first answer."""

    @property
    def fingerprint(self) -> str:
        """A text that should change when answers could change. `sample` keeps saved answers only if it did not."""
        ...

    def prompt_length(self, messages: Sequence[Message]) -> int:
        """Return the length of the prompt in tokens or characters, by which the sampler sorts prompts into batches."""
        ...

    def answer(self, asks: Sequence[Ask], decoding: Decoding, seed: int) -> list[Answer]:
        """Return one answer for each ask, in order. The same arguments should give the same answers."""
        ...


class EngineOpener(Protocol):
    """An entry of the table of engines: the function or class that opens an engine."""

    def __call__(self, model: str, *, dtype: str, device: str) -> Engine:
        """Open the engine for `model`, the text after the engine's name in `NAME:MODEL`.

        dtype, device: the recipe's `model.dtype` and `model.device`. An engine without weights can ignore them.
        Raises UserError if there is no such model.
        """
        ...
