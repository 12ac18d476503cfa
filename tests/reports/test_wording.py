"""Sentences about figures do not claim more than the figures show."""

from __future__ import annotations

from typing import Any

import pytest

from codepref.reports.cautions import cautions
from codepref.reports.training_section import training
from codepref.reports.wording import (
    figure_name,
    headline,
    interval,
    p_value,
    points,
    scale_note,
    seconds,
    sentence_case,
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
def test_a_share_becomes_percent_with_one_decimal(share: Any, signed: bool, text: str) -> None:
    assert points(share, signed=signed) == text


def test_p_values_durations_intervals_and_minus_signs_as_text() -> None:
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


def test_a_difference_counts_only_where_interval_and_test_agree() -> None:
    assert tone_of(comparison("x", 0.1, 0.02, 0.2, 0.01)) == "better"
    assert tone_of(comparison("x", -0.1, -0.2, -0.02, 0.01)) == "worse"
    assert tone_of(comparison("x", 0.1, -0.01, 0.2, 0.01)) == "tie"
    assert tone_of(comparison("x", 0.1, 0.01, 0.2, 0.06)) == "tie"
    assert tone_of({}) == "unknown"


def test_the_headline_of_a_gain_a_loss_and_a_tie() -> None:
    result = headline({"comparison": [comparison("pass@1", 0.1, 0.05, 0.151, 0.0001)]})
    assert result.tone == "better"
    assert result.title == "The aligned model is better: sampled pass@1 rose by 10.0 points (95% interval 5.0 to 15.1)."
    result = headline({"comparison": [comparison("pass@1", -0.1, -0.151, -0.05, 0.0001)]})
    assert result.title == "The aligned model is worse: sampled pass@1 fell by 10.0 points (95% interval 5.0 to 15.1)."
    result = headline({"comparison": [comparison("pass@1", 0.01, -0.02, 0.04, 0.4)]})
    assert result.tone == "tie"
    assert result.title.startswith("No difference is shown in sampled pass@1: it changed by +1.0 points")


def test_a_gain_beside_a_loss_is_a_mixed_result_that_names_both() -> None:
    gain, loss = comparison("pass@1", 0.1, 0.05, 0.15, 0.001), comparison("pass@1 greedy", -0.1, -0.2, -0.05, 0.001)
    result = headline({"comparison": [loss, gain]})
    assert result.tone == "mixed"
    assert "sampled pass@1 rose" in result.title
    assert result.sentences == ("Greedy pass@1 fell by 10.0 points (95% interval 5.0 to 20.0), p = 0.001.",)


@pytest.mark.parametrize(
    ("summary", "text"),
    [
        ({}, "No model has been scored"),
        ({"scores": {"base": [{"name": "pass@1"}]}}, "The aligned model is not scored yet"),
        ({"scores": {"base": [{}], "aligned": [{}]}, "comparison": []}, "have not been compared"),
    ],
)
def test_an_unfinished_run_claims_no_result(summary: dict[str, Any], text: str) -> None:
    assert text in headline(summary).title
    assert headline(summary).tone == "unknown"


def test_a_caution_names_high_reward_accuracy_without_a_gain() -> None:
    curve = [{"step": i, "accuracy": 0.5 + 0.05 * i, "chosen_logp": -20.0 - 3 * i} for i in range(10)]
    tie, gain = comparison("pass@1", 0.0, -0.1, 0.1, 1.0), comparison("pass@1", 0.2, 0.1, 0.3, 0.001)
    text = " ".join(cautions({"training": {"method": "dpo", "curve": curve}, "comparison": [tie]}))
    assert "Reward accuracy ended at 95.0%" in text
    assert "less likely in training (log-probability -20.0 to -47.0)" in text
    assert "Reward accuracy" not in " ".join(cautions({"training": {"curve": curve}, "comparison": [gain]}))


def test_cautions_name_a_wrong_reference_wrong_pairs_and_missing_verdicts() -> None:
    summary = {
        "training": {"method": "dpo", "first_loss": 0.5726},
        "pairs": {"share_right": {"value": 0.31}},
        "verdicts": {"own tests": {"P": 3, "I": 2}},
    }
    parts = ("0.5726", "Only 31.0%", "2 verdicts")
    assert all(part in text for part, text in zip(parts, cautions(summary), strict=True))
    assert cautions({"training": {"method": "dpo", "first_loss": 0.69315}, "verdicts": {"x": {"P": 1, "I": 0}}}) == []


def test_a_judges_score_keeps_its_name_and_its_scale_is_explained() -> None:
    assert figure_name("rubric score") == "rubric score"
    assert figure_name("pass@1 greedy") == "greedy pass@1"
    assert scale_note(["pass@1", "rubric score", "rubric score"]) == (
        "rubric score: 0 is the scale's lowest rating, 100 its highest"
    )
    assert scale_note(["pass@1"]) == ""
    rows = [comparison("pass@1", 0.1, 0.05, 0.15, 0.001), comparison("rubric score", 0.04, 0.02, 0.06, 0.001)]
    result = headline({"comparison": rows})
    assert result.title == "The aligned model is better: sampled pass@1 rose by 10.0 points (95% interval 5.0 to 15.0)."
    assert result.sentences == ("Rubric score rose by 4.0 points (95% interval 2.0 to 6.0), p = 0.001.",)


def test_pairs_chosen_by_ratings_give_no_caution_where_both_sides_pass() -> None:
    pairs = {"share_right": {"value": 0.4}}
    assert cautions({"pairs": pairs})
    assert not cautions({"pairs": pairs, "recipe_resolved": {"pairing": {"rule": "tests-then-rating"}}})


LN2 = 0.6931471805599453


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        # from a version that did not write `expected_first_loss`
        ({"method": "dpo", "settings": {"chosen_weight": 0.0}}, LN2),
        ({"method": "dpo", "settings": {"chosen_weight": 0.0, "loss": "ipo"}}, None),
        ({"method": "dpo", "settings": {"chosen_weight": 20.0}}, None),
        ({"method": "rpo", "settings": {"chosen_weight": 1.0}}, None),
        ({"method": "kto", "settings": {"chosen_weight": 0.0}}, None),
        ({"method": "sft", "settings": {}}, None),
        ({"method": "dpo", "settings": {"loss": "hinge"}, "expected_first_loss": 1.0}, 1.0),
        ({"method": "kto", "settings": {"chosen_weight": 0.0}, "expected_first_loss": 0.5}, 0.5),
        ({"method": "kto", "settings": {"chosen_weight": 3.0}, "expected_first_loss": 0.5}, None),
        ({"method": "dpo", "settings": {}, "expected_first_loss": None}, None),
    ],
)
def test_the_loss_curve_has_a_line_only_where_its_start_is_known(row: dict[str, Any], expected: float | None) -> None:
    curve = [{"step": 1, "loss": 0.9}, {"step": 2, "loss": 0.8}]
    (chart,) = training({"training": row | {"curve": curve}})["charts"]
    assert ('class="zero"' in chart["svg"]) == (expected is not None)
    assert ("ln 2" in chart["note"]) == (expected == LN2)
    assert chart["note"] == "" or expected == LN2 or f"{expected:g}" in chart["note"]


@pytest.mark.parametrize(
    ("row", "cautioned"),
    [
        ({"method": "dpo", "settings": {"loss": "ipo"}, "first_loss": 25.0}, False),
        ({"method": "dpo", "settings": {"loss": "ipo"}, "first_loss": 25.0, "expected_first_loss": 25.0}, False),
        ({"method": "dpo", "settings": {"loss": "ipo"}, "first_loss": 20.0, "expected_first_loss": 25.0}, True),
        ({"method": "kto", "settings": {}, "first_loss": 0.5}, False),
        ({"method": "rpo", "settings": {"chosen_weight": 1.0}, "first_loss": LN2}, False),
        ({"method": "rpo", "settings": {"chosen_weight": 1.0}, "first_loss": 0.5}, True),
    ],
)
def test_a_caution_names_a_first_loss_other_than_the_expected_one(row: dict[str, Any], cautioned: bool) -> None:
    assert ["the reference model is not the starting model" in text for text in cautions({"training": row})] == (
        [True] if cautioned else []
    )


def test_methods_that_sample_while_they_train_show_no_first_loss() -> None:
    row = {"method": "grpo", "first_loss": 0.0, "steps": 2, "curve": [{"step": 1, "loss": 0.1}]}
    assert "loss before step 1" in dict(training({"training": row})["facts"])
    assert "loss before step 1" not in dict(training({"training": row | {"sampled": 16}})["facts"])


def test_names_keep_their_capitals_at_the_start_of_a_sentence() -> None:
    assert sentence_case("the DPO loss rose") == "The DPO loss rose"
    assert sentence_case("") == ""
    rows = [comparison("pass@1", 0.1, 0.05, 0.15, 0.001), comparison("CODAL score", 0.04, 0.02, 0.06, 0.001)]
    assert headline({"comparison": rows}).sentences[0].startswith("CODAL score rose")
