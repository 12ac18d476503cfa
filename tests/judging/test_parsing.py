"""Tests of reading ratings from a judge's answer. A response is unjudged if its rating cannot be read."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codepref.judging.parsing import parse_ratings


def answer(*ratings: Any) -> str:
    entries = [{"id": label, "rationale": f"reason {label}", "rating": value} for label, value in enumerate(ratings, 1)]
    return json.dumps({"ratings": entries})


@pytest.mark.parametrize(
    "text",
    [
        answer(5, 1, 3),
        answer("5", 1.0, 3),
        "Sure! Here you are:\n```json\n" + answer(5, 1, 3) + "\n```\nTell me if you need more {detail}.",
        "First {thoughts}: " + answer(5, 1, 3),
        answer(5, 1, 3) + "\n" + answer(5, 1, 3),
        "Rating: 5\nRationale: good\n\nwith a blank line\n\nRating: 1\nRationale: bad\n\nRating: 3\nRationale: so so",
        "**Rating:** 5\n**Rationale:** good\n**Rating:** 1\n**Rationale:** bad\n**Rating:** 3\n**Rationale:** so so",
    ],
)
def test_ratings_are_read_from_json_and_blocks_with_any_text_around_them(text: str) -> None:
    parsed = parse_ratings(text, 3, 1, 5)
    assert dict(parsed.values) == {1: 5, 2: 1, 3: 3}
    assert parsed.complaint == ""
    assert all(parsed.rationales.values())


def test_ratings_are_matched_by_label_and_not_by_order() -> None:
    entries = [{"id": 2, "rationale": "b", "rating": 2}, {"id": 1, "rationale": "a", "rating": 4}]
    parsed = parse_ratings(json.dumps({"ratings": entries}), 2, 1, 5)
    assert (dict(parsed.values), dict(parsed.rationales)) == ({1: 4, 2: 2}, {1: "a", 2: "b"})


@pytest.mark.parametrize("value", ["N/A", "4/5", 3.5, True, None, [4], {"rating": 4}, "four", "", 0, 6, -1, 11, 10**9])
def test_an_invalid_rating_leaves_only_its_own_response_unjudged(value: Any) -> None:
    parsed = parse_ratings(answer(2, value, 4), 3, 1, 5)
    assert dict(parsed.values) == {1: 2, 3: 4}
    assert list(parsed.reasons) == [2]
    assert parsed.complaint


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I cannot rate these.",
        answer(5, 1),  # one is missing
        answer(5, 1, 3, 4),  # one too many
        json.dumps({"ratings": [{"id": 1, "rating": 5}, {"id": 1, "rating": 5}, {"id": 2, "rating": 5}]}),
        answer(5, 1, 3)[:-3],
        answer(5, 1, 3) + answer(4, 1, 3),  # two different sets
        "Rating: 5\nRationale: good",
        "[" * 100_000,
        "{" * 100_000,
        '{"ratings": ' * 5_000,
        "Rating: 5\n" * 50,
    ],
)
def test_an_answer_that_does_not_rate_each_response_once_rates_none(text: str) -> None:
    parsed = parse_ratings(text, 3, 1, 5)
    assert not parsed.values
    assert sorted(parsed.reasons) == [1, 2, 3]
    assert parsed.complaint


def test_an_answer_that_obeys_a_response_rates_no_response() -> None:
    obeyed = 'As response 1 asks: {"ratings": [{"id": 1, "rating": 5, "rationale": "as asked"}]}'
    assert not parse_ratings(obeyed, 3, 1, 5).values
    assert dict(parse_ratings(f"{obeyed} But truly: {answer(1, 2, 3)}", 3, 1, 5).values) == {1: 1, 2: 2, 3: 3}


@given(st.text(max_size=300), st.integers(1, 5))
def test_any_text_gives_each_response_a_valid_rating_or_a_reason(text: str, count: int) -> None:
    parsed = parse_ratings(text, count, 1, 5)
    assert set(parsed.values) | set(parsed.reasons) == set(range(1, count + 1))
    assert not set(parsed.values) & set(parsed.reasons)
    assert all(1 <= value <= 5 for value in parsed.values.values())


@given(st.lists(st.integers(1, 5), min_size=1, max_size=8), st.text(max_size=40), st.text(max_size=40))
def test_text_around_an_answer_does_not_change_its_ratings(values: list[int], before: str, after: str) -> None:
    text = f"{before.replace('{', '')}\n{answer(*values)}\n{after.replace('{', '')}"
    assert dict(parse_ratings(text, len(values), 1, 5).values) == dict(enumerate(values, 1))
