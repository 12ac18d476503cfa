"""Computes the figures of CODAL-Bench from grades. Pure.

The figures are the mean grade of each preference, the mean of these means, and paired comparisons of two models. Grades
are points from 1 to 10 (arXiv 2403.09032, section 4). A response without a grade is left out and counted. The published
code uses the grade 0 for such a response.
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
    """The grade of one model's response to one problem.

    value: points from 1 to 10, or None without a grade. rationale: the judge's reasons for the grade. reason: why there
    is no grade, or "".
    """

    task_id: str
    preference: str
    value: int | None
    rationale: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Grades:
    """The grades that one judge gave to one model, one for each problem.

    label: the name of the model. judge: the name of the judge. conditions: the column of the reference answers, the
    judge's model and its settings, if they are known.
    """

    label: str
    judge: str
    grades: tuple[Grade, ...]
    conditions: Mapping[str, Any] = field(default_factory=dict)

    def values(self) -> dict[str, dict[str, int]]:
        """Return the points by preference and task_id, without ungraded problems."""
        points: dict[str, dict[str, int]] = {}
        for grade in self.grades:
            of_preference = points.setdefault(grade.preference, {})
            if grade.value is not None:
                of_preference[grade.task_id] = grade.value
        return {preference: values for preference, values in points.items() if values}

    def left_out(self) -> dict[str, int]:
        """Return the number of ungraded problems by reason."""
        return dict(sorted(Counter(grade.reason for grade in self.grades if grade.value is None).items()))


def summarise_grades(grades: Grades, *, seed: int = 0) -> list[Score]:
    """Return the mean points of each preference and, last, the mean of these means, with 95% intervals over problems.

    `mean_of_means` computes the interval of the last figure from the other intervals. The list is empty if no problem
    is graded.
    """
    by_preference = grades.values()
    figures = []
    for preference, values in by_preference.items():
        points = list(values.values())
        one = score(preference, [(point - LOW) / (HIGH - LOW) for point in points], [1] * len(points), seed=seed)
        figures.append(replace(one, value=_points(one.value), low=_points(one.low), high=_points(one.high)))
    if not figures:
        return []
    count = sum(map(len, by_preference.values()))
    overall, low, high = mean_of_means([(one.value, one.low, one.high) for one in figures])
    return [*figures, Score(OVERALL, overall, max(LOW, low), min(HIGH, high), count, count)]


def compare_grades(a: Grades, b: Grades, *, seed: int = 0) -> list[Comparison]:
    """Compare the points of b (aligned) with those of a (base), paired by problem.

    The result has a comparison for each preference, and a last one for the mean over preferences. A problem that lacks
    a grade on one side is left out, and `n` does not count it. A preference without any remaining problem is left out.
    Raises UserError if the problems or the judges of both sides differ, and if no problem is graded on both sides.
    """
    tasks_a, tasks_b = ({grade.task_id for grade in side.grades} for side in (a, b))
    if tasks_a != tasks_b:
        odd = sorted(tasks_a ^ tasks_b)
        raise UserError(
            f"{a.label} and {b.label} were graded on different problems. {len(odd)} problems are on one side only, "
            f"such as {', '.join(odd[:3])}. Grade both models on the same problems"
        )
    if a.judge != b.judge:
        raise UserError(
            f"{a.label} was graded by {a.judge} and {b.label} by {b.judge}. The points of two judges cannot be compared"
        )
    values_a, values_b = a.values(), b.values()
    strata: list[tuple[Floats, Floats]] = []
    comparisons = []
    for preference in values_a:
        shared = [task for task in values_a[preference] if task in values_b.get(preference, {})]
        if shared:
            sides = [np.array([side[preference][task] for task in shared], float) for side in (values_a, values_b)]
            strata.append((sides[0], sides[1]))
            comparisons.append(_in_points(compare_values(preference, *map(_share, sides), seed=seed)))
    if not comparisons:
        raise UserError(f"no problem has a grade on both sides: for {a.label} and for {b.label}")
    return [*comparisons, _overall(strata, comparisons, seed)]


def mean_of_means(estimates: Sequence[tuple[float, float, float]]) -> tuple[float, float, float]:
    """Return the mean of independent estimates, and the ends of its interval. An estimate is (value, low, high).

    The distances from the values to their lower ends are added in quadrature, and so are the distances to the upper
    ends (MOVER, Zou and Donner 2008, doi:10.1002/sim.3095). This approximately keeps the coverage of the intervals of
    the estimates, even of skewed ones. The interval of the mean has a width if the interval of an estimate has one.
    Example: (5, 4, 7) and (3, 0, 3) give the mean 4 and the ends 4 - sqrt(1 + 9) / 2 and 4 + sqrt(4 + 0) / 2.
    """
    count = len(estimates)
    mean = sum(value for value, _, _ in estimates) / count
    below = math.sqrt(sum((value - low) ** 2 for value, low, _ in estimates)) / count
    above = math.sqrt(sum((high - value) ** 2 for value, _, high in estimates)) / count
    return mean, mean - below, mean + above


def _overall(strata: Sequence[tuple[Floats, Floats]], comparisons: Sequence[Comparison], seed: int) -> Comparison:
    """Return the comparison of the mean over preferences. strata: the (base, aligned) points of each preference."""
    differences = [aligned - base for base, aligned in strata]
    _, low, high = mean_of_means([(one.difference, one.low, one.high) for one in comparisons])
    # in the mean over preferences, a problem has the weight 1 / (number of problems of its preference)
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
        spread=_even_spread([one.spread for one in comparisons]),
    )


def _even_spread(spreads: Sequence[float | None]) -> float | None:
    """Return the spread that the mean over preferences has if all preferences have equally many problems.

    It is the root of the mean of the squared spreads, or None if a spread is unknown.
    """
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
