"""Tests of reading ratings from a judge's answer. A response is unjudged if its rating cannot be read."""

import json
import time
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


DRAFT = answer(1, 1, 1)


@pytest.mark.parametrize(
    "text",
    [
        f"<think>\nA first try: {DRAFT}\n</think>\n\n```json\n{answer(5, 1, 3)}\n```",
        f"<think>Rating: 1\nRationale: a guess</think>\n{answer(5, 1, 3)}",
        f"Perhaps {DRAFT}.\n</think>\n{answer(5, 1, 3)}",
        f"<thinking>{DRAFT}</thinking>{answer(5, 1, 3)}",
        f"<reasoning effort='high'>{DRAFT}</reasoning>{answer(5, 1, 3)}",
        f"[THINK]{DRAFT}[/THINK]{answer(5, 1, 3)}",
        f"<seed:think>{DRAFT}</seed:think>{answer(5, 1, 3)}",
        f"\u25c1think\u25b7{DRAFT}\u25c1/think\u25b7{answer(5, 1, 3)}",
        f"<|begin_of_thought|>{DRAFT}<|end_of_thought|>{answer(5, 1, 3)}",
        f"<|START_THINKING|>{DRAFT}<|END_THINKING|>{answer(5, 1, 3)}",
        f"<|channel|>analysis<|message|>{DRAFT}<|end|><|start|>assistant<|channel|>final<|message|>{answer(5, 1, 3)}",
        f"analysis I think {DRAFT} assistantfinal {answer(5, 1, 3)}",
        f"<think>one</think><think>{DRAFT}</think>{answer(5, 1, 3)}",
        f'<think>it has a <response-1 id="1"> tag: {DRAFT}</think>{answer(5, 1, 3)}',
        f"{answer(5, 1, 3)}\n<think>Was that right? {DRAFT}",
        f"{answer(5, 1, 3)}\n<think>Yes.</think>\n",
        answer(5, 1, 3).replace("reason 2", "it prints </think> and <think>"),
        f"<think>{DRAFT}</think>Rating: 5\nRationale: a\nRating: 1\nRationale: b\nRating: 3\nRationale: c",
    ],
)
def test_what_a_judge_says_after_it_has_thought_counts(text: str) -> None:
    assert dict(parse_ratings(text, 3, 1, 5).values) == {1: 5, 2: 1, 3: 3}


@pytest.mark.parametrize(
    "text",
    [f"<think>{answer(5, 1, 3)}", f"<think>one</think><think>{answer(5, 1, 3)}", f"<thinking>\n{answer(5, 1, 3)}\n"],
)
def test_a_thought_that_does_not_end_rates_nothing(text: str) -> None:
    assert not parse_ratings(text, 3, 1, 5).values


ENTRIES = json.loads(answer(5, 1, 3))["ratings"]


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(ENTRIES),  # a list without its object
        "\n".join(map(json.dumps, ENTRIES)),  # an object a line
        json.dumps({"result": {"ratings": ENTRIES}}),
        json.dumps({"Ratings": [{"ID": one["id"], "Rating": one["rating"]} for one in ENTRIES]}),
        json.dumps({str(one["id"]): {"rating": one["rating"]} for one in ENTRIES}),
        json.dumps({f"response_{one['id']}": {"rating": one["rating"]} for one in ENTRIES}),
        json.dumps({"ratings": {str(one["id"]): {"rating": one["rating"]} for one in ENTRIES}}),
        json.dumps([{**one, "id": f"Response {one['id']}"} for one in ENTRIES]),
        answer(5, 1, 3).replace("reason 1", "reason\n1"),
        answer(5, 1, 3).replace("reason 1", "a\ttab"),
        answer(5, 1, 3).replace("}]", "},]"),
        answer(5, 1, 3).replace("}, {", "},\n\n{").replace("]}", "],}"),
        answer(5, 1, 3).replace("reason 1", r"it matches \d+ and \w"),
        answer(5, 1, 3).replace("reason 1", r"it\'s fine"),
        answer(5, 1, 3).replace("reason 1", 'it says "done" at the end'),
        answer(5, 1, 3).replace("reason 1", 'it says "done", then "more"'),
        answer(5, 1, 3).replace('"', "'"),
        answer(5, 1, 3).replace('"ratings"', "\u201cratings\u201d"),
        answer(5, 1, 3).replace('"rating"', "rating").replace('"id"', "id"),
        answer(5, 1, 3).replace("{", "{ // the ratings\n", 1),
        answer(5, 1, 3).replace("}, {", "}\n{"),
        str(json.loads(answer(5, 1, 3)) | {"final": True, "note": None}),
        "\ufeff" + answer(5, 1, 3),
    ],
)
def test_json_that_is_nearly_right_is_read(text: str) -> None:
    parsed = parse_ratings(text, 3, 1, 5)
    assert dict(parsed.values) == {1: 5, 2: 1, 3: 3}


@pytest.mark.parametrize(
    "text",
    [
        answer(5, 1, 3)[:-2],  # broken off
        json.dumps(ENTRIES)[:-1],
        json.dumps([{"rating": 5}, {"rating": 1}, {"rating": 3}]),  # which is which?
        answer(5, 1, 3).replace('"rating": 5', '"rating": 5, "rating": 1'),
        json.dumps({"1": {"id": 2, "rating": 5}, "2": {"id": 1, "rating": 1}, "3": {"id": 3, "rating": 3}}),
        json.dumps(ENTRIES) + json.dumps([{**one, "rating": 1} for one in ENTRIES]),
        "\n".join(map(json.dumps, [*ENTRIES, ENTRIES[0]])),
        json.dumps([[entry] for entry in ENTRIES]),
    ],
)
def test_json_that_can_be_read_in_two_ways_or_breaks_off_rates_nothing(text: str) -> None:
    assert not parse_ratings(text, 3, 1, 5).values


def test_bare_ratings_by_label_are_read_under_ratings_only() -> None:
    parsed = parse_ratings('{"ratings": {"2": 1, "response_1": 5, "3": "N/A"}}', 3, 1, 5)
    assert (dict(parsed.values), set(parsed.reasons)) == ({1: 5, 2: 1}, {3})
    assert dict(parse_ratings('{"1": 5, "2": 1}', 2, 1, 5).values) == {}
    assert dict(parse_ratings('{"ratings": {"1": 5, "1 ": 4, "2": 3}}', 2, 1, 5).values) == {}


def test_a_single_response_needs_no_label() -> None:
    assert dict(parse_ratings('{"rating": 7, "rationale": "good"}', 1, 1, 10).values) == {1: 7}


def test_a_rating_that_nearly_json_holds_as_a_fraction_is_no_number() -> None:
    text = answer(5, 1, 3).replace('"rating": 5', '"rating": 4/5').replace('"', "'")
    assert not parse_ratings(text, 3, 1, 5).values


@given(st.text(alphabet="{}[]\"':,\\ratingsd1 \n<>/think", max_size=200))
def test_text_that_looks_like_json_never_gives_an_invalid_rating(text: str) -> None:
    parsed = parse_ratings(text, 2, 1, 5)
    assert set(parsed.values) | set(parsed.reasons) == {1, 2}


def test_long_nearly_json_text_is_read_in_little_time() -> None:
    begun = time.monotonic()
    for text in (
        "{'a':" * 50_000,
        "[" * 300_000,
        "{'" + "x" * 300_000,
        '{"a": "' + '"b" ' * 50_000,
        "<think>" * 50_000,
    ):
        parse_ratings(text, 3, 1, 5)
    assert time.monotonic() - begun < 60
