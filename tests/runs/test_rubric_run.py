"""A run with the rubric as judge has judgments, pairs, and the rubric score in its comparison."""

import json
from pathlib import Path
from typing import Any

import pytest

from codepref import demo
from codepref.cli.main import main
from codepref.evaluation.ratings import read_ratings
from codepref.judging.artifact import read_judgments
from codepref.pairing.artifact import read_pairs

SMALL = [
    "problems.train_limit=30",
    "problems.heldout_limit=12",
    "sampling.solutions=6",
    "training.epochs=1.0",
    "evaluation.samples=3",
    "evaluation.k=[1]",
]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    out = tmp_path_factory.mktemp("run") / "demo"
    return out, demo("rubric-dpo", out, overrides=SMALL)


def test_every_sample_is_judged_by_the_preference_of_its_problem(finished: Any) -> None:
    out, summary = finished
    judgments = read_judgments(out / "judgments.jsonl")
    assert [len(one.ratings) for one in judgments] == [6] * 30
    turns = ["instruction-following", "readability", "style"]
    assert [one.preference for one in judgments] == [turns[at % 3] for at in range(30)]
    assert summary["ratings"]["ratings"] == 180
    assert {"what": "ratings", "count": 180} in summary["funnel"]


def test_the_chosen_answer_of_every_pair_passes_all_tests(finished: Any) -> None:
    out, summary = finished
    pairs = read_pairs(out / "pairs.parquet")
    assert summary["pairs"]["inverted"] == summary["pairs"]["both_fail"] == 0
    for pair in pairs:
        assert set(pair.evidence["chosen_verdicts"]) == {"P"}
        if pair.evidence["ground"] == "rating":
            assert pair.evidence["chosen_rating"] >= pair.evidence["rejected_rating"] + 0.1
            assert set(pair.evidence["rejected_verdicts"]) == {"P"}


def test_the_rubric_score_is_compared_like_pass_at_1(finished: Any) -> None:
    out, summary = finished
    assert [row["name"] for row in summary["comparison"]] == ["pass@1 greedy", "pass@1", "rubric score"]
    score = summary["comparison"][-1]
    rows = read_ratings(out / "evaluation" / "base").problems
    assert len(rows) == score["n"] == 12
    assert {row.n for row in rows} == {3}
    assert score["base"] == pytest.approx(sum(row.mean for row in rows) / 12)
    assert 0 <= score["base"] <= 1
    by_preference = summary["ratings"]["by_preference"]
    assert [row["name"] for row in by_preference] == [
        f"rubric {name}" for name in ("instruction-following", "readability", "style")
    ]
    assert score["difference"] == pytest.approx(sum(row["difference"] for row in by_preference) / 3)
    page = (out / "report.html").read_text()
    assert "rubric score" in page
    assert "Rubric score: 0 is the scale&#39;s lowest rating" in page


def test_status_and_report_show_the_judge(finished: Any, capsys: pytest.CaptureFixture[str]) -> None:
    out, summary = finished
    assert main(["status", str(out)]) == 0
    assert "judge              done" in capsys.readouterr().out
    assert main(["report", str(out)]) == 0
    assert json.loads((out / "summary.json").read_text())["comparison"] == json.loads(json.dumps(summary["comparison"]))
