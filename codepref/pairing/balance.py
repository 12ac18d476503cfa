"""Drops pairs so that neither the length of an answer nor easy problems decide what a model learns. Pure."""

from __future__ import annotations

import math
import random
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

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

    balance_length: see `balance_lengths`. max_easy_share: see `limit_easy`. Both conditions hold for the result, since
    the two functions are called in turn until neither drops a pair. ease: the ease of each problem, by task_id. seed:
    decides between pairs that are equally good. dropped: receives the numbers of dropped pairs.
    """
    kept = list(pairs)
    while True:
        before = len(kept)
        if max_easy_share < 1:
            kept = limit_easy(kept, ease, max_easy_share, seed)
            dropped["pair dropped: above max_easy_share"] += before - len(kept)
        left = len(kept)
        if balance_length:
            kept = balance_lengths(kept, seed)
            dropped["pair dropped: to balance the lengths"] += left - len(kept)
        if len(kept) == before:
            break
    for reason in ("pair dropped: above max_easy_share", "pair dropped: to balance the lengths"):
        if not dropped[reason]:
            del dropped[reason]
    return kept


def balance_lengths(pairs: Sequence[Pair], seed: int = 0) -> list[Pair]:
    """Return pairs of which the longer answer is the chosen one exactly as often as the rejected one.

    This holds for each class of pairs by the ratio of the two lengths in characters, whose bounds are RATIOS. So the
    difference of the lengths does not predict which answer is chosen. Pairs of equal lengths are kept. On the larger
    side of a class, pairs are dropped as `_best` says.

    Example: in five pairs the chosen answer has twice the length of the rejected one, and in two pairs half of it. Two
    of the five pairs are kept, and the two others.
    """
    classes: defaultdict[int, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    kept = set()
    for place, pair in enumerate(pairs):
        chosen, rejected = _length(pair.chosen), _length(pair.rejected)
        if chosen == rejected:
            kept.add(place)
        else:
            shorter, longer = sorted((chosen, rejected))
            ratio = longer / shorter if shorter else math.inf
            classes[bisect_right(RATIOS, ratio)][chosen > rejected].append(place)
    for sides in classes.values():
        number = min(map(len, sides))
        for places in sides:
            kept.update(_best(pairs, places, number, seed))
    return [pair for place, pair in enumerate(pairs) if place in kept]


def limit_easy(pairs: Sequence[Pair], ease: Mapping[str, float], max_share: float, seed: int = 0) -> list[Pair]:
    """Return pairs of which at most the share `max_share` belongs to easy problems, in their order.

    All pairs of other problems are kept. Of the easy ones, pairs are dropped as `_best` says. A problem that `ease`
    does not name is not easy. With a share of 0.5, easy problems have no more pairs than the others.
    """
    easy = [place for place, pair in enumerate(pairs) if ease.get(pair.task_id, 0.0) >= EASY]
    others = len(pairs) - len(easy)
    number = len(easy) if max_share >= 1 else min(len(easy), round(others * max_share / (1 - max_share)))
    while number and number / (number + others) > max_share:
        number -= 1
    kept = set(range(len(pairs))) - set(easy) | set(_best(pairs, easy, number, seed))
    return [pair for place, pair in enumerate(pairs) if place in kept]


def _best(pairs: Sequence[Pair], places: Iterable[int], number: int, seed: int) -> list[int]:
    """Return the places of the `number` pairs with the highest confidence.

    Among equal confidences, the pairs of different problems come first, and then the seed decides.
    """
    shuffled = list(places)
    random.Random(seed).shuffle(shuffled)
    shuffled.sort(key=lambda place: -pairs[place].confidence)
    seen: Counter[str] = Counter()
    ranks = {}
    for place in shuffled:
        ranks[place] = seen[pairs[place].task_id]
        seen[pairs[place].task_id] += 1
    return sorted(shuffled, key=lambda place: (-pairs[place].confidence, ranks[place]))[:number]


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
