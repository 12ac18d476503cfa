"""Encodes the prompts of asks, and joins neighbouring asks with the same prompt."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from codepref.records import Message
from codepref.sampling.engines.base import Ask, ask_seed

Encode = Callable[[Sequence[Message]], list[int]]
"""A function that returns the tokens of a prompt, with the generation prompt."""


@dataclass
class Prompt:
    """A prompt and the asks for its answers.

    Attributes:
    task_id: the task, for messages.
    tokens: the tokens of the prompt.
    places: the places of its asks in the sequence of all asks.
    seeds: the seed of each of these asks.
    """

    task_id: str
    tokens: list[int]
    places: list[int] = field(default_factory=list)
    seeds: list[int] = field(default_factory=list)


def encoded_prompts(asks: Sequence[Ask], encode: Encode, seed: int) -> Iterator[Prompt]:
    """Yield the prompts of `asks` in order. Neighbouring asks with equal messages share one prompt.

    A prompt is encoded only after the prompt before it was taken.
    """
    prompt: Prompt | None = None
    messages: Sequence[Message] | None = None
    for place in range(len(asks)):
        ask = asks[place]
        if prompt is None or ask.messages != messages:
            if prompt is not None:
                yield prompt
            messages = ask.messages
            prompt = Prompt(ask.task_id, encode(messages))
        prompt.places.append(place)
        prompt.seeds.append(ask_seed(ask, seed))
    if prompt is not None:
        yield prompt
