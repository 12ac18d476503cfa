"""Drops pairs so that neither the length of an answer nor easy problems decide what a model learns. Pure."""

from __future__ import annotations

import math
import random
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set

from codepref.pairing.rules.base import RatedInput, RuleInput
from codepref.records import Message, Pair

EASY = 0.5
"""A problem is easy if its ease is at least this value. `ease_by_tests` and `ease_by_ratings` define the ease."""

RATIOS = (1.1, 1.25, 1.5, 2.0, 3.0)
"""The bounds of the classes of pairs by the ratio of the longer answer to the shorter answer."""


def balanced(
    pairs: Sequence[Pair],
    ease: Mapping[str, float],
    *,
    balance_length: bool,
    max_easy_share: float,
    seed: int,
    dropped: Counter[str],
) -> list[Pair]:
    """Return a subset of the pairs that is balanced by length and by the difficulty of the problems, in their order.

    balance_length: the longer answer is the chosen one exactly as often as the rejected one. This holds for each class
    of pairs by the ratio of the two lengths in characters, whose bounds are RATIOS. So the difference of the lengths
    does not predict which answer is chosen. Pairs of equal lengths are kept.
    max_easy_share: the largest share of the pairs that belongs to easy problems. 1 sets no limit. With 0.5, easy
    problems have no more pairs than the others. ease: the ease of each problem, by task_id. A problem that it does not
    name is not easy.
    seed: decides between pairs that are equally good; see `_ranked`. dropped: receives the numbers of dropped pairs.

    To balance lengths, each pair with a longer chosen answer is matched with one with a longer rejected answer. Both
    are kept or dropped together, so that both conditions hold at the end. The pairs of problems that are not easy are
    matched first.

    Example: in five pairs the chosen answer has twice the length of the rejected one, and in two pairs half of it. Two
    of the five pairs are kept, and the two others.
    """
    if not balance_length and max_easy_share >= 1:
        return list(pairs)
    ranked = _ranked(pairs, seed)
    easy = {place for place in ranked if max_easy_share < 1 and ease.get(pairs[place].task_id, 0.0) >= EASY}
    units = _matched(pairs, ranked, easy) if balance_length else [(place,) for place in ranked]
    kept = set(_limited(units, easy, max_easy_share))
    matched = sum(map(len, units))
    for reason, count in (
        ("pair dropped: to balance the lengths", len(pairs) - matched),
        ("pair dropped: above max_easy_share", matched - len(kept)),
    ):
        if count:
            dropped[reason] += count
    return [pair for place, pair in enumerate(pairs) if place in kept]


def _ranked(pairs: Sequence[Pair], seed: int) -> list[int]:
    """Return the places of the pairs, the best first.

    Pairs with a higher confidence come first. Among equal confidences, the first pair of each problem comes before the
    second one of any problem, and so on. Then the seed decides.
    """
    shuffled = list(range(len(pairs)))
    random.Random(seed).shuffle(shuffled)
    shuffled.sort(key=lambda place: -pairs[place].confidence)
    seen: Counter[str] = Counter()
    numbers = {}
    for place in shuffled:
        numbers[place] = seen[pairs[place].task_id]
        seen[pairs[place].task_id] += 1
    return sorted(shuffled, key=lambda place: (-pairs[place].confidence, numbers[place]))


def _matched(pairs: Sequence[Pair], ranked: Sequence[int], easy: Set[int]) -> list[tuple[int, ...]]:
    """Return the pairs of equal lengths alone, and others in twos that are matched by the ratio of their lengths.

    ranked: the places of the pairs, the best first. easy: the places of the pairs of easy problems. Each two holds a
    pair with a longer chosen answer and one with a longer rejected answer.
    """
    units: list[tuple[int, ...]] = []
    sides: defaultdict[tuple[int, bool, bool], list[int]] = defaultdict(list)
    for place in ranked:
        chosen, rejected = _length(pairs[place].chosen), _length(pairs[place].rejected)
        if chosen == rejected:
            units.append((place,))
        else:
            shorter, longer = sorted((chosen, rejected))
            ratio = bisect_right(RATIOS, longer / shorter if shorter else math.inf)
            sides[ratio, chosen > rejected, place in easy].append(place)
    for ratio in range(len(RATIOS) + 1):
        # The pairs of hard problems are matched first, since a limit for easy problems depends on their number.
        for first, second in ((False, False), (False, True), (True, False), (True, True)):
            more, less = sides[ratio, True, first], sides[ratio, False, second]
            number = min(len(more), len(less))
            units += zip(more[:number], less[:number], strict=True)
            del more[:number], less[:number]
    order = {place: rank for rank, place in enumerate(ranked)}
    return sorted(units, key=lambda unit: max(order[place] for place in unit))


def _limited(units: Iterable[Sequence[int]], easy: Set[int], max_share: float) -> list[int]:
    """Return the places in those units that keep the share of easy places at or below `max_share`.

    Units with a smaller share of easy places come first, and then units that stand earlier in `units`.
    """
    kept: list[int] = []
    count = 0
    for unit in sorted(units, key=lambda unit: sum(place in easy for place in unit) / len(unit)):
        more = count + sum(place in easy for place in unit)
        if more / (len(kept) + len(unit)) <= max_share:
            kept += unit
            count = more
    return kept


def ease_by_tests(verdicts: RuleInput, *, true_tests: bool) -> float:
    """Return the ease of a problem, from 0 (hard) to 1, by the verdicts of the model's own solutions.

    true_tests: with true tests, the ease is the share of right solutions among those whose correctness is known. With
    self-written tests, it is the mean number of tests that a solution passes, divided by the largest number that a
    solution passes, since many of such tests are wrong. Equal tests count as often as the model wrote them. Without
    solutions or tests the ease is 0.
    """
    if true_tests:
        right = int(verdicts.passed_ST.all(axis=1).sum()) if verdicts.passed_ST.shape[1] else 0
        known = right + int(verdicts.failed_ST.any(axis=1).sum())
        return right / known if known else 0.0
    passes_S = verdicts.passed_ST @ verdicts.weight_T
    return float(passes_S.mean() / passes_S.max()) if len(passes_S) and passes_S.max() else 0.0


def ease_by_ratings(ratings: RatedInput) -> float:
    """Return the ease of a problem, from 0 (hard) to 1, by the responses to it.

    It is the share of right responses among those whose correctness is known. Without such responses, it is the mean
    rating as a share of the rating scale. Without ratings the ease is 0.
    """
    known = [correct for correct in ratings.correct_S if correct is not None]
    if known:
        return sum(known) / len(known)
    values = [value for value in ratings.rating_S if value is not None]
    width = ratings.high - ratings.low
    return (sum(values) / len(values) - ratings.low) / width if values and width else 0.0


def _length(messages: Iterable[Message]) -> int:
    return sum(len(message["content"]) for message in messages)
