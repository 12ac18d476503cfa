"""Tests that files of judgments and of responses are read back without loss."""

import json
from pathlib import Path

from codepref.judging.artifact import read_judgments, write_judgments
from codepref.records import Judgment, Rating, Response
from codepref.sampling.responses_file import read_responses, write_responses

NAMES = ("responses.jsonl", "judgments.jsonl")
JUDGMENTS = [
    Judgment(
        "a/0",
        "Sort it.",
        "style",
        (
            Response("a/0", 0, "small", "def f(): …"),
            Response("a/0", 2, "large", "", finished=False, principle="Be brief."),
        ),
        (Rating(0, 4, "tidy", second=3), Rating(2, None, reason="holds no code")),
        judge="rubric",
        order=(2, 0),
    ),
    Judgment(
        "a/1", "Add.", "complexity", (Response("a/1", 0, "small", "x"),), (Rating(0, 1, "x", score=1.25),), high=10
    ),
]


def test_judgments_are_read_back_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "judgments.jsonl"
    assert write_judgments(path, JUDGMENTS) == 2
    assert read_judgments(path) == JUDGMENTS


def test_a_file_of_judgments_can_be_read_as_responses(tmp_path: Path) -> None:
    path = tmp_path / "judgments.jsonl"
    write_judgments(path, JUDGMENTS)
    assert read_responses(path) == [judgment.unrated() for judgment in JUDGMENTS]


def test_a_file_of_responses_has_the_columns_of_judgments_and_its_responses_are_unjudged(tmp_path: Path) -> None:
    path, tasks = tmp_path / "responses.jsonl", [judgment.unrated() for judgment in JUDGMENTS]
    assert write_responses(path, tasks) == 2
    assert read_responses(path) == tasks
    write_judgments(tmp_path / "judgments.jsonl", JUDGMENTS)
    columns = [list(json.loads((tmp_path / name).read_text().splitlines()[0])) for name in NAMES]
    assert columns[0] == columns[1]
    assert {(rating.value, rating.reason) for one in read_judgments(path) for rating in one.ratings} == {
        (None, "not rated")
    }
