"""Tests of the figures about a judge, with values that were derived by hand."""

import pytest

from codepref.evaluation.judge_calibration import Rated, calibrate
from codepref.records import Judgment, Rating, Response


def rated(
    number: int,
    first: dict[int, int],
    *,
    backwards: dict[int, int] | None = None,
    repeats: tuple[dict[int, int], ...] = (),
    texts: tuple[str, ...] = ("a", "bb", "ccc"),
) -> Rated:
    responses = tuple(Response(f"t{number}", place, f"model-{place}", text) for place, text in enumerate(texts))
    ratings = tuple(Rating(place, first.get(place)) for place in range(len(texts)))
    task = Judgment(f"t{number}", "x", "style", responses, ratings, order=(0, 1, 2))
    return Rated(task, first, backwards, repeats)


def figures(*tasks: Rated, **more: object) -> dict[str, float]:
    return {figure.name: figure.value for figure in calibrate(tasks, **more).figures}  # type: ignore[arg-type]


def test_agreement_with_execution_counts_correct_over_wrong_responses() -> None:
    passed = {("t0", 0): True, ("t0", 1): False, ("t0", 2): False, ("t1", 0): False, ("t1", 1): True}
    # In t0 the correct response has the rating 4. The wrong responses have 2, which is a win, and 4, which is a tie. So
    # the share is 0.75. In t1 the correct response has 1 and the wrong one 5, which is a loss. The correctness of the
    # third response of t1 is unknown.
    values = figures(rated(0, {0: 4, 1: 2, 2: 4}), rated(1, {0: 5, 1: 1, 2: 3}), passed=passed)
    assert values["agreement with execution"] == pytest.approx((0.75 + 0.0) / 2)


def test_figures_about_reversed_order_and_repeated_questions() -> None:
    one = rated(0, {0: 5, 1: 3, 2: 1}, backwards={0: 3, 1: 3, 2: 2}, repeats=({0: 5, 1: 3, 2: 2},))
    values = figures(one)
    assert values["same rating in reversed order"] == pytest.approx(1 / 3)
    # in the reversed pass the pair (0, 1) is a tie, and the pairs (0, 2) and (1, 2) keep their order
    assert values["rank kept in reversed order"] == pytest.approx((0.5 + 1 + 1) / 3)
    # Response 0 is shown early in the first pass and gains 5 - 3 = 2 points. Response 2 is shown early in the reversed
    # pass and gains 2 - 1 = 1 point.
    assert values["gain of the earlier place"] == pytest.approx(1.5)
    assert values["same rating when asked again"] == pytest.approx(2 / 3)


def test_length_is_compared_only_among_equally_correct_responses() -> None:
    one = rated(0, {0: 1, 1: 2, 2: 5})
    # the pairs are bb and a, ccc and a, ccc and bb; in each of them the longer response is rated higher
    assert figures(one)["longer is rated higher"] == 1.0
    passed = {("t0", 0): False, ("t0", 1): False, ("t0", 2): True}
    assert figures(rated(0, {0: 2, 1: 1, 2: 5}), passed=passed)["longer is rated higher"] == 0.0


def test_the_gain_of_the_judges_own_model() -> None:
    values = figures(rated(0, {0: 5, 1: 3, 2: 2}), own_models=frozenset({"model-0"}))
    assert values["own model's gain"] == pytest.approx((2 + 3) / 2)


def test_a_figure_without_data_is_left_out_with_a_note() -> None:
    calibration = calibrate([rated(0, {0: 5})])
    assert "agreement with execution: no data" in calibration.notes
    assert calibration.counts["unjudged"] == 2
    assert calibrate([]).figures == []
