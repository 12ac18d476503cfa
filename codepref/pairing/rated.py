"""Best rated against worst rated; and ratings among what tests have shown to be correct. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from codepref.pairing.rules import Candidate, Choice

RATED, TESTS_THEN_RATING = "rated", "tests-then-rating"


@dataclass(frozen=True, slots=True)
class RatedInput:
    """One problem's responses.

    rating_S: the judge's rating, None where there is none. correct_S: True where all tests were passed, False where one
    was seen to fail, None where that is not known. low, high: the ends of the scale. seed: for every choice among
    equals.
    """

    rating_S: tuple[float | None, ...]
    correct_S: tuple[bool | None, ...] = ()
    low: int = 1
    high: int = 5
    seed: int = 0


def rated(given: RatedInput, *, margin: float = 1, max_pairs: int = 1) -> Choice:
    """Pair the best rated with the worst rated response (CodeUltraFeedback, arXiv 2403.09032, section 3).

    Among equals the choice is drawn with the seed. Where best and worst are less than `margin` points apart there is no
    pair: in the paper's own code a tie becomes a pair all the same. The confidence is the distance as a share of the
    scale; it sorts, and promises nothing. Responses without a rating are neither.
    """
    return _best_against_worst(given, list(range(len(given.rating_S))), margin, max_pairs)


def correct_then_rated(
    given: RatedInput, *, margin: float = 1, max_pairs: int = 1, correctness_pairs: bool = False
) -> Choice:
    """Correct first, then preferred: best rated against worst rated among the solutions that pass all tests.

    correctness_pairs: beside that, the best rated passing solutions against the worst rated of those that were seen to
    fail: the model does not learn to write well what is wrong, and tests and ratings seldom contradict each other. Of
    max_pairs the ratings get half, rounded up, and these the rest, at least one. Their confidence is 1, since the tests
    are taken to be true, and they come first. What is not known to be correct or wrong is in no pair.
    """
    rows = range(len(given.rating_S))
    passing = [row for row in rows if given.correct_S[row] is True and given.rating_S[row] is not None]
    failing = [row for row in rows if given.correct_S[row] is False and given.rating_S[row] is not None]
    if not passing:
        return Choice(reason="no rated solution passes all tests")
    if not correctness_pairs or not failing:
        return _best_against_worst(given, passing, margin, max_pairs)
    preferred = _best_against_worst(given, passing, margin, (max_pairs + 1) // 2)
    generator = np.random.default_rng([given.seed, 1])
    best = max(_value(given, row) for row in passing)
    ahead = [row for row in passing if _value(given, row) == best]
    least = min(_value(given, row) for row in failing)
    behind = [row for row in failing if _value(given, row) == least]
    pairs = _across(ahead, behind, max(1, max_pairs - len(preferred.candidates)), generator)
    correct = [Candidate(good, bad, 1.0, evidence={"ground": "tests"}) for good, bad in pairs]
    return Choice((*correct, *preferred.candidates), preferred.reason)


def _best_against_worst(given: RatedInput, rows: Sequence[int], margin: float, max_pairs: int) -> Choice:
    rows = [row for row in rows if given.rating_S[row] is not None]
    if len(rows) < 2:
        return Choice(reason="fewer than two rated responses")
    values = {row: _value(given, row) for row in rows}
    best, worst = max(values.values()), min(values.values())
    if best == worst:
        return Choice(reason="all rated responses are rated alike")
    if best - worst < margin:
        return Choice(reason="best and worst rating are less than the margin apart")
    above = [row for row in rows if values[row] == best]
    below = [row for row in rows if values[row] == worst]
    confidence = (best - worst) / (given.high - given.low)
    pairs = _across(above, below, max_pairs, np.random.default_rng(given.seed))
    return Choice(tuple(Candidate(good, bad, confidence, evidence={"ground": "rating"}) for good, bad in pairs))


def _value(given: RatedInput, row: int) -> float:
    value = given.rating_S[row]
    assert value is not None
    return value


def _across(
    winners: Sequence[int], losers: Sequence[int], count: int, generator: np.random.Generator
) -> list[tuple[int, int]]:
    """Up to `count` different pairs, each side drawn without repeats while that suffices."""
    good, bad = generator.permutation(winners).tolist(), generator.permutation(losers).tolist()
    lap = np.lcm(len(good), len(bad))
    steps = range(min(count, len(good) * len(bad)))
    return [(good[step % len(good)], bad[(step + step // lap) % len(bad)]) for step in steps]
