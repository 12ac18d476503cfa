"""CODAL-Bench figures: mean grade a preference, the mean of these means, intervals, paired comparison. Pure.

Grades are points from 1 to 10 (arXiv 2403.09032, section 4). A response that could not be graded is left out and
counted; the published code counts it as 0.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from codepref.errors import UserError
from codepref.evaluation.comparison import Comparison, compare_values, sign_flip_test
from codepref.evaluation.estimators import Floats, score
from codepref.records import Score

LOW, HIGH = 1, 10
OVERALL = "mean of preferences"


@dataclass(frozen=True, slots=True)
class Grade:
    """One problem's grade of one model's answer. `value` is None when it is ungraded; `reason` then says why."""

    task_id: str
    preference: str
    value: int | None
    rationale: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Grades:
    """One judge's grades of one model (`label`), one a problem.

    conditions: what they rest on, where that is known (reference, judge's settings).
    """

    label: str
    judge: str
    grades: tuple[Grade, ...]
    conditions: Mapping[str, Any] = field(default_factory=dict)

    def values(self) -> dict[str, dict[str, int]]:
        """preference -> task_id -> points, graded problems alone."""
        found: dict[str, dict[str, int]] = {}
        for grade in self.grades:
            of_preference = found.setdefault(grade.preference, {})
            if grade.value is not None:
                of_preference[grade.task_id] = grade.value
        return {preference: values for preference, values in found.items() if values}

    def left_out(self) -> dict[str, int]:
        """Ungraded problems, by reason."""
        return dict(sorted(Counter(grade.reason for grade in self.grades if grade.value is None).items()))


def summarise_grades(grades: Grades, *, seed: int = 0) -> list[Score]:
    """The mean points of each preference and the mean of these means, with 95% intervals over problems.

    The last one's interval is put together from theirs; see `mean_of_means`.
    """
    by_preference = grades.values()
    found = []
    for preference, values in by_preference.items():
        points = list(values.values())
        one = score(preference, [(point - LOW) / (HIGH - LOW) for point in points], [1] * len(points), seed=seed)
        found.append(replace(one, value=_points(one.value), low=_points(one.low), high=_points(one.high)))
    if not found:
        return []
    count = sum(map(len, by_preference.values()))
    overall, low, high = mean_of_means([(one.value, one.low, one.high) for one in found])
    return [*found, Score(OVERALL, overall, max(LOW, low), min(HIGH, high), count, count)]


def compare_grades(a: Grades, b: Grades, *, seed: int = 0) -> list[Comparison]:
    """Points of b (aligned) less those of a (base), paired by problem: each preference, then the mean of preferences.

    Problems that either side has no grade for are left out; `n` says how many pairs are left.
    Raises UserError for grades of different problems or by different judges, or no problem graded on both sides.
    """
    tasks_a, tasks_b = ({grade.task_id for grade in side.grades} for side in (a, b))
    if tasks_a != tasks_b:
        odd = sorted(tasks_a ^ tasks_b)
        raise UserError(
            f"{a.label} and {b.label} were graded on different problems ({len(odd)}: {', '.join(odd[:3])}, ...); a "
            "paired comparison needs the same"
        )
    if a.judge != b.judge:
        raise UserError(f"{a.label} was graded by {a.judge} and {b.label} by {b.judge}: two judges' points differ")
    values_a, values_b = a.values(), b.values()
    strata: list[tuple[Floats, Floats]] = []
    found = []
    for preference in values_a:
        shared = [task for task in values_a[preference] if task in values_b.get(preference, {})]
        if shared:
            sides = [np.array([side[preference][task] for task in shared], float) for side in (values_a, values_b)]
            strata.append((sides[0], sides[1]))
            found.append(_in_points(compare_values(preference, *map(_share, sides), seed=seed)))
    if not found:
        raise UserError(f"no problem has a grade on both sides ({a.label}, {b.label})")
    return [*found, _overall(strata, found, seed)]


def mean_of_means(estimates: Sequence[tuple[float, float, float]]) -> tuple[float, float, float]:
    """The mean of independent estimates with its interval, each given as (value, low, high).

    Distances to the ends are added in quadrature, side by side (MOVER, Zou and Donner 2008, doi:10.1002/sim.3095): it
    keeps the coverage of the single intervals, skewed or not, and has a width where all grades are alike.
    Example: (5, 4, 7) and (3, 0, 3) give 4, 4 - sqrt(1 + 9) / 2 and 4 + sqrt(4 + 0) / 2.
    """
    count = len(estimates)
    mean = sum(value for value, _, _ in estimates) / count
    below = math.sqrt(sum((value - low) ** 2 for value, low, _ in estimates)) / count
    above = math.sqrt(sum((high - value) ** 2 for value, _, high in estimates)) / count
    return mean, mean - below, mean + above


def _overall(strata: Sequence[tuple[Floats, Floats]], found: Sequence[Comparison], seed: int) -> Comparison:
    differences = [aligned - base for base, aligned in strata]
    _, low, high = mean_of_means([(one.difference, one.low, one.high) for one in found])
    # each problem weighs as its preference's mean lets it, so that the signs are flipped in the figure itself
    weighted = np.concatenate([difference / len(difference) for difference in differences])
    every = np.concatenate(differences)
    base, aligned = (float(np.mean([side[place].mean() for side in strata])) for place in (0, 1))
    return Comparison(
        name=OVERALL,
        base=base,
        aligned=aligned,
        difference=aligned - base,
        low=low,
        high=high,
        p_value=sign_flip_test(weighted, seed=seed),
        test="sign-flip permutation",
        n=len(every),
        wins=int((every > 0).sum()),
        losses=int((every < 0).sum()),
        ties=int((every == 0).sum()),
        spread=_even_spread([one.spread for one in found]),
    )


def _even_spread(spreads: Sequence[float | None]) -> float | None:
    """The spread of the mean of means when problems stand evenly in the strata: the root of the mean variance."""
    squares = [spread**2 for spread in spreads if spread is not None]
    return math.sqrt(sum(squares) / len(squares)) if squares and len(squares) == len(spreads) else None


def _share(points: Floats) -> Floats:
    return (points - LOW) / (HIGH - LOW)


def _points(share: float) -> float:
    return LOW + share * (HIGH - LOW)


def _in_points(one: Comparison) -> Comparison:
    scale = HIGH - LOW
    return replace(
        one,
        base=_points(one.base),
        aligned=_points(one.aligned),
        difference=one.difference * scale,
        low=one.low * scale,
        high=one.high * scale,
        spread=None if one.spread is None else one.spread * scale,
    )
