"""Tests of reading rows of judgments, in the form of the published data set and in that of codepref's files."""

import json
from pathlib import Path
from typing import Any

import datasets
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codepref.errors import UserError
from codepref.judging.artifact import iter_judgments, judgment_from_row, judgment_row, read_judgments, write_judgments
from codepref.preferences import PREFERENCES
from codepref.records import Judgment, Rating, Response

RESPONSES = [{"model": name, "response": f"answer of {name}"} for name in ("gpt-4", "llama", "mistral", "wizard")]


def annotation(model: str, rating: str) -> dict[str, str]:
    return {"model": model, "rating": rating, "rationale": f"{model} because"}


def row(annotations: list[dict[str, str]], **more: Any) -> dict[str, Any]:
    return {
        "instruction": "Do it.",
        "preference": "style",
        "models": [response["model"] for response in RESPONSES],
        "responses": RESPONSES,
        "annotations": annotations,
        **more,
    }


def test_published_annotations_are_matched_to_responses_by_the_model() -> None:
    # the published annotations are in the order in which the judge read the responses
    published = row(
        [annotation("wizard", "4"), annotation("gpt-4", "5"), annotation("mistral", "N/A"), annotation("llama", "1")]
    )
    judgment = judgment_from_row(published, "t")
    assert [(r.value, r.rationale) for r in judgment.ratings] == [
        (5, "gpt-4 because"),
        (1, "llama because"),
        (None, "mistral because"),
        (4, "wizard because"),
    ]
    assert judgment.ratings[2].reason == "not rated"


@pytest.mark.parametrize("rating", ["4/5", "Rating: 4", "6", "0", "", "four", "4.5"])
def test_a_published_rating_that_is_not_a_number_on_the_scale_is_unjudged(rating: str) -> None:
    judgment = judgment_from_row(row([annotation(r["model"], rating) for r in RESPONSES]), "t")
    assert [r.value for r in judgment.ratings] == [None] * 4
    assert all(r.reason for r in judgment.ratings)


def test_responses_without_an_annotation_are_unjudged() -> None:
    judgment = judgment_from_row(row([annotation("llama", "2")]), "t")
    assert [r.value for r in judgment.ratings] == [None, 2, None, None]
    assert [(r.value, r.reason) for r in judgment_from_row(row([]), "t").ratings] == [(None, "not rated")] * 4


def test_an_ambiguous_annotation_is_given_to_no_response() -> None:
    twice = row([annotation("llama", "2"), annotation("llama", "5")])
    twice["responses"] = [{"model": "llama", "response": "a"}, {"model": "llama", "response": "b"}, RESPONSES[0]]
    assert [r.value for r in judgment_from_row(twice, "t").ratings] == [None, None, None]


def test_a_malformed_row_is_reported_with_its_place(tmp_path: Path) -> None:
    for wrong, words in (
        ({"preference": "style", "responses": RESPONSES}, "there is no column or key 'instruction'"),
        (row([annotation("nobody", "3")]), "an annotation names the model 'nobody', which has no response"),
        (row([], responses=[{"model": "m"}]), "there is no column or key 'response'"),
    ):
        path = tmp_path / "published.jsonl"
        path.write_text(json.dumps(row([])) + "\n" + json.dumps(wrong) + "\n")
        with pytest.raises(UserError, match=rf"published.jsonl:2: cannot be read as a judgment \({words}"):
            list(iter_judgments(path))


def test_datasets_reads_a_file_of_judgments_with_the_published_columns(tmp_path: Path) -> None:
    judgments = [
        judgment_from_row(
            row([annotation(r["model"], str(n)) for n, r in enumerate(RESPONSES, 1)], task_id=f"t{k}"), "t"
        )
        for k in range(3)
    ]
    write_judgments(tmp_path / "judgments.jsonl", judgments)
    loaded = datasets.load_dataset("json", data_files=str(tmp_path / "judgments.jsonl"), split="train")
    published = row([annotation(r["model"], str(n)) for n, r in enumerate(RESPONSES, 1)])
    assert {name: loaded[0][name] for name in published} == published
    loaded.to_parquet(tmp_path / "judgments.parquet")
    assert read_judgments(tmp_path / "judgments.parquet") == judgments


texts = st.text(max_size=20)


@st.composite
def judgments(draw: st.DrawFn) -> Judgment:
    count = draw(st.integers(0, 5))
    values = st.one_of(st.none(), st.integers(1, 5))
    scores = st.one_of(st.none(), st.floats(1, 5))
    responses = tuple(
        Response(
            "t", draw(st.integers(0, 99)), draw(st.sampled_from("ab")), draw(texts), draw(st.booleans()), draw(texts)
        )
        for _ in range(count)
    )
    ratings = []
    for response in responses:
        value = draw(values)
        reason = "" if value is not None else draw(st.text(min_size=1, max_size=9))
        ratings.append(Rating(response.response_id, value, draw(texts), reason, draw(values), draw(scores)))
    order = tuple(draw(st.permutations([response.response_id for response in responses])))
    return Judgment("t", draw(texts), draw(st.sampled_from(PREFERENCES)), responses, tuple(ratings), "j", order)


@given(judgments())
def test_a_row_holds_everything_about_a_judgment(judgment: Judgment) -> None:
    assert judgment_from_row(json.loads(json.dumps(judgment_row(judgment))), "x") == judgment


def test_the_system_text_of_a_row_belongs_to_the_instruction() -> None:
    judgment = judgment_from_row(row([]) | {"system": "Be brief."}, "t")
    assert judgment.instruction == f"Be brief.\n\n{row([])['instruction']}"
