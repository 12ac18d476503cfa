"""What is known of a judge, by hand."""

import pytest

from codepref.evaluation.judge_calibration import Rated, calibrate
from codepref.records import Judgment, Response


def rated(
    number: int,
    first: dict[int, int],
    *,
    backwards: dict[int, int] | None = None,
    repeats: tuple[dict[int, int], ...] = (),
    texts: tuple[str, ...] = ("a", "bb", "ccc"),
) -> Rated:
    responses = tuple(Response(f"t{number}", place, f"model-{place}", text) for place, text in enumerate(texts))
    task = Judgment(f"t{number}", "x", "style", responses, (), order=(0, 1, 2))
    return Rated(task, first, backwards, repeats)


def figures(*given: Rated, **more: object) -> dict[str, float]:
    return {figure.name: figure.value for figure in calibrate(given, **more).figures}  # type: ignore[arg-type]


def test_agreement_with_execution() -> None:
    passed = {("t0", 0): True, ("t0", 1): False, ("t0", 2): False, ("t1", 0): False, ("t1", 1): True}
    # t0: 0 passes with 4, against 2 (won) and 4 (tied): 0.75. t1: 1 passes with 1 against 5: lost. t1/2 is not known
    found = figures(rated(0, {0: 4, 1: 2, 2: 4}), rated(1, {0: 5, 1: 1, 2: 3}), passed=passed)
    assert found["agreement with execution"] == pytest.approx((0.75 + 0.0) / 2)


def test_order_and_self_agreement() -> None:
    one = rated(0, {0: 5, 1: 3, 2: 1}, backwards={0: 3, 1: 3, 2: 2}, repeats=({0: 5, 1: 3, 2: 2},))
    found = figures(one)
    assert found["same rating in reversed order"] == pytest.approx(1 / 3)
    # pairs (0, 1): now tied; (0, 2) and (1, 2): kept
    assert found["rank kept in reversed order"] == pytest.approx((0.5 + 1 + 1) / 3)
    # shown first: 5 - 3 = 2 points more; shown last: its earlier place was the second pass, 2 - 1 = 1 more
    assert found["gain of the earlier place"] == pytest.approx(1.5)
    assert found["same rating when asked again"] == pytest.approx(2 / 3)


def test_length_counts_among_equally_right_ones_only() -> None:
    one = rated(0, {0: 1, 1: 2, 2: 5})
    # bb over a, ccc over a, ccc over bb: the longer is always rated higher
    assert figures(one)["longer is rated higher"] == 1.0
    passed = {("t0", 0): False, ("t0", 1): False, ("t0", 2): True}
    assert figures(rated(0, {0: 2, 1: 1, 2: 5}), passed=passed)["longer is rated higher"] == 0.0


def test_the_judges_own_model() -> None:
    found = figures(rated(0, {0: 5, 1: 3, 2: 2}), own_models=frozenset({"model-0"}))
    assert found["own model's gain"] == pytest.approx((2 + 3) / 2)


def test_what_nothing_is_known_of_is_left_out_and_said() -> None:
    found = calibrate([rated(0, {0: 5})])
    assert "agreement with execution: nothing to go by" in found.notes
    assert found.counts["unjudged"] == 2
    assert calibrate([]).figures == []
