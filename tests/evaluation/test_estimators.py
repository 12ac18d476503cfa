"""pass@k and its intervals, against values derived by hand, scipy's, and properties."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from codepref.errors import UserError
from codepref.evaluation.estimators import bootstrap_interval, pass_at_k, score, wilson_interval


def test_pass_at_k_by_hand() -> None:
    # 1 - C(3,2)/C(5,2) = 1 - 3/10; c = 0 gives 0; n - c < k gives 1; k = 1 gives c / n
    assert pass_at_k([5, 5, 5], [2, 0, 4], 2) == pytest.approx([0.7, 0.0, 1.0])
    assert pass_at_k([4, 10], [1, 3], 1) == pytest.approx([0.25, 0.3])


@given(st.integers(1, 8).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(1, n))))
def test_pass_at_k_is_the_share_of_draws_with_a_correct_one(case: tuple[int, int, int]) -> None:
    n, c, k = case
    draws = list(itertools.combinations(range(n), k))
    expected = sum(any(i < c for i in draw) for draw in draws) / len(draws)
    assert pass_at_k([n], [c], k)[0] == pytest.approx(expected)


def test_pass_at_k_of_many_samples_does_not_overflow() -> None:
    assert pass_at_k([100_000], [1], 100)[0] == pytest.approx(0.001)


@pytest.mark.parametrize(
    ("samples", "correct", "k", "says"),
    [
        ([10, 3], [1, 1], 5, "1 of 2 problems have fewer"),
        ([2], [3], 1, "3 correct among 2"),
        ([2], [1], 0, "at least 1"),
        ([2, 2], [1], 1, "the same length"),
    ],
)
def test_pass_at_k_refuses(samples: list[int], correct: list[int], k: int, says: str) -> None:
    with pytest.raises(UserError, match=says):
        pass_at_k(samples, correct, k)


@pytest.mark.parametrize(("passed", "n"), [(0, 10), (10, 10), (3, 7), (82, 164), (1, 1)])
def test_wilson_is_scipys(passed: int, n: int) -> None:
    peer = stats.binomtest(passed, n).proportion_ci(method="wilson")
    assert wilson_interval(passed / n, n) == pytest.approx((peer.low, peer.high))


def test_bootstrap_is_scipys_bca() -> None:
    values = np.random.default_rng(0).beta(0.4, 0.8, 80)
    peer = stats.bootstrap((values,), np.mean, method="BCa", n_resamples=10_000, rng=np.random.default_rng(1))
    low, high = bootstrap_interval(values, seed=2)
    assert low == pytest.approx(peer.confidence_interval.low, abs=0.004)
    assert high == pytest.approx(peer.confidence_interval.high, abs=0.004)


def test_score_of_greedy_values_is_wilsons() -> None:
    found = score("pass@1 greedy", [1, 0, 1, 1], [1, 1, 1, 1])
    peer = stats.binomtest(3, 4).proportion_ci(method="wilson")
    assert (found.value, found.low, found.high) == pytest.approx((0.75, peer.low, peer.high))
    assert (found.n, found.samples) == (4, 4)


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("problems", [1, 3, 40])
def test_equal_values_still_have_an_interval(value: float, problems: int) -> None:
    found = score("pass@1", [value] * problems, [10] * problems)
    assert found.low <= value <= found.high
    assert 0 <= found.low < found.high <= 1


def test_values_that_differ_by_rounding_alone_are_equal() -> None:
    values = pass_at_k([10] * 20 + [8] * 20, [5] * 20 + [4] * 20, 1)
    assert len(set(values)) == 2  # 0.5, and 0.5 less the last bit
    found = score("pass@1", values, [10] * 40)
    assert (found.low, found.high) == pytest.approx(wilson_interval(0.5, 40))


def test_samples_of_one_problem_do_not_narrow_the_interval() -> None:
    values = [0.0, 1.0] * 5 + [0.5] * 10
    few, many = (score("pass@1", values, [n] * 20) for n in (2, 200))
    assert (few.low, few.high) == (many.low, many.high)


def test_the_seed_decides() -> None:
    values = np.linspace(0, 1, 30)
    one, again, other = (score("pass@1", values, [9] * 30, seed=seed) for seed in (1, 1, 2))
    assert one == again
    assert one != other


@given(st.lists(st.integers(0, 10), min_size=1, max_size=60), st.integers(0, 3))
def test_the_interval_holds_the_mean_and_stays_inside(correct: list[int], seed: int) -> None:
    found = score("pass@1", np.array(correct) / 10, [10] * len(correct), seed=seed)
    assert 0 <= found.low <= found.value <= found.high <= 1


@pytest.mark.parametrize("values", [[], [1.5], [float("nan")]])
def test_score_refuses(values: list[float]) -> None:
    with pytest.raises(UserError, match=r"pass@1: "):
        score("pass@1", values, [1] * len(values))


def test_a_wider_confidence_is_a_wider_interval() -> None:
    values = np.random.default_rng(5).random(50)
    narrow, wide = (score("pass@1", values, [5] * 50, confidence=c) for c in (0.8, 0.99))
    assert wide.low < narrow.low < narrow.high < wide.high
    with pytest.raises(UserError, match="confidence"):
        score("pass@1", values, [5] * 50, confidence=95)
