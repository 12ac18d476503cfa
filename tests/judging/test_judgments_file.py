"""Judgments as a file: nothing is lost, and `datasets` takes it."""

import json
from pathlib import Path

import pytest

from codepref.errors import UserError
from codepref.judging.artifact import read_judgments, write_judgments
from codepref.records import Judgment, Rating, Response

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


def test_nothing_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "judgments.jsonl"
    assert write_judgments(path, JUDGMENTS) == 2
    assert read_judgments(path) == JUDGMENTS


def test_the_columns_are_the_published_ones_and_load(tmp_path: Path) -> None:
    import datasets

    path = tmp_path / "judgments.jsonl"
    write_judgments(path, JUDGMENTS)
    row = json.loads(path.read_text().splitlines()[0])
    assert row["models"] == ["small", "large"]
    assert row["responses"][1] == {"model": "large", "response": ""}
    assert [said["rating"] for said in row["annotations"]] == ["4", "N/A"]
    loaded = datasets.load_dataset("json", data_files=str(path), split="train", cache_dir=str(tmp_path / "cache"))
    assert loaded[0]["annotations"][0]["value"] == 4
    assert loaded[0]["annotations"][1]["value"] is None


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        ({"annotations": []}, "ValueError"),
        ({"low": "a"}, "TypeError"),
        ({"high": 3}, "a rating of 4 on a scale from 1 to 3"),
    ],
)
def test_a_malformed_line_is_told_with_its_number(tmp_path: Path, broken: dict[str, object], told: str) -> None:
    path = tmp_path / "judgments.jsonl"
    write_judgments(path, JUDGMENTS[:1])
    path.write_text(json.dumps(json.loads(path.read_text()) | broken) + "\n")
    with pytest.raises(UserError, match=rf"judgments.jsonl:1: no judgment .*{told}"):
        read_judgments(path)
