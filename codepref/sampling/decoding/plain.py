"""Generates answers in batches with Transformers' `generate`, for models that the decoding loop does not support."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from codepref.sampling.decoding.choose import choose, uniform
from codepref.sampling.decoding.loop import Finished
from codepref.sampling.decoding.prompts import Prompt
from codepref.sampling.engines.base import Decoding


def generate(
    model: Any,
    prompts: Iterator[Prompt],
    decoding: Decoding,
    *,
    stops: set[int],
    pad: int,
    slots: int,
    room: int | None,
    on_tokens: Callable[[int], None] = lambda number: None,
) -> Iterator[Finished]:
    """Yield the answers to prompts, which are padded on the left and generated in batches of up to `slots` answers.

    An answer's random numbers depend only on its seed, as in the decoding loop. Each answer of a batch has at
    most `room` tokens less those of the batch's longest prompt. pad: the token that pads. The other arguments are those
    of `DecodingLoop`.
    """
    waiting: list[tuple[int, int, list[int]]] = []
    for prompt in prompts:
        waiting += [(place, seed, prompt.tokens) for place, seed in zip(prompt.places, prompt.seeds, strict=True)]
        while len(waiting) >= slots:
            batch, waiting = waiting[:slots], waiting[slots:]
            yield from _batch(model, batch, decoding, stops, pad, room, on_tokens)
    if waiting:
        yield from _batch(model, waiting, decoding, stops, pad, room, on_tokens)


def _batch(
    model: Any,
    batch: list[tuple[int, int, list[int]]],
    decoding: Decoding,
    stops: set[int],
    pad: int,
    room: int | None,
    on_tokens: Callable[[int], None],
) -> list[Finished]:
    import torch
    from transformers import GenerationConfig, LogitsProcessorList

    width = max(len(tokens) for _, _, tokens in batch)
    input_BL = torch.tensor([[pad] * (width - len(tokens)) + tokens for _, _, tokens in batch])
    mask_BL = torch.tensor([[0] * (width - len(tokens)) + [1] * len(tokens) for _, _, tokens in batch])
    limit = decoding.max_new_tokens if room is None else min(decoding.max_new_tokens, room - width)
    # A checkpoint's generation_config.json can hold top_k, repetition penalties or a temperature. A score must depend
    # on the recipe alone, so nothing is taken from there.
    config = GenerationConfig(do_sample=False, max_new_tokens=limit, eos_token_id=sorted(stops), pad_token_id=pad)
    picker = _Picker(decoding, [seed for _, seed, _ in batch], width, on_tokens)
    with torch.inference_mode():
        out_BL = model.generate(
            input_ids=input_BL.to(model.device),
            attention_mask=mask_BL.to(model.device),
            generation_config=config,
            logits_processor=LogitsProcessorList([picker]),
        )
    finished: list[Finished] = []
    for (place, _, _), row in zip(batch, out_BL[:, width:].tolist(), strict=True):
        end = next((at for at, token in enumerate(row) if token in stops), None)
        finished.append((place, row[:end], end is not None))
    return finished


class _Picker:
    """A logits processor that chooses the next tokens and hides all others, so that greedy decoding takes them.

    At temperature 0 it hides no token.
    """

    def __init__(self, decoding: Decoding, seeds: list[int], width: int, on_tokens: Callable[[int], None]) -> None:
        import numpy as np

        self.decoding, self.width, self.on_tokens = decoding, width, on_tokens
        self.seeds_B = np.array(seeds, dtype=np.uint64)

    def __call__(self, input_BL: Any, logits_BV: Any) -> Any:
        import numpy as np
        import torch

        self.on_tokens(len(logits_BV))
        if self.decoding.temperature == 0:
            return logits_BV
        steps_B = np.full(len(self.seeds_B), input_BL.shape[1] - self.width, dtype=np.uint64)
        uniform_B = torch.from_numpy(uniform(self.seeds_B, steps_B)).to(logits_BV.device, torch.float32)
        token_B = choose(logits_BV.float(), self.decoding, uniform_B)
        return torch.full_like(logits_BV, -torch.inf).scatter(1, token_B[:, None], 0.0)
