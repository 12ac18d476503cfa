"""The decoding loop. It refills the slots of finished answers, and computes a prompt once for all its answers."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from codepref.sampling.decoding.choose import choose, uniform
from codepref.sampling.decoding.prompts import Prompt
from codepref.sampling.decoding.slots import Slots, round_up
from codepref.sampling.engines.base import Decoding

PREFILL_PROMPTS = 16
"""The largest number of prompts that are computed together."""
PREFILL_STEP = 16
"""Prompts are padded to a multiple of this number of tokens, for the reason that `slots.STEP` gives."""
PREFILL_TOKENS = 2048
"""The limit for prompts that are computed together: their number times the tokens of the longest one.

A prompt with more tokens than this is computed alone.
"""

Finished = tuple[int, list[int], bool]
"""A finished answer: the place of its ask, its tokens without the end token, and whether it ended by itself."""


@dataclass
class _Writing:
    """An answer that is being written, and the number of tokens that it may have."""

    place: int
    seed: int
    limit: int
    tokens: list[int] = field(default_factory=list)


@dataclass
class _Start:
    """A computed prompt, and its answers that still wait for a slot.

    layers: the keys and values of a batch of prompts. row: the prompt's row in the batch. length: the number of tokens
    of the prompt. logits_V: the logits of the first token of its answers.
    """

    layers: Any
    row: int
    length: int
    logits_V: Any
    waiting: deque[_Writing]


class DecodingLoop:
    """Writes the answers to prompts.

    model: a causal language model of Transformers in evaluation mode. stops: the tokens that end an answer. slots: the
    largest number of answers that are written at once. room: the model's context in tokens, or None if it is unknown.
    windows: see `Slots`. on_tokens: called with the number of tokens that were written since its last call.
    """

    def __init__(
        self,
        model: Any,
        decoding: Decoding,
        *,
        stops: set[int],
        slots: int,
        room: int | None,
        windows: dict[str, int | None],
        on_tokens: Callable[[int], None] = lambda number: None,
    ) -> None:
        self.model, self.decoding, self.stops, self.wanted = model, decoding, stops, slots
        self.room, self.windows, self.on_tokens = room, windows, on_tokens
        self._starts: deque[_Start] = deque()
        self._slots: Slots | None = None
        self._writing: list[_Writing] = []
        self._holes: list[int] = []  # active slots whose answer is finished
        self._tokens_S: Any = None
        self._finished: list[Finished] = []
        self._more = True
        self._held: Prompt | None = None

    def run(self, prompts: Iterator[Prompt]) -> Iterator[Finished]:
        """Yield each answer when it is finished. The prompts are taken as they are needed."""
        import torch

        while True:
            with torch.inference_mode():  # the caller's code between two answers must not run in this mode
                going = self._advance(prompts)
                finished, self._finished = self._finished, []
            yield from finished
            if not going:
                return

    def _advance(self, prompts: Iterator[Prompt]) -> bool:
        """Refill the free slots and write one token of each answer. Return whether there was an answer to write."""
        while self._free() and (self._starts or self._more):
            if self._starts:
                self._fill()
            elif batch := self._next_batch(prompts):
                self._prefill(batch)
        self._close_holes()
        if self._writing:
            self._step()
        return bool(self._writing)

    def _free(self) -> int:
        """Return the number of free slots."""
        return self.wanted - len(self._writing) + len(self._holes)

    def _limit(self, length: int) -> int:
        most = self.decoding.max_new_tokens
        return most if self.room is None else min(most, self.room - length)

    def _prefill(self, prompts: list[Prompt]) -> None:
        """Compute prompts, which are padded on the right, so that no token sees the padding."""
        import torch
        from transformers.cache_utils import DynamicCache

        lengths = [len(prompt.tokens) for prompt in prompts]
        # a prompt's numbers should not depend on the other prompts, so there are never fewer than four rows
        padded = torch.zeros(max(4, len(prompts)), round_up(max(lengths), PREFILL_STEP), dtype=torch.long)
        for row, prompt in enumerate(prompts):
            padded[row, : lengths[row]] = torch.tensor(prompt.tokens)
        ends = sorted({length - 1 for length in lengths})
        device = self.model.device
        cache = DynamicCache()
        out = self.model(
            input_ids=padded.to(device),
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=torch.tensor(ends, device=device),
        )
        for row, prompt in enumerate(prompts):
            limit = self._limit(lengths[row])
            waiting = deque(
                _Writing(place, seed, limit) for place, seed in zip(prompt.places, prompt.seeds, strict=True)
            )
            logits_V = out.logits[row, ends.index(lengths[row] - 1)].float()
            self._starts.append(_Start(cache.layers, row, lengths[row], logits_V, waiting))

    def _fill(self) -> None:
        """Choose the first tokens of waiting answers to the first prompt, and give free slots to these answers."""

        start = self._starts[0]
        taken = [start.waiting.popleft() for _ in range(min(self._free(), len(start.waiting)))]
        if not start.waiting:
            self._starts.popleft()
        tokens = self._choose(start.logits_V.expand(len(taken), -1), taken).tolist()
        for answer, token in zip(taken, tokens, strict=True):
            if self._is_finished(answer, token):
                continue
            slots = self._with_room(start, start.length + answer.limit)
            if self._holes:
                slot = self._holes.pop()
                self._writing[slot] = answer
            else:
                slot, slots.active = slots.active, slots.active + 1
                self._writing.append(answer)
            slots.put(slot, start.layers, start.row, start.length)
            self._tokens_S[slot] = token
        self.on_tokens(len(taken))

    def _with_room(self, start: _Start, capacity: int) -> Slots:
        """Return slots that can hold `capacity` tokens each. New slots are allocated if the old ones are too short."""
        import torch

        old = self._slots
        if old is not None and old.capacity > capacity:
            return old
        new = Slots(start.layers, self.wanted, capacity, self.windows)
        if old is None:
            self._tokens_S = torch.zeros(new.count, dtype=torch.long, device=new.device)
        else:
            for slot in range(old.active):
                new.put(slot, old.layers, slot, old.lengths[slot])
            new.active = old.active
        self._slots = new
        return new

    def _step(self) -> None:
        """Write one token of each active answer, and free the slots of those that are finished."""

        slots = self._slots
        assert slots is not None
        mask, positions_R1 = slots.begin_step()
        out = self.model(
            input_ids=self._tokens_S[: slots.rows, None],
            attention_mask=mask,
            position_ids=positions_R1,
            past_key_values=slots.cache,
            use_cache=True,
            logits_to_keep=1,
        )
        slots.end_step()
        tokens_A = self._choose(out.logits[: slots.active, -1].float(), self._writing)
        self._tokens_S[: slots.active] = tokens_A
        tokens = tokens_A.tolist()
        self.on_tokens(len(tokens))
        self._holes = [
            slot
            for slot, (answer, token) in enumerate(zip(self._writing, tokens, strict=True))
            if self._is_finished(answer, token)
        ]

    def _choose(self, logits_AV: Any, answers: list[_Writing]) -> Any:
        import numpy as np
        import torch

        if self.decoding.temperature == 0:
            return choose(logits_AV, self.decoding, None)
        seeds_A = np.array([answer.seed for answer in answers], dtype=np.uint64)
        steps_A = np.array([len(answer.tokens) for answer in answers], dtype=np.uint64)
        uniform_A = torch.from_numpy(uniform(seeds_A, steps_A)).to(logits_AV.device, torch.float32)
        return choose(logits_AV, self.decoding, uniform_A)

    def _is_finished(self, answer: _Writing, token: int) -> bool:
        """Add a token to an answer, unless it is an end token. Return whether the answer is finished."""
        ended = token in self.stops
        if not ended:
            answer.tokens.append(token)
        if ended or len(answer.tokens) >= answer.limit:
            self._finished.append((answer.place, answer.tokens, ended))
            return True
        return False

    def _close_holes(self) -> None:
        """Move the last active slots over those of finished answers, so that the active slots are the first ones."""
        slots = self._slots
        for slot in sorted(self._holes, reverse=True):
            assert slots is not None
            last = slots.active - 1
            if slot != last:
                slots.move(last, slot)
                self._tokens_S[slot] = self._tokens_S[last]
                self._writing[slot] = self._writing[last]
            self._writing.pop()
            slots.active -= 1
        self._holes = []

    def _next_batch(self, prompts: Iterator[Prompt]) -> list[Prompt]:
        """Return the next prompts to compute together, or [] if there are no more."""
        batch: list[Prompt] = []
        longest = 0
        while len(batch) < PREFILL_PROMPTS:
            prompt, self._held = self._held or next(prompts, None), None
            if prompt is None:
                self._more = False
                break
            longest = max(longest, len(prompt.tokens))
            if batch and longest * (len(batch) + 1) > PREFILL_TOKENS:
                self._held = prompt
                break
            batch.append(prompt)
        return batch
