"""Pairs that teach something other than what is right. Pure."""

from __future__ import annotations

from codepref.records import Pair


def lopsided(pair: Pair, max_length_ratio: float) -> bool:
    """Whether one side has more than `max_length_ratio` times the characters of the other: such a pair teaches length.

    A ratio of 0 asks for no limit.
    """
    lengths = sorted(sum(len(message["content"]) for message in side) for side in (pair.chosen, pair.rejected))
    return max_length_ratio > 0 and lengths[1] > max_length_ratio * lengths[0]
