"""Pairs that teach something other than what is right: equal sides, repeats, unequal lengths. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from codepref.problems.normalise import normal_form
from codepref.records import Message, Pair

Sides = tuple[str, str]
"""The normal forms of a pair's chosen and rejected answer."""


def sides(pair: Pair) -> Sides:
    """What a pair compares: equal for pairs whose answers differ only in what `normal_form` leaves out."""
    return answer_form(pair.chosen), answer_form(pair.rejected)


def answer_form(messages: Iterable[Message]) -> str:
    """The normal form of an answer's program, with or without its ```python fence."""
    text = "".join(message["content"] for message in messages)
    return normal_form(text.removeprefix("```python\n").removesuffix("\n```"))


def sides_as_written(pair: Pair) -> Sides:
    """As `sides`, for ratings: these tell apart what `normal_form` leaves out, so only blank ends are."""
    return answer_text(pair.chosen), answer_text(pair.rejected)


def answer_text(messages: Iterable[Message]) -> str:
    """An answer's text without blank ends."""
    return "".join(message["content"] for message in messages).strip()


def unfit(
    proposal: Pair,
    made: Mapping[Sides, Pair],
    min_confidence: float,
    max_length_ratio: float,
    sides_of: Callable[[Pair], Sides] = sides,
) -> str:
    """Why a proposed pair must not join those of its problem in `made`, or "" when it may.

    sides_of: what the keys of `made` were made with.
    """
    chosen, rejected = sides_of(proposal)
    if chosen == rejected:
        return "pair dropped: chosen and rejected are the same answer"
    if (chosen, rejected) in made:
        return "pair dropped: the problem has it already"
    if (rejected, chosen) in made:
        return "pair dropped: contradicts another of its problem"
    if proposal.confidence < min_confidence:
        return "pair dropped: below min_confidence"
    if lopsided(proposal, max_length_ratio):
        return "pair dropped: above max_length_ratio"
    return ""


def lopsided(pair: Pair, max_length_ratio: float) -> bool:
    """Whether one side has more than `max_length_ratio` times the characters of the other: such a pair teaches length.

    A ratio of 0 asks for no limit.
    """
    lengths = sorted(sum(len(message["content"]) for message in side) for side in (pair.chosen, pair.rejected))
    return max_length_ratio > 0 and lengths[1] > max_length_ratio * lengths[0]


def diverse(made: Mapping[Sides, Pair], most: int) -> list[Pair]:
    """At most `most` pairs of one problem, in the order of `made`.

    The surest is kept first, then always one whose answers were kept least often on their own side, the surest of
    equals: a pair that uses an answer again on the same side is kept only when no pair of two unused answers is left.
    """
    uses: Counter[tuple[str, str]] = Counter()
    left, kept = list(made), set()
    for _ in range(min(most, len(made))):
        best = min(left, key=lambda key: (uses["chosen", key[0]] + uses["rejected", key[1]], -made[key].confidence))
        left.remove(best)
        kept.add(best)
        uses.update([("chosen", best[0]), ("rejected", best[1])])
    return [pair for key, pair in made.items() if key in kept]
