"""Figures in words: a reader must never be told more than the figures say."""

from __future__ import annotations

from typing import Any

import pytest

from codepref.reports.wording import (
    cautions,
    figure_name,
    headline,
    interval,
    p_value,
    points,
    scale_note,
    seconds,
    tone_of,
    true_minus,
)


def comparison(name: str, difference: float, low: float, high: float, p: float) -> dict[str, Any]:
    return {"name": name, "difference": difference, "low": low, "high": high, "p_value": p}


@pytest.mark.parametrize(
    ("share", "signed", "text"),
    [
        (0.12345, False, "12.3"),
        (0.12345, True, "+12.3"),
        (-0.2, True, "-20.0"),
        (-0.0004, True, "0.0"),
        (-0.0004, False, "0.0"),
        (1, False, "100.0"),
        (None, False, "–"),
        (float("nan"), True, "–"),
    ],
)
def test_points(share: Any, signed: bool, text: str) -> None:
    assert points(share, signed=signed) == text


def test_small_formats() -> None:
    assert [p_value(p) for p in (0.0, 0.0009, 0.0123, 0.5, 1.0, None)] == [
        "<0.001",
        "<0.001",
        "0.012",
        "0.50",
        "1.00",
        "–",
    ]
    assert [seconds(s) for s in (0.04, 12.34, 99.96, 185, 3599.7, 7620)] == [
        "0.0 s",
        "12.3 s",
        "1 min 40 s",
        "3 min 05 s",
        "1 h 00 min",
        "2 h 07 min",
    ]
    assert interval({"low": 0.1, "high": None}) == ""
    assert true_minus("-1.8 to +1.6, pass-1, 3-4, 1e-5") == "−1.8 to +1.6, pass-1, 3-4, 1e-5"


def test_a_tie_is_a_tie_also_when_only_one_of_interval_and_test_says_so() -> None:
    assert tone_of(comparison("x", 0.1, 0.02, 0.2, 0.01)) == "better"
    assert tone_of(comparison("x", -0.1, -0.2, -0.02, 0.01)) == "worse"
    assert tone_of(comparison("x", 0.1, -0.01, 0.2, 0.01)) == "tie"
    assert tone_of(comparison("x", 0.1, 0.01, 0.2, 0.06)) == "tie"
    assert tone_of({}) == "unknown"


def test_headline_of_a_gain_a_loss_and_a_tie() -> None:
    found = headline({"comparison": [comparison("pass@1", 0.1, 0.05, 0.151, 0.0001)]})
    assert found.tone == "better"
    assert found.title == "The aligned model is better: sampled pass@1 rose by 10.0 points (95% interval 5.0 to 15.1)."
    found = headline({"comparison": [comparison("pass@1", -0.1, -0.151, -0.05, 0.0001)]})
    assert found.title == "The aligned model is worse: sampled pass@1 fell by 10.0 points (95% interval 5.0 to 15.1)."
    found = headline({"comparison": [comparison("pass@1", 0.01, -0.02, 0.04, 0.4)]})
    assert found.tone == "tie"
    assert found.title.startswith("No difference can be told in sampled pass@1: it changed by +1.0 points")


def test_a_gain_beside_a_loss_is_mixed_and_names_both() -> None:
    gain, loss = comparison("pass@1", 0.1, 0.05, 0.15, 0.001), comparison("pass@1 greedy", -0.1, -0.2, -0.05, 0.001)
    found = headline({"comparison": [loss, gain]})
    assert found.tone == "mixed"
    assert "sampled pass@1 rose" in found.title
    assert found.sentences == ("Greedy pass@1 fell by 10.0 points (95% interval 5.0 to 20.0), p = 0.001.",)


@pytest.mark.parametrize(
    ("summary", "says"),
    [
        ({}, "No model has been scored"),
        ({"scores": {"base": [{"name": "pass@1"}]}}, "the aligned model is not"),
        ({"scores": {"base": [{}], "aligned": [{}]}, "comparison": []}, "have not been compared"),
    ],
)
def test_unfinished_runs_claim_nothing(summary: dict[str, Any], says: str) -> None:
    assert says in headline(summary).title
    assert headline(summary).tone == "unknown"


def test_reward_accuracy_without_a_gain_is_pointed_out() -> None:
    curve = [{"step": i, "accuracy": 0.5 + 0.05 * i, "chosen_logp": -20.0 - 3 * i} for i in range(10)]
    tie, gain = comparison("pass@1", 0.0, -0.1, 0.1, 1.0), comparison("pass@1", 0.2, 0.1, 0.3, 0.001)
    told = " ".join(cautions({"training": {"method": "dpo", "curve": curve}, "comparison": [tie]}))
    assert "Reward accuracy ended at 95.0%" in told
    assert "less likely in training (log-probability -20.0 to -47.0)" in told
    assert "Reward accuracy" not in " ".join(cautions({"training": {"curve": curve}, "comparison": [gain]}))


def test_other_cautions() -> None:
    summary = {
        "training": {"method": "dpo", "first_loss": 0.5726},
        "pairs": {"share_right": {"value": 0.31}},
        "verdicts": {"own tests": {"P": 3, "I": 2}},
    }
    told = cautions(summary)
    assert [part in text for part, text in zip(("0.5726", "Only 31.0%", "2 verdicts"), told, strict=True)] == [True] * 3
    assert cautions({"training": {"method": "dpo", "first_loss": 0.69315}, "verdicts": {"x": {"P": 1, "I": 0}}}) == []


def test_a_judges_score_keeps_its_name_and_its_scale_is_told() -> None:
    assert figure_name("rubric score") == "rubric score"
    assert figure_name("pass@1 greedy") == "greedy pass@1"
    assert scale_note(["pass@1", "rubric score", "rubric score"]) == (
        "rubric score: 0 is the scale's lowest rating, 100 its highest"
    )
    assert scale_note(["pass@1"]) == ""
    rows = [comparison("pass@1", 0.1, 0.05, 0.15, 0.001), comparison("rubric score", 0.04, 0.02, 0.06, 0.001)]
    found = headline({"comparison": rows})
    assert found.title == "The aligned model is better: sampled pass@1 rose by 10.0 points (95% interval 5.0 to 15.0)."
    assert found.sentences == ("Rubric score rose by 4.0 points (95% interval 2.0 to 6.0), p = 0.001.",)


def test_pairs_from_ratings_need_not_differ_by_the_tests() -> None:
    pairs = {"share_right": {"value": 0.4}}
    assert cautions({"pairs": pairs})
    assert not cautions({"pairs": pairs, "recipe_resolved": {"pairing": {"rule": "tests-then-rating"}}})
