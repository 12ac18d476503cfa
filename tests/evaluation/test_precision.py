"""Precision against share kept, and the calibration table."""

from __future__ import annotations

import pytest

from codepref.errors import UserError
from codepref.evaluation.precision import Judged, calibration_table, precision_by_share


def ten() -> list[Judged]:
    """Ten problems of one pair each, the surer five right; listed least sure first."""
    return [Judged(f"t{at}", at / 10, at >= 5) for at in range(10)]


def test_the_surest_problems_are_kept_first() -> None:
    rows = precision_by_share(ten())
    assert [row.problems for row in rows] == list(range(1, 11))
    assert [row.precision.value for row in rows[:5]] == [1.0] * 5
    assert rows[-1].precision.value == 0.5  # 5 of 10
    assert rows[-1].precision.low < 0.5 < rows[-1].precision.high


def test_shares_are_of_all_problems_and_end_where_pairs_do() -> None:
    # 20 problems, 10 of them with a pair: 10% are 2 problems, 50% are all ten
    rows = precision_by_share(ten(), 20)
    assert [(row.share, row.problems) for row in rows] == [(0.1, 2), (0.2, 4), (0.3, 6), (0.4, 8), (0.5, 10)]
    assert rows[2].precision.value == pytest.approx(5 / 6)


def test_a_problem_counts_once_however_many_pairs_it_has() -> None:
    judged = [Judged("many", 0.9, False)] * 9 + [Judged("one", 0.8, True)]
    whole = precision_by_share(judged)[-1]
    assert (whole.problems, whole.pairs, whole.precision.value) == (2, 10, 0.5)


def test_bins_say_what_was_promised_and_what_was_right() -> None:
    judged = [Judged("a", 0.82, True), Judged("b", 0.88, False), Judged("c", 1.0, True)]
    low, high = calibration_table(judged)
    assert (low.low, low.high, low.pairs, low.right) == (0.8, 0.9, 2, 0.5)
    assert low.confidence == pytest.approx(0.85)
    assert (high.low, high.high, high.pairs, high.right) == (0.9, 1.0, 1, 1.0)
    assert high.interval == pytest.approx((0.2065, 1.0), abs=1e-4)  # 1 / (1 + 1.96^2)


def test_no_pair_gives_no_row() -> None:
    assert precision_by_share([]) == []
    assert precision_by_share([], 5) == []
    assert calibration_table([]) == []


@pytest.mark.parametrize("confidence", [-0.1, 1.5, float("nan")])
def test_a_confidence_outside_its_range_is_told(confidence: float) -> None:
    for look in (precision_by_share, calibration_table):
        with pytest.raises(UserError, match="between 0 and 1"):
            look([Judged("a", confidence, True)])


def test_fewer_problems_in_all_than_have_pairs_is_told() -> None:
    with pytest.raises(UserError, match="more than the 9"):
        precision_by_share(ten(), 9)
