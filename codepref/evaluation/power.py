"""How many problems a comparison needs to show a difference of a given size. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import NormalDist

from codepref.errors import UserError
from codepref.evaluation.estimators import Floats, normal_quantile

POINTS = (1.0, 2.0, 5.0)
"""Differences that are told, in percent points."""
POWER = 0.8
_SAME = 1e-9


def spread_of(differences_P: Floats) -> float | None:
    """The standard deviation of paired differences over problems (n - 1 below); None for fewer than two problems.

    Differences that are the same but for rounding have a spread of 0.
    """
    if len(differences_P) < 2:
        return None
    spread = float(differences_P.std(ddof=1))
    return spread if spread > _SAME else 0.0


def problems_to_show(
    spread: float | None, difference: float, *, power: float = POWER, confidence: float = 0.95
) -> int | None:
    """How many problems show a true difference with probability `power`, by a two-sided paired test at 1 - confidence.

    n = ((z_{1-alpha/2} + z_{power}) * spread / difference)^2, rounded up: the usual sample size for a mean of paired
    differences (for evaluations of models: Miller 2024, arXiv 2411.00640, on power). The spread holds what the problems
    differ by and what the samples of each are off by, so n is for as many samples a problem as were taken. With n below
    30 the test's own distribution asks for a few more, and a spread seen in few problems is itself uncertain.

    spread: standard deviation of the differences over problems, in the unit of `difference`; of None and 0 nothing
    follows, and None is returned. Raises UserError for a difference of 0 or less, and for a power outside (0, 1).

    Example: a spread of 50 points and a difference of 5: ((1.960 + 0.842) * 50 / 5)^2 = 784.9, so 785.
    """
    if not difference > 0:
        raise UserError(f"a difference to be shown must be above 0, not {difference}")
    if not 0 < power < 1:
        raise UserError(f"power must lie between 0 and 1, not {power}")
    if not spread:
        return None
    quantiles = normal_quantile(confidence) + NormalDist().inv_cdf(power)
    return max(1, math.ceil((quantiles * spread / difference) ** 2))


def needed(spread: float | None, points: tuple[float, ...] = POINTS, unit: float = 100.0) -> Mapping[str, int | None]:
    """`problems_to_show` for each size, by its name ("1", "2", "5"). unit: points in one unit of the spread."""
    return {f"{size:g}": problems_to_show(spread, size / unit) for size in points}
