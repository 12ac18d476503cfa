"""The tokens in which the two answers of a pair differ. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher


def differing_tokens(chosen: Sequence[int], rejected: Sequence[int]) -> tuple[list[int], list[int]]:
    """Return a list for each answer, with 0 for each token in a block that both answers share, and 1 for all others.

    The blocks are those of difflib's SequenceMatcher: the longest block that both answers hold, then the longest blocks
    before and after it, and so on. The first list belongs to `chosen`, the second to `rejected`.

    Example: for the tokens [7, 1, 2, 9] and [7, 3, 9], the lists are [0, 1, 1, 0] and [0, 1, 0].
    """
    masks = [1] * len(chosen), [1] * len(rejected)
    # with autojunk, no block of a long answer could consist only of frequent tokens, such as line breaks
    for block in SequenceMatcher(None, chosen, rejected, autojunk=False).get_matching_blocks():
        for mask, start in zip(masks, (block.a, block.b), strict=True):
            mask[start : start + block.size] = [0] * block.size
    return masks
