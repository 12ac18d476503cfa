"""Paired comparisons against values derived by hand and scipy's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from codepref.errors import UserError
from codepref.evaluation.comparison import bonett_price_interval, compare_values, mcnemar_exact, sign_flip_test


def test_counts_and_difference_by_hand() -> None:
    found = compare_values("pass@1 greedy", [0, 0, 0, 1, 1], [1, 1, 0, 1, 0])
    assert (found.base, found.aligned, found.difference) == pytest.approx((0.4, 0.6, 0.2))
    assert (found.wins, found.losses, found.ties, found.n) == (2, 1, 2, 5)
    assert (found.test, found.p_value) == ("exact McNemar", 1.0)
    assert not found.settled


@pytest.mark.parametrize(("wins", "losses"), [(8, 2), (0, 0), (5, 5), (20, 3), (0, 7), (700, 600)])
def test_mcnemar_is_scipys_sign_test(wins: int, losses: int) -> None:
    expected = stats.binomtest(wins, wins + losses).pvalue if wins + losses else 1.0
    assert mcnemar_exact(wins, losses) == pytest.approx(expected)


def test_mcnemar_of_thousands_of_problems() -> None:
    assert mcnemar_exact(5_000, 100) == pytest.approx(0.0, abs=1e-300)


def test_bonett_price_by_hand() -> None:
    # n = 98: (9+1)/100 and (4+1)/100, so 0.05 -+ 1.96 sqrt((0.15 - 0.0025) / 100)
    assert bonett_price_interval(9, 4, 98) == pytest.approx((0.05 - 0.07527, 0.05 + 0.07527), abs=1e-4)


def test_sign_flip_by_hand_and_scipy() -> None:
    assert sign_flip_test([0.1, 0.2, 0.3]) == pytest.approx(0.25)
    assert sign_flip_test([0.1, 0.2, 0.3, 0.0, 0.0]) == pytest.approx(0.25)
    assert sign_flip_test([0.0] * 5) == 1.0
    differences = np.random.default_rng(3).normal(0.1, 0.2, 60)
    peer = stats.permutation_test((differences,), np.mean, permutation_type="samples", n_resamples=20_000, rng=1)
    assert sign_flip_test(differences) == pytest.approx(peer.pvalue, rel=0.5)


def test_drawn_flips_agree_with_enumerated_ones() -> None:
    # eleven of fifteen equal steps up: the sign test of scipy is the same test
    differences = [0.1] * 12 + [-0.1] * 3
    assert sign_flip_test(differences, resamples=40_000) == pytest.approx(stats.binomtest(12, 15).pvalue, rel=0.1)


def test_a_clear_gain_is_settled_and_pairing_is_what_shows_it() -> None:
    base = np.linspace(0, 0.8, 50)
    found = compare_values("pass@1", base, base + np.tile([0.05, 0.15], 25))
    assert found.difference == pytest.approx(0.1)
    assert 0.08 < found.low < 0.1 < found.high < 0.12
    assert found.p_value == pytest.approx(1 / 10_001)
    assert found.settled


def test_the_same_values_are_a_tie_with_a_width() -> None:
    for values in ([0.3, 0.5] * 10, [0, 1] * 10):
        found = compare_values("pass@1", values, values)
        assert found.p_value == 1.0
        assert found.low < 0 < found.high
        assert not found.settled


def test_swapping_sides_turns_the_sign() -> None:
    base, aligned = [0.1, 0.4, 0.9, 0.2] * 2, [0.3, 0.8, 0.9, 0.1] * 2
    one, other = compare_values("x", base, aligned), compare_values("x", aligned, base)
    assert (one.difference, one.low, one.high) == pytest.approx((-other.difference, -other.high, -other.low))
    assert (one.p_value, one.wins, one.losses) == (other.p_value, other.losses, other.wins)


@given(st.lists(st.tuples(st.integers(0, 10), st.integers(0, 10)), min_size=1, max_size=40))
def test_the_interval_holds_the_difference(pairs: list[tuple[int, int]]) -> None:
    base, aligned = (np.array(side) / 10 for side in zip(*pairs, strict=True))
    found = compare_values("x", base, aligned)
    assert -1 <= found.low <= found.difference <= found.high <= 1
    assert 0 < found.p_value <= 1
    assert found.wins + found.losses + found.ties == found.n == len(pairs)


def test_one_problem_settles_nothing() -> None:
    for base, aligned in (([0], [1]), ([0.1], [0.9])):
        assert not compare_values("x", base, aligned).settled


@pytest.mark.parametrize(("base", "aligned"), [([], []), ([1], [1, 0]), ([2], [1])])
def test_refuses(base: list[float], aligned: list[float]) -> None:
    with pytest.raises(UserError, match=r"^x: "):
        compare_values("x", base, aligned)
