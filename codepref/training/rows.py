"""Pairs -> rows that TRL can train on. The tokenizer comes in as a function. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from codepref.errors import UserError
from codepref.records import Message, Pair

Encode = Callable[[Sequence[Message], bool], Sequence[int]]
"""(messages, add_generation_prompt) -> token ids in the model's chat template."""


@dataclass(frozen=True)
class TrainingRows:
    """Rows for TRL.

    dropped: reason -> pairs or answers that were left out. longest: tokens of the longest row. pairs: how many pairs,
    or single answers, the rows hold. weights: of a wanted and an unwanted answer, for methods that take single answers.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    dropped: dict[str, int] = field(default_factory=dict)
    longest: int = 0
    pairs: int = 0
    weights: tuple[float, float] = (1.0, 1.0)


def preference_rows(pairs: Iterable[Pair], encode: Encode, *, max_length: int, eos_id: int) -> TrainingRows:
    """Rows for DPO, without the traps of truncation and chat templates.

    A pair with an answer that is longer than `max_length` tokens, prompt included, is dropped whole. A cut answer has
    no end token and teaches the model not to stop, and two answers that are cut to the same tokens train nothing. A
    pair whose two answers are the same tokens is dropped too. Both are counted. Raises UserError for the chat templates
    that `check_template` refuses.
    """
    rows: list[dict[str, Any]] = []
    dropped: Counter[str] = Counter()
    longest = 0
    for pair in pairs:
        prompt = list(encode(pair.prompt, True))
        chosen = list(encode([*pair.prompt, *pair.chosen], False))
        rejected = list(encode([*pair.prompt, *pair.rejected], False))
        for whole in (chosen, rejected):
            check_template(prompt, whole, eos_id)
        if chosen == rejected:
            dropped["chosen and rejected are the same tokens"] += 1
        elif max(len(chosen), len(rejected)) > max_length:
            dropped[f"longer than training.max_length = {max_length} tokens"] += 1
        else:
            longest = max(longest, len(chosen), len(rejected))
            rows.append({name: list(getattr(pair, name)) for name in ("prompt", "chosen", "rejected")})
    return TrainingRows(rows, dict(dropped), longest, len(rows))


def check_template(prompt: list[int], whole: list[int], eos_id: int) -> None:
    """Raise UserError for a chat template that changes the prompt when an answer follows, or ends no answer with EOS.

    prompt: the tokens of a prompt alone. whole: the tokens of the same prompt and an answer.
    """
    if whole[: len(prompt)] != prompt:
        raise UserError(
            "the chat template renders a prompt alone differently from the same prompt before an answer, so the model "
            "would be trained on another context than it is sampled in. End the generation prompt with a token of its "
            "own (a special token, or one that does not merge with the answer's first token)."
        )
    if eos_id not in whole[len(prompt) :]:
        raise UserError(
            "the chat template does not end an answer with the end-of-sequence token, so training would teach the "
            "model not to stop. Add eos_token at the end of the assistant's turn in the template."
        )
