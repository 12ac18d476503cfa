"""The rules `rated` and `tests-then-rating`: they choose pairs by a judge's ratings (arXiv 2403.09032). Pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from codepref.pairing.rules.base import Candidate, Choice, PairingRule, RatedInput


def rated(ratings: RatedInput, *, margin: float = 1, max_pairs: int = 1) -> Choice:
    """Pair the best rated with the worst rated response (CodeUltraFeedback, arXiv 2403.09032, section 3).

    The seed decides between equal ratings. There is no pair with fewer than two ratings, if all ratings are equal, or
    if the best and the worst rating are less than `margin` points apart. The code of the paper makes a pair even from
    equal ratings. The confidence is the difference of the two ratings as a share of the width of the scale. It is meant
    for sorting and is not calibrated. Responses without a rating are not used. max_pairs: the largest number of pairs.
    Further pairs are other combinations of responses with the best and the worst rating.
    """
    return _best_against_worst(ratings, list(range(len(ratings.rating_S))), margin, max_pairs)


def correct_then_rated(
    ratings: RatedInput, *, margin: float = 1, max_pairs: int = 1, correctness_pairs: bool = False
) -> Choice:
    """Pair the best rated with the worst rated among the responses that pass all tests.

    correctness_pairs: whether to pair the best rated passing responses with the worst rated failing ones too. These
    pairs are meant to teach the model that correctness comes before the preference. If both sorts of pairs are
    possible, at most half of `max_pairs`, rounded up, are pairs by ratings. The others are pairs by correctness. If
    `max_pairs` is 1, one pair of each sort is proposed. The pairs by correctness come first. Their confidence is 1,
    since the tests are taken to be right.
    A response without a rating or of unknown correctness is in no pair.
    """
    rows = range(len(ratings.rating_S))
    passing = [row for row in rows if ratings.correct_S[row] is True and ratings.rating_S[row] is not None]
    failing = [row for row in rows if ratings.correct_S[row] is False and ratings.rating_S[row] is not None]
    if not passing:
        return Choice(reason="no rated solution passes all tests")
    if not correctness_pairs or not failing:
        return _best_against_worst(ratings, passing, margin, max_pairs)
    preferred = _best_against_worst(ratings, passing, margin, (max_pairs + 1) // 2)
    generator = np.random.default_rng([ratings.seed, 1])
    best = max(_value(ratings, row) for row in passing)
    best_passing = [row for row in passing if _value(ratings, row) == best]
    worst = min(_value(ratings, row) for row in failing)
    worst_failing = [row for row in failing if _value(ratings, row) == worst]
    pairs = _across(best_passing, worst_failing, max(1, max_pairs - len(preferred.candidates)), generator)
    correct = [Candidate(good, bad, 1.0, evidence={"ground": "tests"}) for good, bad in pairs]
    return Choice((*correct, *preferred.candidates), preferred.reason)


def _best_against_worst(ratings: RatedInput, rows: Sequence[int], margin: float, max_pairs: int) -> Choice:
    rows = [row for row in rows if ratings.rating_S[row] is not None]
    if len(rows) < 2:
        return Choice(reason="fewer than two rated responses")
    values = {row: _value(ratings, row) for row in rows}
    best, worst = max(values.values()), min(values.values())
    if best == worst:
        return Choice(reason="all rated responses are rated alike")
    if best - worst < margin:
        return Choice(reason="best and worst rating are less than the margin apart")
    above = [row for row in rows if values[row] == best]
    below = [row for row in rows if values[row] == worst]
    confidence = (best - worst) / (ratings.high - ratings.low)
    pairs = _across(above, below, max_pairs, np.random.default_rng(ratings.seed))
    return Choice(tuple(Candidate(good, bad, confidence, evidence={"ground": "rating"}) for good, bad in pairs))


def _value(ratings: RatedInput, row: int) -> float:
    value = ratings.rating_S[row]
    assert value is not None
    return value


def _across(
    winners: Sequence[int], losers: Sequence[int], count: int, generator: np.random.Generator
) -> list[tuple[int, int]]:
    """Return up to `count` different pairs of a winner and a loser.

    A winner is used again only after all winners were used, and a loser only after all losers were used.
    """
    good, bad = generator.permutation(winners).tolist(), generator.permutation(losers).tolist()
    lap = np.lcm(len(good), len(bad))
    steps = range(min(count, len(good) * len(bad)))
    return [(good[step % len(good)], bad[(step + step // lap) % len(bad)]) for step in steps]


RULE = PairingRule(rated, tests="none", ratings=True)
TESTS_RULE = PairingRule(correct_then_rated, tests="true", ratings=True)
