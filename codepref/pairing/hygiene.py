"""Decides which proposed pairs are kept. Pure.

It drops pairs with equal sides, repeated pairs, contradictions, pairs of low confidence, and pairs with sides of very
unequal length. It also limits the number of pairs of a problem and the share of problems with pairs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from codepref.errors import UserError
from codepref.problems.normalise import normal_form
from codepref.records import Message, Pair

Sides = tuple[str, str]
"""The two texts by which pairs are compared: one for the chosen answer and one for the rejected answer."""


@dataclass(frozen=True)
class PairLimits:
    """The limits for proposed pairs.

    max_pairs_per_problem: the largest number of pairs of one problem, at least 1. min_confidence: pairs with a lower
    confidence are dropped. max_share: the largest share of the problems whose pairs are kept, in (0, 1].
    max_length_ratio: a pair is dropped if one side has more than this many times the characters of the other side. It
    is at least 1, or 0 for no limit. max_easy_share: the largest share of the pairs that belongs to easy problems, in
    [0, 1]; see `codepref.pairing.balance`.
    Raises UserError for values outside these bounds. min_confidence has no bounds.
    """

    max_pairs_per_problem: int = 4
    min_confidence: float = 0.0
    max_share: float = 1.0
    max_length_ratio: float = 0.0
    max_easy_share: float = 1.0

    def __post_init__(self) -> None:
        if self.max_pairs_per_problem < 1:
            raise UserError(f"max_pairs_per_problem must be at least 1, not {self.max_pairs_per_problem}")
        if not 0 < self.max_share <= 1:
            raise UserError(f"max_share must be above 0 and at most 1, not {self.max_share}")
        if self.max_length_ratio and not self.max_length_ratio >= 1:
            raise UserError(f"max_length_ratio must be 0 (no limit) or at least 1, not {self.max_length_ratio}")
        if not 0 <= self.max_easy_share <= 1:
            raise UserError(f"max_easy_share must be between 0 and 1, not {self.max_easy_share}")


def sides(pair: Pair) -> Sides:
    """Return the normal forms of both answers; see `answer_form`."""
    return answer_form(pair.chosen), answer_form(pair.rejected)


def answer_form(messages: Iterable[Message]) -> str:
    """Return the normal form of an answer, without the ```python fence that `codepref.pairing.pair.pair` writes."""
    text = "".join(message["content"] for message in messages)
    return normal_form(text.removeprefix("```python\n").removesuffix("\n```"))


def sides_as_written(pair: Pair) -> Sides:
    """Return the texts of both answers without white space at their ends.

    Pairs from ratings are compared by these texts and not by `sides`, since a judge also rates comments and layout.
    """
    return answer_text(pair.chosen), answer_text(pair.rejected)


def answer_text(messages: Iterable[Message]) -> str:
    """Return the text of an answer without white space at its ends."""
    return "".join(message["content"] for message in messages).strip()


def keep_pairs(
    proposals: Iterable[Pair],
    limits: PairLimits,
    dropped: Counter[str],
    sides_of: Callable[[Pair], Sides] = sides,
) -> list[Pair]:
    """Return the proposed pairs of one problem that are kept, in the order of `proposals`.

    limits: its `max_share` is not used here; see `top_confidence`. dropped: receives the number of dropped pairs by
    reason. sides_of: returns the texts by which a pair is compared with others.
    """
    accepted: dict[Sides, Pair] = {}
    for proposal in proposals:
        if reason := drop_reason(proposal, accepted, limits, sides_of):
            dropped[reason] += 1
        else:
            accepted[sides_of(proposal)] = proposal
    kept = select_diverse(accepted, limits.max_pairs_per_problem)
    if lost := len(accepted) - len(kept):
        dropped["pair dropped: above max_pairs_per_problem"] += lost
    return kept


def drop_reason(
    proposal: Pair,
    accepted: Mapping[Sides, Pair],
    limits: PairLimits,
    sides_of: Callable[[Pair], Sides] = sides,
) -> str:
    """Return the reason why a proposed pair is dropped, or "" if it is accepted.

    accepted: the pairs of the problem that were accepted before, by the texts that `sides_of` returns.
    """
    chosen, rejected = sides_of(proposal)
    if chosen == rejected:
        return "pair dropped: chosen and rejected are the same answer"
    if (chosen, rejected) in accepted:
        return "pair dropped: the problem has it already"
    if (rejected, chosen) in accepted:
        return "pair dropped: contradicts another of its problem"
    if proposal.confidence < limits.min_confidence:
        return "pair dropped: below min_confidence"
    if length_imbalanced(proposal, limits.max_length_ratio):
        return "pair dropped: above max_length_ratio"
    return ""


def length_imbalanced(pair: Pair, max_length_ratio: float) -> bool:
    """Return whether one side has more than `max_length_ratio` times the characters of the other side.

    A model may learn the length of answers from such a pair. A ratio of 0 sets no limit.
    """
    lengths = sorted(sum(len(message["content"]) for message in side) for side in (pair.chosen, pair.rejected))
    return max_length_ratio > 0 and lengths[1] > max_length_ratio * lengths[0]


def select_diverse(pairs: Mapping[Sides, Pair], max_pairs: int) -> list[Pair]:
    """Return at most `max_pairs` pairs of one problem, in the order of `pairs`.

    The pair with the highest confidence is selected first. Each further pair is the one whose two answers were selected
    least often in total before, the chosen answer as chosen and the rejected answer as rejected. Among several such
    pairs, it is the pair with the highest confidence.
    """
    uses: Counter[tuple[str, str]] = Counter()

    def rank(key: Sides) -> tuple[int, float]:
        return uses["chosen", key[0]] + uses["rejected", key[1]], -pairs[key].confidence

    remaining, kept = list(pairs), set()
    for _ in range(min(max_pairs, len(pairs))):
        best = min(remaining, key=rank)
        remaining.remove(best)
        kept.add(best)
        uses.update([("chosen", best[0]), ("rejected", best[1])])
    return [pair for key, pair in pairs.items() if key in kept]


def top_confidence(pairs: list[Pair], problems: int, dropped: Counter[str]) -> list[Pair]:
    """Return the pairs of the problems with the highest confidence, in the order of `pairs`.

    The confidence of a problem is the highest confidence of its pairs. problems: the largest number of problems that
    are kept. dropped: receives the number of dropped pairs.
    """
    best: dict[str, float] = {}
    for pair in pairs:
        best[pair.task_id] = max(best.get(pair.task_id, 0.0), pair.confidence)
    kept = set(sorted(best, key=lambda task: -best[task])[:problems])
    if lost := sum(pair.task_id not in kept for pair in pairs):
        dropped["pair dropped: above max_share of the problems"] += lost
    return [pair for pair in pairs if pair.task_id in kept]


def count_in_share(share: float, total: int) -> int:
    """Return how many of `total` items fit into a share of them: the largest n with n / total <= share.

    The function does not use floor(share * total), which is not exact: 0.29 * 100 is 28.999999999999996 in floating
    point, and its floor is 28. The quotient n / total is rounded like the decimal number that the user wrote, so
    29 / 100 == 0.29.
    Examples: 0.29 of 100 items are 29, 1/3 of 3 items is 1, and 0.1 of 9 items is 0.
    """
    count = round(share * total)
    while count and count / total > share:
        count -= 1
    return count
