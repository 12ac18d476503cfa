"""Tests of a small run on the starter: its files and messages, a second start of the same run, and refusals."""

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest

from codepref import demo, run
from codepref.cli.main import main
from codepref.errors import GateError, UserError

SMALL = [
    "problems.train_limit=30",
    "problems.heldout_limit=16",
    "sampling.solutions=6",
    "sampling.tests=4",
    "evaluation.samples=4",
    "evaluation.k=[1, 4]",
]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], list[str]]:
    out, messages = tmp_path_factory.mktemp("run") / "demo", list[str]()
    return out, demo("dstc-dpo", out, overrides=SMALL, log=messages.append), messages


def test_the_summary_holds_every_figure_of_the_table(finished: Any) -> None:
    out, summary, _ = finished
    assert json.loads((out / "summary.json").read_text()) == json.loads(json.dumps(summary))
    names = ["pass@1 greedy", "pass@1", "pass@4"]
    for model in ("base", "aligned"):
        assert [score["name"] for score in summary["scores"][model]] == names
        assert all(score["low"] <= score["value"] <= score["high"] for score in summary["scores"][model])
    assert [item["name"] for item in summary["comparison"]] == names
    assert summary["training"]["first_loss"] == pytest.approx(math.log(2), abs=1e-3)
    pairs = summary["pairs"]
    assert pairs["count"] == pairs["right"] + pairs["inverted"] + pairs["both_pass"] + pairs["both_fail"] > 0
    counts = {row["what"]: row["count"] for row in summary["funnel"]}
    assert counts["solutions sampled"] == 180
    assert counts["pairs"] == pairs["count"]
    assert summary["versions"]["trl"]


def test_the_report_is_one_page_that_needs_no_network(finished: Any) -> None:
    page = (finished[0] / "report.html").read_text()
    assert "<svg" in page
    assert not re.findall(r"""(?:src|href)\s*=\s*["'](?!#|data:)[^"']*|url\((?!["']?(?:#|data:))""", page)


def test_a_second_start_repeats_no_stage_and_says_so(finished: Any) -> None:
    out, summary, messages = finished
    before = {path: path.stat().st_mtime_ns for path in (out / "checkpoint").rglob("*")}
    again: list[str] = []
    repeated = demo("dstc-dpo", out, overrides=SMALL, log=again.append)
    assert repeated["comparison"] == summary["comparison"]
    assert len(again) == len(messages)
    assert all(line.endswith("(done before)") for line in again)
    assert {path: path.stat().st_mtime_ns for path in (out / "checkpoint").rglob("*")} == before


def test_a_model_that_may_be_worse_is_not_promoted(finished: Any, capsys: pytest.CaptureFixture[str]) -> None:
    out, summary, _ = finished
    # with sixteen problems the interval is wider than the gate's margin of one point
    assert summary["gate"]["promoted"] is False
    assert not (out / "promoted").exists()
    assert "not shown to stay" in (out / "not-promoted").read_text() or "is worse" in (out / "not-promoted").read_text()
    settings = [word for setting in SMALL for word in ("--set", setting)]
    assert main(["demo", *settings, "--out", str(out)]) == 1
    printed = capsys.readouterr()
    assert "NOT PROMOTED" in printed.out
    assert printed.err.splitlines()[-1].startswith("codepref: not promoted: pass@1: ")
    assert "<b>Not promoted.</b>" in (out / "report.html").read_text()


def test_status_and_show_read_a_finished_run(finished: Any, capsys: pytest.CaptureFixture[str]) -> None:
    out = finished[0]
    assert main(["status", str(out)]) == 0
    assert "pending" not in capsys.readouterr().out
    import pyarrow.parquet as pq

    pair = pq.read_table(out / "pairs.parquet").to_pylist()[0]
    assert main(["show", str(out), pair["task_id"]]) == 0
    shown = capsys.readouterr().out
    assert f"solution {pair['chosen_id']} over {pair['rejected_id']}" in shown
    assert "def " in shown
    assert main(["show", str(out), "none"]) == 2


def test_the_commands_compare_and_audit_the_files_of_a_finished_run(
    finished: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, summary, _ = finished
    sides = [str(out / "evaluation" / label) for label in ("base", "aligned")]
    assert main(["compare", *sides, "--out", str(tmp_path / "c.json")]) == 0
    compared = json.loads((tmp_path / "c.json").read_text())
    assert [{key: row[key] for key in kept} for row, kept in zip(compared, summary["comparison"], strict=True)] == (
        summary["comparison"]
    )
    assert main(["audit", "--pairs", str(out / "pairs.parquet"), "--verdicts", str(out / "audit")]) == 0
    assert f"right      {summary['pairs']['right']}" in capsys.readouterr().out


def test_held_out_problems_that_are_training_problems_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="held-out problems are also training problems"):
        demo("dstc-dpo", tmp_path / "run", overrides=[*SMALL, "problems.heldout=starter:train"])


def test_a_run_without_pairs_says_why(tmp_path: Path) -> None:
    script = tmp_path / "script.jsonl"
    problem = {"task_id": "a/0", "prompt": "Add one.", "entry_point": "f", "tests": ["assert f(1) == 2"]}
    heldout = {
        **problem,
        "task_id": "a/1",
        "prompt": "Add two.",
        "tests": ["import package_nobody_has\nassert f(1) == 3"],
    }
    for name, row in (("train", problem), ("heldout", heldout)):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps(row) + "\n")
    script.write_text(json.dumps({"task_id": "a/0", "completion": "def f(x): return x + 1"}) + "\n")
    recipe = tmp_path / "r.toml"
    recipe.write_text(
        f'[model]\npath = "scripted:{script}"\n[problems]\ntrain = "{tmp_path}/train.jsonl"\n'
        f'heldout = "{tmp_path}/heldout.jsonl"\n'
    )
    messages: list[str] = []
    with pytest.raises(GateError, match=r"no pair could be made \(no solution fails a test: 1\)"):
        run(recipe, tmp_path / "run", log=messages.append)
    assert "1 of 2 problems need packages that are not installed here" in messages[0]
    assert "package_nobody_has (a/1)" in messages[0]


def test_a_kto_run_names_its_method_and_counts_answers(tmp_path: Path) -> None:
    small = [*SMALL, "problems.heldout_limit=4", "training.epochs=1.0", "evaluation.samples=1", "evaluation.k=[1]"]
    summary = demo("dstc-kto", tmp_path / "demo", overrides=small, log=list[str]().append)
    counts = {row["what"]: row["count"] for row in summary["funnel"]}
    # each problem has one pair, so no answer occurs twice; a last batch of a single answer is left out
    assert counts["answers trained on"] == 2 * counts["pairs"] - (2 * counts["pairs"] % 16 == 1)
    assert "pairs trained on" not in counts
    assert summary["training"]["method"] == "kto"
    assert summary["training"]["first_loss"] == pytest.approx(0.5, abs=1e-3)
    assert "KTO" in (tmp_path / "demo" / "report.html").read_text()
