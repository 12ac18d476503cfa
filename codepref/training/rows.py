"""Pairs -> rows that can be trained on. What needs a tokenizer takes it as a function. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from codepref.errors import UserError
from codepref.records import Message, Pair

SUPERVISED = ("sft", "rft")
"""Methods that learn from wanted answers alone."""

Encode = Callable[[Sequence[Message], bool], Sequence[int]]
"""(messages, add_generation_prompt) -> token ids by the model's chat template."""


@dataclass(frozen=True)
class TrainingRows:
    """Rows for TRL, why other pairs were dropped, and the longest row in tokens.

    pairs: how many pairs (or single answers) they are. weights: of wanted and unwanted answers, for methods that take
    single ones.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    dropped: dict[str, int] = field(default_factory=dict)
    longest: int = 0
    pairs: int = 0
    weights: tuple[float, float] = (1.0, 1.0)


def preference_rows(pairs: Iterable[Pair], encode: Encode, *, max_length: int, eos_id: int) -> TrainingRows:
    """Rows for DPO, with the traps of truncation and templates kept out.

    A pair longer than `max_length` tokens on either side is dropped whole: cut at its end it would lose its EOS and
    teach the model not to stop, and two answers cut to the same tokens would train nothing. Pairs whose two sides are
    the same tokens are dropped as well. Both are counted.
    Raises UserError when the chat template renders a prompt alone differently from the same prompt before an answer
    (the model would train on another context than it is sampled in), or does not end an answer with EOS.
    """
    rows: list[dict[str, Any]] = []
    dropped: Counter[str] = Counter()
    longest = 0
    for pair in pairs:
        prompt = list(encode(pair.prompt, True))
        chosen = list(encode([*pair.prompt, *pair.chosen], False))
        rejected = list(encode([*pair.prompt, *pair.rejected], False))
        for side in (chosen, rejected):
            check_template(prompt, side, eos_id)
        if chosen == rejected:
            dropped["chosen and rejected are the same tokens"] += 1
        elif max(len(chosen), len(rejected)) > max_length:
            dropped[f"longer than training.max_length = {max_length} tokens"] += 1
        else:
            longest = max(longest, len(chosen), len(rejected))
            rows.append({name: list(getattr(pair, name)) for name in ("prompt", "chosen", "rejected")})
    return TrainingRows(rows, dict(dropped), longest, len(rows))


def check_template(prompt: list[int], whole: list[int], eos_id: int) -> None:
    """Raise UserError where a chat template makes training see another context than sampling, or no end."""
    if whole[: len(prompt)] != prompt:
        raise UserError(
            "the chat template renders a prompt alone differently from the same prompt before an answer, so training "
            "would see another context than sampling. End the generation prompt on a token of its own (a special "
            "token, or one that does not merge with the answer's first)."
        )
    if eos_id not in whole[len(prompt) :]:
        raise UserError(
            "the chat template does not end an answer with the end-of-sequence token, so training would teach the "
            "model not to stop. Add eos_token at the end of the assistant's turn in the template."
        )


def learning_rate_default(lora_rank: int, method: str = "dpo") -> float:
    """5e-7 for full training, 5e-6 for LoRA; 1e-5 and 2e-4 for supervised fine-tuning; 1e-6 and 2e-5 online.

    Full DPO of 7B code models is published between 5e-7 and 5e-6, and DPO at an SFT rate of 2e-4 wrecked one
    (HumanEval 71 to 53). The low end is the safe default; a recipe that knows better says so. 2e-4 for supervised
    LoRA is CodeUltraFeedback's; 1e-5 is the usual rate of full fine-tuning, and 1e-6 is TRL's default
    for GRPO and RLOO.
    """
    if method in ("grpo", "rloo"):
        return 2e-5 if lora_rank else 1e-6
    if method in SUPERVISED:
        return 2e-4 if lora_rank else 1e-5
    return 5e-6 if lora_rank else 5e-7
