"""Measures calibration, such as whether 80% of the pairs with a confidence of 0.8 are right. Pure.

The axis N in array names stands for pairs.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def bin_of(confidence_N: npt.NDArray[np.float64], bins: int = 10) -> npt.NDArray[np.int64]:
    """Return an array (N,) with the number of the bin of each confidence.

    [0, 1] is divided into `bins` bins of equal width, numbered from 0. A bin includes its lower end, and the last bin
    also includes 1. The function compares each confidence with the ends of the bins. It does not multiply by the number
    of bins, because the product is not exact: 0.29 * 100 is 28.999999999999996, but 0.29 belongs to bin 29 of 100.
    """
    ends = np.arange(1, bins) / bins
    return np.searchsorted(ends, np.asarray(confidence_N, dtype=np.float64), side="right").astype(np.int64)


def expected_calibration_error(
    confidence_N: npt.NDArray[np.float64], right_N: npt.NDArray[np.bool_], bins: int = 10
) -> float:
    """Return the mean over bins of |mean confidence - share of right pairs|.

    The mean is weighted by the number of pairs in each bin. Source: Guo et al., arXiv 1706.04599, eq. 3. Without pairs
    the result is 0.
    """
    bin_N = bin_of(confidence_N, bins)
    error = 0.0
    for number in np.unique(bin_N):
        inside_N = bin_N == number
        error += inside_N.mean() * abs(float(np.mean(confidence_N[inside_N])) - float(np.mean(right_N[inside_N])))
    return float(error)
