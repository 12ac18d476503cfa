"""The gate: what is promoted and what is not, and why."""

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
    ("given_row", "promoted", "words"),
    [
        (row(0.10, 0.06, 0.14, 0.001), True, "pass@1: not worse (+10.0 points, 95% interval +6.0 to +14.0)"),
        (row(0.002, -0.009, 0.013), True, "not worse"),  # -0.9 is above -1
        (row(-0.005, -0.009, -0.001, 0.01), True, "pass@1: worse, by less than 1 point (-0.5 points"),
        (row(0.0, -0.03, 0.03), False, "not shown to stay within 1 point of the base; about 1,800 problems"),
        (row(-0.05, -0.08, -0.02, 0.001), False, "the aligned model is worse (-5.0 points"),
        (row(-0.02, -0.05, 0.01), False, "not shown to stay within 1 point of the base ("),  # no number would help
    ],
)
def test_what_is_shown_and_what_is_not(given_row: dict[str, Any], promoted: bool, words: str) -> None:
    decision = decide([given_row], figures=["pass@1"])
    assert decision.promoted is promoted
    assert words in decision.reasons[0]


def test_better_can_be_asked_for() -> None:
    same, better = row(0.002, -0.009, 0.013), row(0.02, 0.001, 0.04, 0.04)
    assert not decide([same], figures=["pass@1"], require_better=True).promoted
    assert decide([better], figures=["pass@1"], require_better=True).promoted
    close = decide([better | {"p_value": 0.06}], figures=["pass@1"], require_better=True)
    assert not close.promoted
    assert close.reasons[0].startswith("pass@1: not shown to be better (")  # and not by fewer problems than there are


def test_every_figure_must_pass_and_one_that_is_missing_refuses() -> None:
    good, bad = row(0.1, 0.05, 0.15), row(-0.1, -0.15, -0.05, name="rubric score")
    decision = decide([good, bad], figures=["pass@1", "rubric score"])
    assert not decision.promoted
    assert decision.reasons[0].startswith("rubric score: the aligned model is worse")
    assert decide([good], figures=["pass@1", "pass@10"]).reasons[0] == "pass@10: was not compared"


def test_no_figure_promotes_nothing() -> None:
    assert decide([row(-0.1, -0.15, -0.05)], figures=[]).reasons == ("the list of deciding figures is empty",)
    assert not decide([], figures=()).promoted


def test_problems_needed_by_hand() -> None:
    # half-width 3 points at 200 problems must become 1: 9 times as many
    assert problems_needed(row(0.0, -0.03, 0.03), 1.0) == 1800
    assert problems_needed(row(0.01, -0.03, 0.05), 1.0) == 800  # width 4 must become 2
    assert problems_needed(row(-0.01, -0.03, 0.01), 1.0) == 0


@given(st.lists(st.integers(0, 10), min_size=20, max_size=60), st.integers(1, 4))
def test_a_model_that_loses_on_every_problem_is_never_promoted(correct: list[int], loss: int) -> None:
    base = [0.5 + 0.05 * value for value in correct]
    aligned = [value - 0.1 * loss for value in base]
    found = compare_values("pass@1", base, aligned)
    plain = {name: getattr(found, name) for name in ("name", "difference", "low", "high", "p_value", "n")}
    assert not decide([plain], figures=["pass@1"]).promoted
