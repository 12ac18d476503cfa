"""Judgments as a file: nothing is lost, and `datasets` takes it."""

from pathlib import Path

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
