"""Tests of the gate: which models are promoted, and the reasons for each decision."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codepref.evaluation.comparison import compare_values
from codepref.evaluation.gate import decide, problems_needed


def row(
    difference: float, low: float, high: float, p_value: float = 0.5, n: int = 200, name: str = "pass@1"
) -> dict[str, Any]:
    return {"name": name, "difference": difference, "low": low, "high": high, "p_value": p_value, "n": n}


@pytest.mark.parametrize(
    ("comparison", "promoted", "reason"),
    [
        (row(0.10, 0.06, 0.14, 0.001), True, "pass@1: not worse (+10.0 points, 95% interval +6.0 to +14.0)"),
        (row(0.002, -0.009, 0.013), True, "not worse"),  # the lower end of -0.9 points is above the margin of -1 point
        (row(-0.005, -0.009, -0.001, 0.01), True, "pass@1: worse, by less than 1 point (-0.5 points"),
        (row(0.0, -0.03, 0.03), False, "not shown to stay within 1 point of the base; about 1,800 problems"),
        (row(-0.05, -0.08, -0.02, 0.001), False, "the aligned model is worse (-5.0 points"),
        # the difference is below -1 point, so no number of problems would be enough
        (row(-0.02, -0.05, 0.01), False, "not shown to stay within 1 point of the base ("),
    ],
)
def test_a_model_is_promoted_if_its_interval_is_above_the_margin(
    comparison: dict[str, Any], promoted: bool, reason: str
) -> None:
    decision = decide([comparison], figures=["pass@1"])
    assert decision.promoted is promoted
    assert reason in decision.reasons[0]


def test_an_improvement_can_be_required() -> None:
    same, better = row(0.002, -0.009, 0.013), row(0.02, 0.001, 0.04, 0.04)
    assert not decide([same], figures=["pass@1"], require_better=True).promoted
    assert decide([better], figures=["pass@1"], require_better=True).promoted
    close = decide([better | {"p_value": 0.06}], figures=["pass@1"], require_better=True)
    assert not close.promoted
    # only the p-value is too large, so the reason names no number of problems
    assert close.reasons[0].startswith("pass@1: not shown to be better (")


def test_every_figure_must_pass_and_a_missing_figure_refuses() -> None:
    good, bad = row(0.1, 0.05, 0.15), row(-0.1, -0.15, -0.05, name="rubric score")
    decision = decide([good, bad], figures=["pass@1", "rubric score"])
    assert not decision.promoted
    assert decision.reasons[0].startswith("rubric score: the aligned model is worse")
    assert decide([good], figures=["pass@1", "pass@10"]).reasons[0] == "pass@10: was not compared"


def test_an_empty_list_of_figures_refuses() -> None:
    assert decide([row(-0.1, -0.15, -0.05)], figures=[]).reasons == ("the list of deciding figures is empty",)
    assert not decide([], figures=()).promoted


def test_the_number_of_problems_needed_equals_values_derived_by_hand() -> None:
    # the half-width is 3 points with 200 problems and must become 1 point, which takes 9 times as many problems
    assert problems_needed(row(0.0, -0.03, 0.03), 1.0) == 1800
    assert problems_needed(row(0.01, -0.03, 0.05), 1.0) == 800  # the half-width of 4 points must become 2
    assert problems_needed(row(-0.01, -0.03, 0.01), 1.0) == 0


@given(st.lists(st.integers(0, 10), min_size=20, max_size=60), st.integers(1, 4))
def test_a_model_that_loses_on_every_problem_is_never_promoted(correct: list[int], loss: int) -> None:
    base = [0.5 + 0.05 * value for value in correct]
    aligned = [value - 0.1 * loss for value in base]
    comparison = compare_values("pass@1", base, aligned)
    plain = {name: getattr(comparison, name) for name in ("name", "difference", "low", "high", "p_value", "n")}
    assert not decide([plain], figures=["pass@1"]).promoted


def test_the_baseline_is_reported_and_decides_only_with_beat_baseline() -> None:
    rows = [row(0.02, 0.01, 0.03, 0.01)]
    tie = [row(0.001, -0.01, 0.012, 0.8)]
    reported = decide(rows, figures=["pass@1"], baseline=tie)
    assert reported.promoted
    assert reported.baseline == (
        "pass@1: is not shown to be better than SFT on the chosen answers (+0.1 points, 95% interval -1.0 to +1.2)",
    )
    required = decide(rows, figures=["pass@1"], baseline=tie, beat_baseline=True)
    assert not required.promoted
    assert required.reasons[0] == reported.baseline[0]
    assert decide(rows, figures=["pass@1"], baseline=rows, beat_baseline=True).promoted
    assert not decide(rows, figures=["pass@1"], beat_baseline=True).promoted
    assert decide(rows, figures=["pass@1"]).baseline == ()


def test_of_the_lines_on_the_baseline_only_those_without_a_gain_are_reasons_against_the_model() -> None:
    gain = {**row(0.02, 0.01, 0.03, 0.01), "name": "pass@1 greedy"}
    tie = row(0.001, -0.01, 0.012, 0.8)
    rows = [{**gain}, row(0.02, 0.01, 0.03, 0.01)]
    figures = ["pass@1 greedy", "pass@1"]
    decision = decide(rows, figures=figures, baseline=[gain, tie], beat_baseline=True)
    assert [line.split(" SFT")[0] for line in decision.reasons] == [
        "pass@1: is not shown to be better than",
        "pass@1 greedy: not worse (+2.0 points, 95% interval +1.0 to +3.0)",
        "pass@1: not worse (+2.0 points, 95% interval +1.0 to +3.0)",
    ]
    assert len(decision.baseline) == 2
