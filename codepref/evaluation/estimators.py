"""Computes pass@k, and confidence intervals of a mean over problems. Pure.

The problem is the unit of sampling: solutions of one problem resemble each other, so they are not independent draws.
Axes in array names: P problems, R resamples.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from codepref.errors import UserError
from codepref.records import Score

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

RESAMPLES = 10_000
MIN_BOOTSTRAP = 10
"""The smallest number of problems for a bootstrap interval. With fewer problems a bootstrap interval would be too
narrow, and another interval is used."""
_CHUNK = 2_000_000
_SAME = 1e-9
"""Values with smaller differences count as equal. The product formula of pass@k has rounding errors: pass@1 for 5
correct solutions of 10 differs by rounding from pass@1 for 4 of 8."""


def pass_at_k(samples_P: npt.ArrayLike, correct_P: npt.ArrayLike, k: int) -> Floats:
    """Return the unbiased estimate of pass@k for each problem.

    pass@k is the probability that at least one of k solutions is correct. The estimate is 1 - C(n-c, k) / C(n, k),
    equation 1 of Chen et al. 2021 (arXiv 2107.03374). It is computed as a product, which does not overflow.
    Example: n=5, c=2, k=2 gives 1 - C(3,2)/C(5,2) = 0.7.

    Args:
        samples_P: n, the number of sampled solutions of each problem.
        correct_P: c, the number of correct solutions of each problem.
        k: the number of solutions of which one must be correct, at least 1.

    Raises:
        UserError: k is below 1, the lengths differ, c is outside 0..n, or a problem has n < k. A problem with n < k has
            no unbiased estimate, and `codepref.evaluation.scores.summarise` leaves it out.
    """
    samples, correct = np.asarray(samples_P, dtype=np.int64), np.asarray(correct_P, dtype=np.int64)
    if k < 1:
        raise UserError(f"pass@{k}: k must be at least 1")
    if samples.ndim != 1 or samples.shape != correct.shape:
        raise UserError(
            f"pass@{k}: samples {samples.shape} and correct {correct.shape} must be two lists of the same length"
        )
    if bad := np.flatnonzero((correct < 0) | (correct > samples)).tolist():
        at = bad[0]
        raise UserError(
            f"pass@{k}: problem number {at} of the list has {correct[at]} correct among {samples[at]} samples. The "
            "number of correct samples must lie between 0 and the number of samples"
        )
    if short := np.flatnonzero(samples < k).tolist():
        at = short[0]
        raise UserError(
            f"pass@{k} needs at least {k} samples for each problem, but {len(short)} of {len(samples)} problems have "
            f"fewer (problem number {at} of the list has {samples[at]}). Sample more solutions or choose a smaller k"
        )
    return np.array([_pass_at_k(int(n), int(c), k) for n, c in zip(samples, correct, strict=True)], dtype=np.float64)


def _pass_at_k(n: int, c: int, k: int) -> float:
    if n - c < k:
        return 1.0
    if c == 0:
        return 0.0
    return 1.0 - math.prod(1.0 - k / i for i in range(n - c + 1, n + 1))


def score(
    name: str, values_P: npt.ArrayLike, samples_P: npt.ArrayLike, *, confidence: float = 0.95, seed: int = 0
) -> Score:
    """Return the mean of `values_P` over problems, with an interval over problems.

    If all values are 0 or 1, the interval is Wilson's. Otherwise, with fewer than MIN_BOOTSTRAP problems or with equal
    values, it is Wilson's with one trial for each problem. In this case it is usually too wide, since of all
    distributions on [0, 1] with the same mean, the one with only the values 0 and 1 has the largest variance. Otherwise
    it is the BCa bootstrap interval over problems (see `bootstrap_interval`).

    Args:
        name: the name of the figure, such as "pass@1 greedy".
        values_P: one value in [0, 1] for each problem, such as the result of `pass_at_k`.
        samples_P: the number of solutions behind each value. `Score.samples` is the sum of these numbers.
        confidence: the nominal coverage of the interval. 0.95 means 95%.
        seed: the seed of the bootstrap. The same seed gives the same interval.

    Raises:
        UserError: there are no problems, a value is outside [0, 1] or NaN, or the confidence is outside (0, 1).
    """
    values = np.asarray(values_P, dtype=np.float64)
    samples = np.asarray(samples_P, dtype=np.int64)
    if values.ndim != 1 or not len(values):
        raise UserError(f"{name}: the values must be a list with one value for each problem, for at least one problem")
    if not np.all((values >= 0) & (values <= 1)):
        raise UserError(f"{name}: values must lie between 0 and 1")
    mean = float(values.mean())
    if is_binary(values) or len(values) < MIN_BOOTSTRAP or np.ptp(values) < _SAME:
        low, high = wilson_interval(mean, len(values), confidence)
    else:
        low, high = bootstrap_interval(values, confidence=confidence, seed=seed)
    return Score(name, mean, max(0.0, low), min(1.0, high), len(values), int(samples.sum()))


def is_binary(values_P: Floats) -> bool:
    """Return whether every value is 0 or 1."""
    return bool(np.all((values_P == 0) | (values_P == 1)))


def normal_quantile(confidence: float) -> float:
    """Return the two-sided normal quantile, such as 1.96 for a confidence of 0.95.

    Raises UserError for a confidence outside (0, 1).
    """
    if not 0 < confidence < 1:
        raise UserError(f"the confidence must be above 0 and below 1, not {confidence}")
    return NormalDist().inv_cdf(0.5 + confidence / 2)


def wilson_interval(share: float, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return Wilson's score interval for a share of n trials (Wilson 1927).

    The interval lies inside [0, 1] and always has a width. Example: the share 0 of 10 trials gives (0, 0.278).
    """
    z = normal_quantile(confidence)
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(max(0.0, share * (1 - share)) / n + z * z / (4 * n * n))
    # without rounding errors, the formula gives the end 0 for the share 0, and the end 1 for the share 1
    low = 0.0 if share <= 0 else max(0.0, centre - half)
    high = 1.0 if share >= 1 else min(1.0, centre + half)
    return low, high


def bootstrap_interval(
    values_P: Floats, *, confidence: float = 0.95, seed: int = 0, resamples: int = RESAMPLES
) -> tuple[float, float]:
    """Return the BCa bootstrap interval of the mean (Efron 1987), from resampled problems.

    The bias correction counts a resample whose mean equals the observed mean as half a resample below it. Such ties are
    frequent if there are few distinct values. The acceleration is that of the jackknife: for a mean, a sixth of the
    skewness over sqrt(P). If all values are equal, the interval has no width, and the caller must use another interval.

    The coverage of the 95% interval was measured on simulated values. Each value is the share of correct solutions
    among 10 samples of a problem. The chance of a correct solution has a Beta distribution over problems. Five such
    distributions, with the means 0.05, 0.2 and 0.5, were drawn 400 times each. The coverage is 86% to 97% with 20
    problems, 90% to 97% with 40, and 94% to 96% with 100. It is lowest for skewed values with the mean 0.05.
    """
    values = np.asarray(values_P, dtype=np.float64)
    mean = float(values.mean())
    means_R = np.sort(_resampled_means(values, np.random.default_rng(seed), resamples))
    deviations_P = values - mean
    spread = float((deviations_P**2).sum())
    if spread == 0:
        return mean, mean
    tolerance = 1e-12
    below = np.searchsorted(means_R, mean - tolerance) + np.searchsorted(means_R, mean + tolerance)
    normal = NormalDist()
    bias = normal.inv_cdf(min(max(float(below) / 2 / resamples, 1 / resamples), 1 - 1 / resamples))
    acceleration = float((deviations_P**3).sum()) / (6 * spread**1.5)
    z = normal_quantile(confidence)

    def percentile(quantile: float) -> float:
        shifted = bias + quantile
        scale = 1 - acceleration * shifted
        if scale <= 0:  # the correction has no finite value here, so the outermost resample is the bound
            return 1.0 if shifted > 0 else 0.0
        return normal.cdf(bias + shifted / scale)

    low, high = np.quantile(means_R, [percentile(-z), percentile(z)])
    return float(low), float(high)


def _resampled_means(values_P: Floats, generator: np.random.Generator, resamples: int) -> Floats:
    problems = len(values_P)
    rows = max(1, _CHUNK // problems)
    return in_chunks(
        resamples, rows, lambda count: values_P[generator.integers(0, problems, (count, problems))].mean(axis=1)
    )


def in_chunks(total: int, rows: int, draw: Callable[[int], Floats]) -> Floats:
    """Return `total` values from calls of `draw(count)` with at most `rows` values each, to limit the memory."""
    counts = [min(rows, total - start) for start in range(0, total, rows)]
    return np.concatenate([draw(count) for count in counts])
