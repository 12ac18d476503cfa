"""Checks whether the decoding loop gives nearly the same logits as the model gives without a cache."""

from __future__ import annotations

from typing import Any

from codepref.sampling.decoding.loop import DecodingLoop
from codepref.sampling.decoding.prompts import Prompt
from codepref.sampling.engines.base import Decoding

STEPS = 3
TOLERANCE = {"float32": 1e-3, "float16": 0.05, "bfloat16": 0.1}
"""The largest difference of logits, as a share of the largest logit of the same token, by the type of the weights."""


def windows(config: Any) -> dict[str, int | None] | None:
    """Return the sliding window in tokens of each kind of attention layer, with None for a kind that reads all tokens.

    config: the configuration of the language model. Returns None for a model with layers of another kind, such as
    linear attention, or with sliding layers whose window is not known.
    """
    window = getattr(config, "sliding_window", None)
    known = {"full_attention": None, "sliding_attention": window}
    kinds = getattr(config, "layer_types", None)
    if kinds is None:
        uses = window is not None and getattr(config, "use_sliding_window", True)
        return {"sliding_attention": window} if uses else {"full_attention": None}
    if not set(kinds) <= set(known) or ("sliding_attention" in kinds and window is None):
        return None
    return {kind: known[kind] for kind in dict.fromkeys(kinds)}


def is_supported(model: Any, tokens: list[int]) -> bool:
    """Return whether the decoding loop works with a model.

    The loop writes answers of a few tokens to two prompts, `tokens` and about its first half. The logits are compared
    with those of the model without a cache. They should differ, or an error should be raised, if the model's cache,
    positions or masks are of a kind that the loop does not know. Raises torch.OutOfMemoryError if GPU memory runs out.
    """
    import torch

    layers = windows(model.config.get_text_config())
    if layers is None:
        return False
    prompts = [Prompt("", tokens, [0], [0]), Prompt("", tokens[: len(tokens) // 2 + 1], [1], [0])]
    loop = _Recording(model, Decoding(0, 1, STEPS + 1), stops=set(), slots=2, room=None, windows=layers)
    try:
        answers = {place: written for place, written, _ in loop.run(iter(prompts))}
        with torch.inference_mode():
            for place, prompt in enumerate(prompts):
                whole = torch.tensor([prompt.tokens + answers[place]], device=model.device)
                start = len(prompt.tokens)
                wanted_LV = model(input_ids=whole).logits[0, start - 1 : start + STEPS].float()
                found_LV = torch.stack(loop.logits[place])
                difference = (wanted_LV - found_LV).abs().amax(-1) / wanted_LV.abs().amax(-1).clamp(min=1e-6)
                if not bool((difference <= TOLERANCE.get(str(model.dtype).removeprefix("torch."), 0.1)).all()):
                    return False
    except torch.OutOfMemoryError:
        raise
    except (ArithmeticError, AttributeError, LookupError, NotImplementedError, RuntimeError, TypeError, ValueError):
        return False
    return True


class _Recording(DecodingLoop):
    """A decoding loop that keeps the logits of each answer, by its place."""

    def _choose(self, logits_AV: Any, answers: Any) -> Any:
        if not hasattr(self, "logits"):
            self.logits: dict[int, list[Any]] = {0: [], 1: []}
        for row, answer in enumerate(answers):
            self.logits[answer.place].append(logits_AV[row].clone())
        return super()._choose(logits_AV, answers)
