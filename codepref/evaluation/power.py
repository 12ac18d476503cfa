"""The number of problems that a comparison needs to show a difference of a given size. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import NormalDist

from codepref.errors import UserError
from codepref.evaluation.estimators import Floats, normal_quantile

POINTS = (1.0, 2.0, 5.0)
"""The differences that reports use, in percent points."""
POWER = 0.8
_SAME = 1e-9


def spread_of(differences_P: Floats) -> float | None:
    """The standard deviation of paired differences over problems, with n - 1. None for fewer than two problems.

    The spread of differences that are equal apart from rounding is 0.
    """
    if len(differences_P) < 2:
        return None
    spread = float(differences_P.std(ddof=1))
    return spread if spread > _SAME else 0.0


def problems_to_show(
    spread: float | None, difference: float, *, power: float = POWER, confidence: float = 0.95
) -> int | None:
    """How many problems show a true difference with probability `power`, in a two-sided paired test.

    n = ((z_{1-alpha/2} + z_{power}) * spread / difference)^2, rounded up, with alpha = 1 - confidence. This is the
    usual sample size for a mean of paired differences (for evaluations of models: Miller 2024, arXiv 2411.00640).
    The spread comes from differences between problems and from sampling within a problem, so n applies to the same
    number of samples for each problem. Below n = 30 a t-test needs a few more problems. A spread that was measured on
    few problems is itself uncertain.

    spread: the standard deviation of the differences over problems, in the unit of `difference`. For None and 0 the
    result is None. Raises UserError for a difference of 0 or less, and for a power outside (0, 1).

    Example: a spread of 50 points and a difference of 5 give ((1.960 + 0.842) * 50 / 5)^2 = 784.9, so 785.
    """
    if not difference > 0:
        raise UserError(f"the difference must be above 0, not {difference}")
    if not 0 < power < 1:
        raise UserError(f"power must lie between 0 and 1, not {power}")
    if not spread:
        return None
    quantiles = normal_quantile(confidence) + NormalDist().inv_cdf(power)
    return max(1, math.ceil((quantiles * spread / difference) ** 2))


def needed(spread: float | None, points: tuple[float, ...] = POINTS, unit: float = 100.0) -> Mapping[str, int | None]:
    """Size -> `problems_to_show`, with keys such as "1" and "5". points: the sizes.

    unit: how many points one unit of the spread is. It is 100 if the spread is a share and the points are percent.
    """
    return {f"{size:g}": problems_to_show(spread, size / unit) for size in points}
