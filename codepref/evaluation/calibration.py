"""Whether a confidence means what it says. Pure."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def bin_of(confidence_N: npt.NDArray[np.float64], bins: int = 10) -> npt.NDArray[np.int64]:
    """Array (N,): the place of each confidence among `bins` equal parts of [0, 1]; 1 is in the last."""
    return np.minimum((np.asarray(confidence_N) * bins).astype(np.int64), bins - 1)


def expected_calibration_error(
    confidence_N: npt.NDArray[np.float64], right_N: npt.NDArray[np.bool_], bins: int = 10
) -> float:
    """Sum over bins of the share of pairs in it times |mean confidence - share right| (Guo et al., arXiv 1706.04599,
    eq. 3). 0 where there is no pair.
    """
    places = bin_of(confidence_N, bins)
    error = 0.0
    for place in np.unique(places):
        mine = places == place
        error += mine.mean() * abs(float(np.mean(confidence_N[mine])) - float(np.mean(right_N[mine])))
    return float(error)
