"""Tests of a run with the baseline: SFT on the chosen answers of the same pairs, measured like the aligned model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import codepref
from codepref.cli.main import main
from codepref.errors import UserError
from codepref.evaluation.scores import compare
from codepref.hub.card_text import model_body
from codepref.reports.tables import summary_table
from codepref.runs.plan import baseline_message, plan
from codepref.runs.recipes import load_recipe, recipes_folder
from codepref.runs.stages.models import matching_epochs

SMALL = [
    "problems.train_limit=25",
    "problems.heldout_limit=6",
    "sampling.solutions=4",
    "validation.problems=",
    "training.epochs=1.0",
    "evaluation.samples=2",
    "evaluation.k=[1]",
    "gate.margin=100",
    "baseline.sft_on_chosen=true",
]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    out = tmp_path_factory.mktemp("baseline") / "run"
    return out, codepref.demo("tests-dpo", out, overrides=SMALL)


def test_the_baseline_is_trained_on_chosen_answers_with_as_many_steps(finished: tuple[Path, dict[str, Any]]) -> None:
    out, summary = finished
    training = json.loads((out / "baseline" / "training.json").read_text())
    assert training["settings"]["method"] == "sft"
    assert training["settings"]["learning_rate"] == pytest.approx(1e-5)
    assert training["pairs"] <= summary["pairs"]["count"]
    assert summary["baseline"]["steps"] == training["steps"] == summary["training"]["steps"]


def test_summary_table_report_and_card_say_whether_preferences_beat_it(finished: tuple[Path, dict[str, Any]]) -> None:
    out, summary = finished
    rows = summary["baseline"]["comparison"]
    assert [row["name"] for row in rows] == ["pass@1 greedy", "pass@1"]
    folders = [out / "evaluation" / label for label in ("baseline", "aligned")]
    assert rows[1]["difference"] == compare(*folders, seed=0)[1].difference
    assert summary["baseline"]["over_base"][1]["base"] == summary["comparison"][1]["base"]
    line = "Sampled pass@1: the aligned model is "
    assert line in summary_table(summary).replace("\n", " ")
    assert line in model_body(summary, "m", "starter")
    assert line in (out / "report.html").read_text()
    assert "SFT on the chosen answers" in (out / "promoted").read_text()


def test_a_run_that_was_killed_in_the_baseline_trains_only_the_baseline_again(
    finished: tuple[Path, dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    out, summary = finished
    before = (out / "checkpoint" / "model.safetensors").stat().st_mtime_ns
    for stage in ("baseline", "evaluate-baseline"):
        (out / "stages" / f"{stage}.json").unlink()
    assert main(["status", str(out)]) == 0
    assert capsys.readouterr().out.count("pending") == 1  # the evaluation keeps its answers
    messages: list[str] = []
    again = codepref.demo("tests-dpo", out, overrides=SMALL, log=messages.append)
    assert [line.partition("] ")[2] for line in messages if "done before" not in line] == [
        "baseline",
        "evaluate-baseline",
    ]
    assert again["baseline"] == summary["baseline"]
    assert (out / "checkpoint" / "model.safetensors").stat().st_mtime_ns == before


def recipe(*overrides: str) -> Any:
    return load_recipe(recipes_folder() / "starter" / "tests-dpo.toml", list(overrides))


def test_the_stages_of_the_baseline_are_planned_only_when_it_is_on() -> None:
    assert not [name for name in plan(recipe()) if "baseline" in name]
    planned = plan(recipe("baseline.sft_on_chosen=true", "training.rounds=2"))
    assert [name for name in planned if "baseline" in name] == ["baseline", "evaluate-baseline"]
    assert planned.index("baseline") == planned.index("train") + 1


def test_an_online_method_has_no_baseline_and_one_message_says_so() -> None:
    online = recipe("baseline.sft_on_chosen=true", "training.method=grpo", "training.batch_size=16")
    assert not [name for name in plan(online) if "baseline" in name]
    assert "makes no pairs" in baseline_message(online)
    assert baseline_message(recipe("baseline.sft_on_chosen=true")) == ""
    with pytest.raises(UserError, match=r"leave out gate\.beat_baseline"):
        recipe("baseline.sft_on_chosen=true", "training.method=grpo", "gate.beat_baseline=true")


def test_a_gate_on_the_baseline_needs_the_baseline() -> None:
    with pytest.raises(UserError, match=r"gate\.beat_baseline needs a baseline"):
        recipe("gate.beat_baseline=true")


@pytest.mark.parametrize("name", ["tests-dpo", "dstc-dpo", "dstc-kto", "agreement-dpo", "codeultrafeedback"])
def test_recipes_for_real_models_train_the_baseline(name: str) -> None:
    assert "baseline" in plan(load_recipe(recipes_folder() / f"{name}.toml"))


def test_epochs_are_chosen_so_that_the_steps_are_equal() -> None:
    assert matching_epochs(20, 40, 1.0, 16) == 1.5  # one epoch has 3 steps on pairs, and 2 steps on answers
    assert matching_epochs(40, 40, 4.0, 16) == 4.0
    assert matching_epochs(3, 40, 0.1, 16) == 1.0  # at least one step
