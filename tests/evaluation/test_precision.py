"""Tests of the precision for a share of the problems, and of the calibration table."""

from __future__ import annotations

import numpy as np
import pytest

from codepref.errors import UserError
from codepref.evaluation.calibration import bin_of
from codepref.evaluation.precision import Judged, calibration_table, precision_by_share


def ten() -> list[Judged]:
    """Return ten pairs of ten problems in rising order of confidence. The five most confident pairs are right."""
    return [Judged(f"t{at}", at / 10, at >= 5) for at in range(10)]


def test_the_problems_with_the_highest_confidence_are_kept() -> None:
    rows = precision_by_share(ten())
    assert [row.problems for row in rows] == list(range(1, 11))
    assert [row.precision.value for row in rows[:5]] == [1.0] * 5
    assert rows[-1].precision.value == 0.5  # 5 of 10
    assert rows[-1].precision.low < 0.5 < rows[-1].precision.high


def test_shares_count_all_problems_and_stop_at_those_with_pairs() -> None:
    # 10 of 20 problems have a pair. 10% of all problems are 2, and 50% are the 10 problems with a pair.
    rows = precision_by_share(ten(), 20)
    assert [(row.share, row.problems) for row in rows] == [(0.1, 2), (0.2, 4), (0.3, 6), (0.4, 8), (0.5, 10)]
    assert rows[2].precision.value == pytest.approx(5 / 6)


def test_each_problem_has_the_same_weight() -> None:
    judged = [Judged("many", 0.9, False)] * 9 + [Judged("one", 0.8, True)]
    whole = precision_by_share(judged)[-1]
    assert (whole.problems, whole.pairs, whole.precision.value) == (2, 10, 0.5)


def test_bins_have_the_mean_confidence_and_the_share_of_right_pairs() -> None:
    judged = [Judged("a", 0.82, True), Judged("b", 0.88, False), Judged("c", 1.0, True)]
    low, high = calibration_table(judged)
    assert (low.low, low.high, low.pairs, low.right) == (0.8, 0.9, 2, 0.5)
    assert low.confidence == pytest.approx(0.85)
    assert (high.low, high.high, high.pairs, high.right) == (0.9, 1.0, 1, 1.0)
    assert high.interval == pytest.approx((0.2065, 1.0), abs=1e-4)  # 1 / (1 + 1.96^2)


def test_without_pairs_there_are_no_rows() -> None:
    assert precision_by_share([]) == []
    assert precision_by_share([], 5) == []
    assert calibration_table([]) == []


@pytest.mark.parametrize("confidence", [-0.1, 1.5, float("nan")])
def test_a_confidence_outside_0_to_1_is_refused(confidence: float) -> None:
    for function in (precision_by_share, calibration_table):
        with pytest.raises(UserError, match="between 0 and 1"):
            function([Judged("a", confidence, True)])


def test_a_total_below_the_number_of_problems_with_pairs_is_refused() -> None:
    with pytest.raises(UserError, match="more than problems_total = 9"):
        precision_by_share(ten(), 9)


@pytest.mark.parametrize("total", [10, 70, 90, 100, 290, 1000])
def test_each_tenth_of_the_problems_is_counted_exactly(total: int) -> None:
    judged = [Judged(f"t{number}", 0.5, True) for number in range(total)]
    assert [row.problems for row in precision_by_share(judged)] == [tenth * total // 10 for tenth in range(1, 11)]


def test_the_lower_end_of_a_bin_belongs_to_it_exactly() -> None:
    ends = [number / 100 for number in range(101)]
    # 0.29 * 100 is 28.999999999999996, but 0.29 belongs to bin 29
    assert bin_of(np.array(ends), bins=100).tolist() == [*range(100), 99]
    assert bin_of(np.array([0.0, 0.05, 0.1, 0.3, 0.95, 1.0])).tolist() == [0, 0, 1, 3, 9, 9]
