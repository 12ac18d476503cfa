"""The interface of engines, and the records that the sampler exchanges with them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast, runtime_checkable

from codepref.errors import UserError
from codepref.records import Message
from codepref.storage.hashing import content_hash
from codepref.storage.progress import NodeProgress


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
    """Raw model text.

    Attributes:
    text: the answer.
    finished: False if the model did not end the text itself, for example because of a token limit or a filter.
    reasoning: the text in which the model thinks, if it is known apart from the answer.
    refusal: why there is no answer, if a server refuses to answer this prompt, or "". The sampler gives no row for it.
    """

    text: str
    finished: bool = True
    reasoning: str = ""
    refusal: str = ""


@dataclass(frozen=True, slots=True)
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
    """A model that answers chat prompts. Opening it should be cheap: weights should be loaded at the first answer.

    An engine may also have the methods of `Preparable`, `DecodingAware`, `OnNodes` and `Summarising`.
    """

    @property
    def fingerprint(self) -> str:
        """A text that should change when answers could change. `sample` reuses saved answers only if it is the same."""
        ...

    def prompt_length(self, messages: Sequence[Message]) -> int:
        """Return the length of the prompt in tokens or characters, by which the sampler sorts prompts."""
        ...

    def answers(self, asks: Sequence[Ask], decoding: Decoding, seed: int) -> Iterator[tuple[int, Answer]]:
        """Yield (place in `asks`, answer) as soon as an answer is finished, in any order.

        Each place is yielded once. An answer should depend only on its own ask, on `decoding` and on `seed`, and not on
        the other asks, since a continued call asks only for the answers that are missing. `ask_seed` gives such seeds.
        Asks with the same messages usually stand together. `asks` may make its elements when they are read.
        """
        ...


class BatchEngine(Protocol):
    """An engine with the method `answer` in place of `answers`. Packages can still have such engines."""

    @property
    def fingerprint(self) -> str:
        """As that of `Engine`."""
        ...

    def prompt_length(self, messages: Sequence[Message]) -> int:
        """As that of `Engine`."""
        ...

    def answer(self, asks: Sequence[Ask], decoding: Decoding, seed: int) -> list[Answer]:
        """Return one answer for each ask, in order. The same arguments should give the same answers."""
        ...


@runtime_checkable
class Preparable(Protocol):
    """An engine that takes the settings of each call of the sampler."""

    def prepare(self, *, batch_size: int, folder: Path | None, on_tokens: Callable[[int], None]) -> None:
        """Take the settings. The sampler calls this before each call of `answers`.

        batch_size: the largest number of answers that are computed at once. folder: where the engine may keep files, or
        None. The sampler never removes it, and a continued call gets the same folder. on_tokens: to be called now and
        then with the number of tokens that were generated since its last call.
        """
        ...


@runtime_checkable
class DecodingAware(Protocol):
    """An engine whose summary depends on the decoding.

    The sampler calls `take_decoding` before `answers`. If an interrupted call left all answers but no output file, the
    sampler calls `take_decoding` and `summary` without `answers`.
    """

    def take_decoding(self, decoding: Decoding) -> None:
        """Take the decoding of a call of the sampler."""
        ...


@runtime_checkable
class OnNodes(Protocol):
    """An engine whose answers several nodes or processes compute."""

    def nodes(self) -> Mapping[str, NodeProgress]:
        """Return the nodes or processes by name, with the number of their answers so far."""
        ...


@runtime_checkable
class Summarising(Protocol):
    """An engine that states facts about its answers, such as their costs."""

    def summary(self) -> dict[str, Any]:
        """Return the facts as JSON values. The sampler writes them to a file beside its output file, if it has one."""
        ...


def ask_seed(ask: Ask, seed: int) -> int:
    """Return the seed of one answer, from 0 to 2^31 - 1.

    It depends on the task, the kind, the number of the answer and `seed`, and not on the model or on other asks. Two
    models therefore draw their answers to a problem with the same seeds, which makes a comparison of them more precise.
    """
    return int(content_hash(seed, ask.task_id, ask.kind, ask.sample), 16) & 0x7FFFFFFF


class _Batches:
    """Gives a BatchEngine the method `answers`. The seed of a batch depends on its asks and on the seed of the call."""

    def __init__(self, engine: BatchEngine) -> None:
        self.engine, self.batch_size = engine, 128

    @property
    def fingerprint(self) -> str:
        return self.engine.fingerprint

    def prompt_length(self, messages: Sequence[Message]) -> int:
        return self.engine.prompt_length(messages)

    def prepare(self, *, batch_size: int, folder: Path | None, on_tokens: Callable[[int], None]) -> None:
        self.batch_size = batch_size

    def answers(self, asks: Sequence[Ask], decoding: Decoding, seed: int) -> Iterator[tuple[int, Answer]]:
        for start in range(0, len(asks), self.batch_size):
            batch = [asks[place] for place in range(start, min(start + self.batch_size, len(asks)))]
            key = content_hash([[ask.task_id, ask.kind, ask.sample, list(ask.messages)] for ask in batch], seed)
            yield from enumerate(self.engine.answer(batch, decoding, int(key[:8], 16)), start)


def as_engine(engine: Engine | BatchEngine) -> Engine:
    """Return an engine that has the method `answers`: `engine` itself, or an adapter around a BatchEngine."""
    return cast(Engine, engine) if hasattr(engine, "answers") else _Batches(engine)


class EngineOpener(Protocol):
    """An entry of the table of engines: the function or class that opens an engine."""

    def __call__(self, model: str, *, dtype: str, device: str) -> Engine | BatchEngine:
        """Open the engine for `model`, the text after the engine's name in `NAME:MODEL`.

        dtype, device: the recipe's `model.dtype` and `model.device`. An engine without weights can ignore them.
        Raises UserError if there is no such model.
        """
        ...
