"""Tests of pass@k and its intervals with values that were derived by hand, values of scipy, and general properties."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from codepref.errors import UserError
from codepref.evaluation.estimators import bootstrap_interval, pass_at_k, score, wilson_interval


def test_pass_at_k_equals_values_derived_by_hand() -> None:
    # n = 5, c = 2 gives 1 - C(3,2)/C(5,2) = 1 - 3/10. c = 0 gives 0. n - c < k gives 1. k = 1 gives c / n.
    assert pass_at_k([5, 5, 5], [2, 0, 4], 2) == pytest.approx([0.7, 0.0, 1.0])
    assert pass_at_k([4, 10], [1, 3], 1) == pytest.approx([0.25, 0.3])


@given(st.integers(1, 8).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(1, n))))
def test_pass_at_k_is_the_share_of_draws_with_a_correct_solution(case: tuple[int, int, int]) -> None:
    n, c, k = case
    draws = list(itertools.combinations(range(n), k))
    expected = sum(any(i < c for i in draw) for draw in draws) / len(draws)
    assert pass_at_k([n], [c], k)[0] == pytest.approx(expected)


def test_pass_at_k_of_many_samples_does_not_overflow() -> None:
    assert pass_at_k([100_000], [1], 100)[0] == pytest.approx(0.001)


@pytest.mark.parametrize(
    ("samples", "correct", "k", "message"),
    [
        ([10, 3], [1, 1], 5, "1 of 2 problems have fewer"),
        ([2], [3], 1, "3 correct among 2"),
        ([2], [1], 0, "at least 1"),
        ([2, 2], [1], 1, "the same length"),
    ],
)
def test_pass_at_k_refuses_impossible_counts(samples: list[int], correct: list[int], k: int, message: str) -> None:
    with pytest.raises(UserError, match=message):
        pass_at_k(samples, correct, k)


@pytest.mark.parametrize(("passed", "n"), [(0, 10), (10, 10), (3, 7), (82, 164), (1, 1)])
def test_the_wilson_interval_equals_that_of_scipy(passed: int, n: int) -> None:
    peer = stats.binomtest(passed, n).proportion_ci(method="wilson")
    assert wilson_interval(passed / n, n) == pytest.approx((peer.low, peer.high))


def test_the_bootstrap_interval_equals_the_bca_interval_of_scipy() -> None:
    values = np.random.default_rng(0).beta(0.4, 0.8, 80)
    peer = stats.bootstrap((values,), np.mean, method="BCa", n_resamples=10_000, rng=np.random.default_rng(1))
    low, high = bootstrap_interval(values, seed=2)
    assert low == pytest.approx(peer.confidence_interval.low, abs=0.004)
    assert high == pytest.approx(peer.confidence_interval.high, abs=0.004)


def test_the_interval_of_binary_values_is_wilsons() -> None:
    figure = score("pass@1 greedy", [1, 0, 1, 1], [1, 1, 1, 1])
    peer = stats.binomtest(3, 4).proportion_ci(method="wilson")
    assert (figure.value, figure.low, figure.high) == pytest.approx((0.75, peer.low, peer.high))
    assert (figure.n, figure.samples) == (4, 4)


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("problems", [1, 3, 40])
def test_the_interval_of_equal_values_has_a_width(value: float, problems: int) -> None:
    figure = score("pass@1", [value] * problems, [10] * problems)
    assert figure.low <= value <= figure.high
    assert 0 <= figure.low < figure.high <= 1


def test_values_that_differ_only_by_rounding_count_as_equal() -> None:
    values = pass_at_k([10] * 20 + [8] * 20, [5] * 20 + [4] * 20, 1)
    assert len(set(values)) == 2  # 0.5 and a number that differs from it by rounding
    figure = score("pass@1", values, [10] * 40)
    assert (figure.low, figure.high) == pytest.approx(wilson_interval(0.5, 40))


def test_more_samples_of_a_problem_do_not_make_the_interval_narrower() -> None:
    values = [0.0, 1.0] * 5 + [0.5] * 10
    few, many = (score("pass@1", values, [n] * 20) for n in (2, 200))
    assert (few.low, few.high) == (many.low, many.high)


def test_the_same_seed_gives_the_same_interval() -> None:
    values = np.linspace(0, 1, 30)
    one, again, other = (score("pass@1", values, [9] * 30, seed=seed) for seed in (1, 1, 2))
    assert one == again
    assert one != other


@given(st.lists(st.integers(0, 10), min_size=1, max_size=60), st.integers(0, 3))
def test_the_interval_contains_the_mean_and_stays_between_0_and_1(correct: list[int], seed: int) -> None:
    figure = score("pass@1", np.array(correct) / 10, [10] * len(correct), seed=seed)
    assert 0 <= figure.low <= figure.value <= figure.high <= 1


@pytest.mark.parametrize("values", [[], [1.5], [float("nan")]])
def test_values_without_a_mean_between_0_and_1_are_refused(values: list[float]) -> None:
    with pytest.raises(UserError, match=r"pass@1: "):
        score("pass@1", values, [1] * len(values))


def test_a_higher_confidence_gives_a_wider_interval() -> None:
    values = np.random.default_rng(5).random(50)
    narrow, wide = (score("pass@1", values, [5] * 50, confidence=c) for c in (0.8, 0.99))
    assert wide.low < narrow.low < narrow.high < wide.high
    with pytest.raises(UserError, match="confidence"):
        score("pass@1", values, [5] * 50, confidence=95)
