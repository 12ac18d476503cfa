"""Rows that TRL can train on, made from pairs. The tokenizer is passed as a function. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from codepref.errors import UserError
from codepref.records import Message, Pair

Encode = Callable[[Sequence[Message], bool], Sequence[int]]
"""A function of messages and `add_generation_prompt` that returns token ids in the model's chat template."""


@dataclass(frozen=True)
class TrainingRows:
    """Rows for TRL.

    dropped: for each reason, how many pairs or answers were left out. A reason that ends with "(kept)" counts faults of
    rows that were kept. longest: the number of tokens of the longest row;
    for online methods, of the longest prompt and the longest possible answer. pairs: the number of pairs, single
    answers or problems in the rows. weights: for KTO, the weights of a wanted and an unwanted answer that balance the
    labels; 1 for other methods.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    dropped: dict[str, int] = field(default_factory=dict)
    longest: int = 0
    pairs: int = 0
    weights: tuple[float, float] = (1.0, 1.0)


def preference_rows(pairs: Iterable[Pair], encode: Encode, *, max_length: int, eos_id: int) -> TrainingRows:
    """Return the pairs as rows for DPO.

    A pair is dropped whole if its prompt and one of its answers together have more than `max_length` tokens. A cut
    answer would have no end token and would teach the model not to stop, and two answers that are cut to the same
    tokens would train nothing. A pair whose answers have the same tokens is dropped too. The result counts the dropped
    pairs. Raises UserError for the chat templates that `check_template` refuses.
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
    """Raise UserError for a chat template under which a model cannot be trained as it is sampled.

    Two kinds of templates are refused. One changes the tokens of a prompt when an answer follows. The other gives an
    answer no end-of-sequence token. prompt: the tokens of a prompt. whole: the tokens of the same prompt with an
    answer. eos_id: the id of the end-of-sequence token.
    """
    if whole[: len(prompt)] != prompt:
        raise UserError(
            "the chat template renders a prompt alone differently from the same prompt before an answer, so the model "
            "would be trained in another context than it is sampled in. Change the template so that the tokens before "
            "an answer are those of the generation prompt. A generation prompt should end with a special token."
        )
    if eos_id not in whole[len(prompt) :]:
        raise UserError(
            "the chat template puts no end-of-sequence token after an answer, so training would teach the "
            "model not to stop. Add eos_token at the end of the assistant's turn in the template."
        )
