"""Computes how many problems a comparison needs to show a difference of a given size. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import NormalDist

from codepref.errors import UserError
from codepref.evaluation.estimators import Floats, normal_quantile

POINTS = (1.0, 2.0, 5.0)
"""The differences, in points, for which reports give the number of problems that are needed."""
POWER = 0.8
_SAME = 1e-9


def spread_of(differences_P: Floats) -> float | None:
    """Return the standard deviation of paired differences over problems, or None for fewer than two problems.

    The sum of squares is divided by n - 1. If the differences are equal apart from rounding, the result is 0.
    """
    if len(differences_P) < 2:
        return None
    spread = float(differences_P.std(ddof=1))
    return spread if spread > _SAME else 0.0


def problems_to_show(
    spread: float | None, difference: float, *, power: float = POWER, confidence: float = 0.95
) -> int | None:
    """Return how many problems a two-sided paired test needs to show a true difference with a chance of `power`.

    n = ((z_{1-alpha/2} + z_{power}) * spread / difference)^2, rounded up, with alpha = 1 - confidence. This is the
    usual sample size for a mean of paired differences. Miller 2024 (arXiv 2411.00640) uses it for evaluations of
    models. The spread has two sources: differences between problems, and the sampling of solutions within a problem.
    The result is therefore valid only for the number of samples for each problem with which the spread was measured. If
    n is below 30, a t-test needs a few more problems. A spread that was measured on few problems is itself uncertain.

    spread: the standard deviation of the differences over problems, in the unit of `difference`. If it is None or 0,
    the result is None. Raises UserError for a difference of 0 or less, for a power outside (0, 1), and for a confidence
    outside (0, 1) unless the spread is None or 0.

    Example: a spread of 50 points and a difference of 5 give ((1.960 + 0.842) * 50 / 5)^2 = 784.9, so 785.
    """
    if not difference > 0:
        raise UserError(f"the difference must be above 0, not {difference}")
    if not 0 < power < 1:
        raise UserError(f"the power must be above 0 and below 1, not {power}")
    if not spread:
        return None
    quantiles = normal_quantile(confidence) + NormalDist().inv_cdf(power)
    return max(1, math.ceil((quantiles * spread / difference) ** 2))


def needed(spread: float | None, points: tuple[float, ...] = POINTS, unit: float = 100.0) -> Mapping[str, int | None]:
    """Return the numbers of problems that are needed to show differences of several sizes.

    points: the differences in points. unit: how many points one unit of the spread is. It is 100 if the spread is that
    of shares and the points are percent points. The keys of the result are the differences as texts, such as "1". The
    values are the results of `problems_to_show`.
    """
    return {f"{size:g}": problems_to_show(spread, size / unit) for size in points}
