"""Tests of runs with near misses, repair pairs, balanced pairs, pairs by speed, and weights that validation chooses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import codepref
from codepref.errors import GateError, UserError
from codepref.pairing.artifact import read_pairs
from codepref.runs.plan import plan
from codepref.runs.recipes import load_recipe, recipes_folder

RECIPE = recipes_folder() / "starter" / "tests-dpo.toml"
SMALL = [
    "problems.train_limit=25",
    "problems.heldout_limit=6",
    "sampling.solutions=4",
    "validation.limit=6",
    "validation.samples=1",
    "validation.chosen_weights=[0.0, 10.0]",
    "training.epochs=1.0",
    "evaluation.samples=2",
    "evaluation.k=[1]",
    "gate.margin=100",
    "pairing.rule=near-miss",
    "pairing.repair=add",
    "pairing.balance_length=true",
    "pairing.max_easy_share=0.5",
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    out = tmp_path_factory.mktemp("near") / "run"
    return out, codepref.demo("tests-dpo", out, overrides=SMALL)


def test_the_funnel_counts_balanced_pairs_and_repair_pairs(run: tuple[Path, dict[str, Any]]) -> None:
    out, summary = run
    pairs = read_pairs(out / "pairs.parquet")
    counts = {row["what"]: row["count"] for row in summary["funnel"]}
    repairs = [pair for pair in pairs if pair.rule == "near-miss-repair"]
    assert counts["pairs"] == len(pairs)
    assert counts["repair pairs among them"] == len(repairs) > 0
    dropped = summary["dropped"]["pairs"]
    balancing = sum(n for reason, n in dropped.items() if "balance" in reason or "max_easy_share" in reason)
    assert counts["pairs before they are balanced"] == len(pairs) + balancing
    lengths = [tuple(sum(len(m["content"]) for m in side) for side in (p.chosen, p.rejected)) for p in pairs]
    assert sum(good > bad for good, bad in lengths) == sum(good < bad for good, bad in lengths)
    assert "repair pairs among them" in (out / "report.html").read_text()


def test_the_audit_has_figures_for_repair_pairs(run: tuple[Path, dict[str, Any]]) -> None:
    rules = [row["rule"] for row in run[1]["pairs"]["rules"]]
    assert rules in (["near-miss", "near-miss-repair"], [])  # balancing can leave one kind


def test_the_weight_that_validation_chose_trains_the_model(run: tuple[Path, dict[str, Any]]) -> None:
    out, summary = run
    trials = summary["training"]["trials"]
    assert [trial["chosen_weight"] for trial in trials] == [0.0, 10.0]
    stage = json.loads((out / "stages" / "weights.json").read_text())["result"]
    assert stage == {"chosen_weight": summary["training"]["settings"]["chosen_weight"], "trials": trials}
    best = max(trials, key=lambda trial: (trial["pass_rate"], trial["chosen_logp"]))
    assert stage["chosen_weight"] == best["chosen_weight"]
    assert "Weights of the likelihood term that were tried" in (out / "report.html").read_text()
    assert not [path.name for path in out.iterdir() if "trials" in path.name]


def test_the_stages_are_planned_when_the_recipe_needs_them() -> None:
    plain = plan(load_recipe(RECIPE))
    assert not {"speed", "weights"} & set(plain)
    fast = plan(load_recipe(RECIPE, ["pairing.rule=speed", "validation.chosen_weights=[0.0, 1.0]"]))
    assert fast.index("execute") < fast.index("speed") < fast.index("pair") < fast.index("weights")
    assert fast[fast.index("weights") + 1] == "train"
    rounds = plan(load_recipe(RECIPE, ["training.rounds=2", "validation.chosen_weights=[0.0, 1.0]"]))
    assert {"round-1-weights", "weights"} <= set(rounds)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["pairing.rule=speed", "pairing.repair=only"], "rejects right programs"),
        (["pairing.repair_template=fix it: {program}"], "pairing.repair_template: holds no {request}"),
        (["validation.chosen_weights=[0.0, 1.0]", "validation.problems="], "needs validation problems"),
        (["pairing.max_edit_share=0"], "must be above 0"),
        (["pairing.speed_factor=1"], "must be above 1"),
    ],
)
def test_keys_that_do_not_fit_together_are_refused(overrides: list[str], message: str) -> None:
    with pytest.raises(UserError) as caught:
        load_recipe(RECIPE, overrides)
    assert message in str(caught.value)


def test_a_run_measures_the_speed_before_it_makes_pairs(tmp_path: Path) -> None:
    small = ["problems.train_limit=3", "problems.heldout_limit=2", "validation.problems="]
    # the starter's programs differ by less than a minute, so no pair is made
    overrides = [*small, "pairing.rule=speed", "pairing.min_cpu_ms=60000", "speed.repeats=2"]
    with pytest.raises(GateError, match="no pair could be made"):
        codepref.demo("tests-dpo", tmp_path / "run", overrides=overrides)
    assert (tmp_path / "run" / "stages" / "speed.json").exists()
    assert (tmp_path / "run" / "speeds.jsonl").exists()
