"""Engines turn chat prompts into raw model text. A new one is one file and one line in `open_engine`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from codepref.errors import UserError
from codepref.records import Message


@dataclass(frozen=True)
class Decoding:
    """How answers are drawn. temperature 0 is greedy decoding; then top_p plays no part."""

    temperature: float = 0.8
    top_p: float = 0.95
    max_new_tokens: int = 512

    def __post_init__(self) -> None:
        """Raises UserError for values that no decoding has."""
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
    """Raw model text. `finished` is False when the text was cut at max_new_tokens."""

    text: str
    finished: bool = True


@dataclass(frozen=True)
class Ask:
    """One answer wanted: the `sample`-th for this task, of this kind ("solutions" or "tests")."""

    task_id: str
    kind: str
    sample: int
    messages: Sequence[Message]


class Engine(Protocol):
    """What the sampler needs of a model."""

    @property
    def fingerprint(self) -> str:
        """Changes when the model's answers could: part of the key under which finished answers are kept."""
        ...

    def prompt_length(self, messages: Sequence[Message]) -> int:
        """The prompt's length in tokens (or characters): prompts of like length are answered together."""
        ...

    def answer(self, asks: Sequence[Ask], decoding: Decoding, seed: int) -> list[Answer]:
        """One answer an ask, in order. The same arguments give the same answers."""
        ...


def model_fingerprint(model: str) -> str:
    """The fingerprint of a model by its name, without loading it. Raises UserError when it cannot be found."""
    if model.startswith("scripted:"):
        return open_engine(model).fingerprint
    from codepref.models import fingerprint

    return fingerprint(model)


def open_engine(model: str, *, dtype: str = "auto", device: str = "auto") -> Engine:
    """The engine for a model's name: `scripted:FILE`, or what Transformers can load (a folder or a hub name)."""
    if model.startswith("scripted:"):
        from codepref.sampling.engines.scripted import ScriptedEngine

        return ScriptedEngine.from_file(Path(model.removeprefix("scripted:")))
    from codepref.sampling.engines.transformers import TransformersEngine

    return TransformersEngine(model, dtype=dtype, device=device)
