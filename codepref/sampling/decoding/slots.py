"""The cache of keys and values of the answers that are being written. Each of these answers has one slot."""

from __future__ import annotations

import math
from typing import Any

STEP = 16
"""The number of cached tokens that attention reads is a multiple of this.

The length of the other answers decides how many tokens attention reads. With such multiples, sums over keys should add
the same terms in the same groups, so that an answer's numbers do not depend on its neighbours.
"""
ROWS = (4, 8, 16)
"""The numbers of rows that a step computes, up to 16. Above that they are multiples of 16.

A few fixed numbers need only a few prepared kernels. With fewer than 4 rows, the processor's libraries can use other
kernels, which round sums differently.
"""


def round_up(number: int, step: int) -> int:
    """Return the least multiple of `step` that is at least `number`."""
    return -(-number // step) * step


def rows_for(active: int) -> int:
    """Return the number of rows to compute for a number of active slots."""
    return next((rows for rows in ROWS if rows >= active), round_up(active, ROWS[-1]))


class SlotLayer:
    """The keys and values of one layer of the model, in the form that Transformers' `Cache` expects.

    keys_SHCD, values_SHCD: slots x heads x capacity in tokens x size of a head.
    """

    is_sliding = False
    is_compileable = False
    is_croppable = False
    is_initialized = True
    supports_early_init = True

    def __init__(self, slots: Slots, keys_SHCD: Any, values_SHCD: Any) -> None:
        self.slots, self.keys, self.values = slots, keys_SHCD, values_SHCD

    def update(self, keys_RH1D: Any, values_RH1D: Any, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        """Write the keys and values of the new token of each row. Return those that attention reads."""
        at = self.slots
        self.keys[at.index_R, :, at.length_R] = keys_RH1D[:, :, 0]
        self.values[at.index_R, :, at.length_R] = values_RH1D[:, :, 0]
        return self.keys[: at.rows, :, : at.width], self.values[: at.rows, :, : at.width]

    def get_seq_length(self) -> int:
        """Return one less than the number of keys that attention reads. No row has more cached tokens than that."""
        return self.slots.width - 1

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Return the number of keys that attention reads, and the position of the first key."""
        return self.slots.width, 0

    def get_max_length(self) -> int:
        """Return the capacity in tokens."""
        return int(self.keys.shape[2])


class Slots:
    """Slots of one cache. The active slots are the first ones.

    layers: the keys and values of some prompts by layer, from which sizes, types and devices are taken. slots: the
    least number of slots. `rows_for` rounds it up. capacity: the number of tokens that each slot must hold. windows:
    the sliding window of each kind of layer in tokens, or None for a kind that reads all tokens.

    Attributes:
    active: the number of slots in use.
    rows: the number of rows of a step.
    width: the number of keys that attention reads.
    length_S: the number of cached tokens of each slot.
    """

    def __init__(self, layers: Any, slots: int, capacity: int, windows: dict[str, int | None]) -> None:
        import numpy as np
        import torch
        from transformers.cache_utils import Cache

        self.count, self.capacity, self.windows = rows_for(slots), round_up(capacity + 1, STEP), windows
        first = layers[0].keys
        self.device, self.dtype = first.device, first.dtype

        def zeros(like: Any) -> Any:
            shape = (self.count, like.shape[1], self.capacity, like.shape[3])
            if like.device.type != "cpu":
                return torch.zeros(shape, dtype=like.dtype, device=like.device)
            # numpy's zeros take memory only when they are written, and most slots are never full
            size = math.prod(shape) * like.element_size()
            return torch.from_numpy(np.zeros(size, dtype=np.uint8)).view(like.dtype).view(shape)

        self.layers = [SlotLayer(self, zeros(layer.keys), zeros(layer.values)) for layer in layers]
        self.cache = Cache(layers=self.layers)
        self.lengths = [0] * self.count
        self.length_S = torch.zeros(self.count, dtype=torch.long, device=self.device)
        self.column_C = torch.arange(self.capacity, device=self.device)
        self.active = self.rows = self.width = 0
        self.index_R, self.length_R = self.column_C[:0], self.length_S[:0]

    def put(self, slot: int, layers: Any, row: int, length: int) -> None:
        """Copy the keys and values of a prompt into a slot. layers: those of a batch of prompts, by layer."""
        for mine, theirs in zip(self.layers, layers, strict=True):
            mine.keys[slot, :, :length] = theirs.keys[row, :, :length]
            mine.values[slot, :, :length] = theirs.values[row, :, :length]
        self.lengths[slot] = length
        self.length_S[slot] = length

    def move(self, source: int, target: int) -> None:
        """Copy a slot over another slot."""
        length = self.lengths[source]
        for layer in self.layers:
            layer.keys[target, :, :length] = layer.keys[source, :, :length]
            layer.values[target, :, :length] = layer.values[source, :, :length]
        self.lengths[target] = length
        self.length_S[target] = length

    def begin_step(self) -> tuple[Any, Any]:
        """Prepare a step of all active slots. Return the attention mask and the position of the new token of each row.

        Some rows behind the active slots may be computed too. Their results are not used. The mask is a tensor, or a
        dictionary with one tensor for each kind of layer if the model has several kinds.
        """
        import torch

        self.rows = min(rows_for(self.active), self.count)
        for slot in range(self.active, self.rows):
            self.lengths[slot] = 0
        self.length_S[self.active : self.rows] = 0
        self.width = min(round_up(max(self.lengths[: self.active]) + 1, STEP), self.capacity)
        self.index_R, self.length_R = self.column_C[: self.rows], self.length_S[: self.rows]
        behind_RC = self.length_R[:, None] - self.column_C[None, : self.width]  # how far back each cached token lies
        masks = {}
        for kind, window in self.windows.items():
            hidden_RC = behind_RC < 0 if window is None else (behind_RC < 0) | (behind_RC >= window)
            mask_RC = torch.zeros(hidden_RC.shape, dtype=self.dtype, device=self.device)
            masks[kind] = mask_RC.masked_fill_(hidden_RC, torch.finfo(self.dtype).min)[:, None, None, :]
        return (masks if len(masks) > 1 else next(iter(masks.values()))), self.length_R[:, None]

    def end_step(self) -> None:
        """Count the new token of each active slot."""
        self.length_S[: self.active] += 1
        for slot in range(self.active):
            self.lengths[slot] += 1
