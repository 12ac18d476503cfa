"""Tests of paired comparisons with values that were derived by hand and values of scipy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from codepref.errors import UserError
from codepref.evaluation.comparison import bonett_price_interval, compare_values, mcnemar_exact, sign_flip_test


def test_the_counts_and_the_difference_are_those_derived_by_hand() -> None:
    comparison = compare_values("pass@1 greedy", [0, 0, 0, 1, 1], [1, 1, 0, 1, 0])
    assert (comparison.base, comparison.aligned, comparison.difference) == pytest.approx((0.4, 0.6, 0.2))
    assert (comparison.wins, comparison.losses, comparison.ties, comparison.n) == (2, 1, 2, 5)
    assert (comparison.test, comparison.p_value) == ("exact McNemar", 1.0)
    assert not comparison.settled


@pytest.mark.parametrize(("wins", "losses"), [(8, 2), (0, 0), (5, 5), (20, 3), (0, 7), (700, 600)])
def test_the_mcnemar_test_equals_the_binomial_test_of_scipy(wins: int, losses: int) -> None:
    expected = stats.binomtest(wins, wins + losses).pvalue if wins + losses else 1.0
    assert mcnemar_exact(wins, losses) == pytest.approx(expected)


def test_the_mcnemar_test_of_thousands_of_problems_does_not_overflow() -> None:
    assert mcnemar_exact(5_000, 100) == pytest.approx(0.0, abs=1e-300)


def test_the_bonett_price_interval_is_the_one_derived_by_hand() -> None:
    # n = 98 gives the shares (9+1)/100 and (4+1)/100, so the interval is 0.05 -+ 1.96 sqrt((0.15 - 0.0025) / 100)
    assert bonett_price_interval(9, 4, 98) == pytest.approx((0.05 - 0.07527, 0.05 + 0.07527), abs=1e-4)


def test_the_sign_flip_test_equals_values_by_hand_and_of_scipy() -> None:
    assert sign_flip_test([0.1, 0.2, 0.3]) == pytest.approx(0.25)
    assert sign_flip_test([0.1, 0.2, 0.3, 0.0, 0.0]) == pytest.approx(0.25)
    assert sign_flip_test([0.0] * 5) == 1.0
    differences = np.random.default_rng(3).normal(0.1, 0.2, 60)
    peer = stats.permutation_test((differences,), np.mean, permutation_type="samples", n_resamples=20_000, rng=1)
    assert sign_flip_test(differences) == pytest.approx(peer.pvalue, rel=0.5)


def test_drawn_sign_flips_agree_with_the_exact_test() -> None:
    # All 15 differences have the same size and 12 are positive, so the binomial test of scipy is the same test.
    differences = [0.1] * 12 + [-0.1] * 3
    assert sign_flip_test(differences, resamples=40_000) == pytest.approx(stats.binomtest(12, 15).pvalue, rel=0.1)


def test_a_small_gain_on_every_problem_is_shown_by_the_paired_difference() -> None:
    base = np.linspace(0, 0.8, 50)
    comparison = compare_values("pass@1", base, base + np.tile([0.05, 0.15], 25))
    assert comparison.difference == pytest.approx(0.1)
    assert 0.08 < comparison.low < 0.1 < comparison.high < 0.12
    assert comparison.p_value == pytest.approx(1 / 10_001)
    assert comparison.settled


def test_equal_values_are_a_tie_whose_interval_has_a_width() -> None:
    for values in ([0.3, 0.5] * 10, [0, 1] * 10):
        comparison = compare_values("pass@1", values, values)
        assert comparison.p_value == 1.0
        assert comparison.low < 0 < comparison.high
        assert not comparison.settled


def test_swapping_the_sides_changes_the_sign_of_the_difference() -> None:
    base, aligned = [0.1, 0.4, 0.9, 0.2] * 2, [0.3, 0.8, 0.9, 0.1] * 2
    one, other = compare_values("x", base, aligned), compare_values("x", aligned, base)
    assert (one.difference, one.low, one.high) == pytest.approx((-other.difference, -other.high, -other.low))
    assert (one.p_value, one.wins, one.losses) == (other.p_value, other.losses, other.wins)


@given(st.lists(st.tuples(st.integers(0, 10), st.integers(0, 10)), min_size=1, max_size=40))
def test_the_interval_contains_the_difference(pairs: list[tuple[int, int]]) -> None:
    base, aligned = (np.array(side) / 10 for side in zip(*pairs, strict=True))
    comparison = compare_values("x", base, aligned)
    assert -1 <= comparison.low <= comparison.difference <= comparison.high <= 1
    assert 0 < comparison.p_value <= 1
    assert comparison.wins + comparison.losses + comparison.ties == comparison.n == len(pairs)


def test_one_problem_does_not_show_a_difference() -> None:
    for base, aligned in (([0], [1]), ([0.1], [0.9])):
        assert not compare_values("x", base, aligned).settled


@pytest.mark.parametrize(("base", "aligned"), [([], []), ([1], [1, 0]), ([2], [1])])
def test_values_that_cannot_be_paired_are_refused(base: list[float], aligned: list[float]) -> None:
    with pytest.raises(UserError, match=r"^x: "):
        compare_values("x", base, aligned)
