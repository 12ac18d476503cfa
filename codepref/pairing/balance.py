"""Drops pairs until the lengths of the answers and the difficulty of the problems are balanced. Pure."""

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
"""The bounds of the classes of pairs. The class of a pair depends on the length of its longer answer in characters,
divided by the length of its shorter answer."""


def balanced(
    pairs: Sequence[Pair],
    ease: Mapping[str, float],
    *,
    balance_length: bool,
    max_easy_share: float,
    seed: int,
    dropped: Counter[str],
) -> list[Pair]:
    """Return some of the pairs, in the given order, balanced by length and by the difficulty of the problems.

    balance_length: whether to drop pairs until the longer answer is chosen exactly as often as it is rejected, in each
    class of pairs; see RATIOS. Pairs whose two answers have equal lengths are not dropped for this reason.
    max_easy_share: the largest share of the returned pairs that belongs to easy problems. 1 sets no limit. With 0.5,
    easy problems have no more pairs than the others. ease: the ease of each problem, by task_id. A problem without an
    ease is not easy.
    seed: decides between pairs that are equally good; see `_ranked`. dropped: receives the number of dropped pairs by
    reason.

    To balance lengths, a pair whose chosen answer is longer is matched with a pair of the same class whose rejected
    answer is longer. Pairs without a match are dropped. `max_easy_share` keeps both pairs of a match or drops both, so
    that the lengths stay balanced. Pairs of problems that are not easy are matched first.

    Example: in five pairs the chosen answer is twice as long as the rejected one, and in two pairs it is half as long.
    With `balance_length`, two of the five pairs and the two other pairs are returned.
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

    Pairs with a higher confidence come first. Among equal confidences, the best pair of each problem comes before the
    second best pair of any problem, and so on. The seed decides the rest.
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
    """Return units of one or two places of pairs, the best first. The pairs of a unit are kept or dropped together.

    A pair whose two answers have equal lengths is a unit of its own. Any other unit holds two pairs of the same class:
    one whose chosen answer is longer, and one whose rejected answer is longer. Pairs without a match are in no unit. A
    unit of two pairs ranks like the worse of them.
    ranked: the places of the pairs, the best first. easy: the places of the pairs of easy problems.
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
    """Return the places of some units. At most the share `max_share` of the returned places are in `easy`.

    Units with a smaller share of easy places are taken first. Among equal shares, units that stand earlier in `units`
    are taken first.
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
    """Return the ease of a problem, from 0 (hard) to 1, by the verdicts of its solutions.

    true_tests: whether the tests are true tests. With true tests, the ease is the share of right solutions among those
    whose correctness is known. With self-written tests, the ease is the mean number of tests that a solution passes,
    divided by the number that the best solution passes, since many self-written tests are wrong. A test counts as often
    as the model wrote it. Without solutions or tests the ease is 0.
    """
    if true_tests:
        right = int(verdicts.passed_ST.all(axis=1).sum()) if verdicts.passed_ST.shape[1] else 0
        known = right + int(verdicts.failed_ST.any(axis=1).sum())
        return right / known if known else 0.0
    passes_S = verdicts.passed_ST @ verdicts.weight_T
    return float(passes_S.mean() / passes_S.max()) if len(passes_S) and passes_S.max() else 0.0


def ease_by_ratings(ratings: RatedInput) -> float:
    """Return the ease of a problem, from 0 (hard) to 1, by the responses to it.

    The ease is the share of right responses among those whose correctness is known. If no correctness is known, the
    ease is the place of the mean rating in the rating scale, from 0 (`low`) to 1 (`high`). Without ratings it is 0.
    """
    known = [correct for correct in ratings.correct_S if correct is not None]
    if known:
        return sum(known) / len(known)
    values = [value for value in ratings.rating_S if value is not None]
    width = ratings.high - ratings.low
    return (sum(values) / len(values) - ratings.low) / width if values and width else 0.0


def _length(messages: Iterable[Message]) -> int:
    return sum(len(message["content"]) for message in messages)
