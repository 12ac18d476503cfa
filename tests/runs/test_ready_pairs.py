"""Tests of a run on ready pairs. It reads, audits and trains on the pairs, and samples only to measure models."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from codepref import run
from codepref.config.recipe import Recipe
from codepref.config.sections import PairingSection
from codepref.errors import UserError
from codepref.hub.card_text import data_body
from codepref.problems.load import load_problems
from codepref.runs.stages.pairs import _ready_pairs

RECIPE = """
[problems]
train_limit = 5
heldout_limit = 3
[pairing]
source = "{source}"
[training]
method = "dpo"
batch_size = 4
[evaluation]
samples = 2
k = [1, 2]
max_new_tokens = 48
"""


def recipe(folder: Path, more: str = "") -> Path:
    heldout = load_problems("starter:heldout", limit=1)[0]
    rows = [
        {"prompt": f"Return the list without its first {number} items.", "accepted": f"xs[{number}:]", "rejected": "xs"}
        for number in range(2, 6)
    ]
    rows.append({"prompt": heldout.prompt, "accepted": heldout.gold or "", "rejected": "x"})
    (folder / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "recipe.toml").write_text(RECIPE.format(source=folder / "pairs.jsonl") + more)
    return folder / "recipe.toml"


def test_a_run_on_ready_pairs_trains_and_measures(tmp_path: Path) -> None:
    missing = f"problems.train={tmp_path / 'no_such_file.jsonl'}"  # ready pairs need no training problems
    summary = run(recipe(tmp_path), tmp_path / "out", overrides=["problems.contamination=keep", missing])
    assert [stage["name"] for stage in summary["stages"]] == [
        "problems",
        "pair",
        "audit",
        "train",
        "evaluate-base",
        "evaluate-aligned",
    ]
    assert summary["pairs"]["count"] == 5
    assert "training problems" not in [step["what"] for step in summary["funnel"]]
    card = data_body(summary, "me/pairs", "starter")
    assert "5 preference pairs of 5 prompts, read from `pairs.jsonl`." in card
    assert "chosen by the pairing rule" not in card
    assert summary["training"]["pairs"] == 5
    assert summary["comparison"]
    assert (tmp_path / "out" / "report.html").exists()


def test_keys_without_an_effect_are_refused(tmp_path: Path) -> None:
    changes = ["sampling.tests=4", "training.rounds=2", "pairing.rule='dstc'", "model.base_url='http://h/v1'"]
    with pytest.raises(UserError) as caught:
        run(recipe(tmp_path), tmp_path / "out", overrides=changes)
    named = [line.rpartition("leave out ")[2] for line in caught.value.problems if "ready pairs" in line]
    assert named == ["sampling.tests", "pairing.rule", "training.rounds", "model.base_url"]


def test_ready_pairs_can_be_balanced_by_length(tmp_path: Path) -> None:
    answers = [("long answer", "short"), ("longer answer", "shorty"), ("brief", "a lengthy one"), ("same", "tame")]
    rows = [{"prompt": f"question {at}", "chosen": good, "rejected": bad} for at, (good, bad) in enumerate(answers)]
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    recipe = Recipe(pairing=PairingSection(source=str(tmp_path / "pairs.jsonl"), balance_length=True))
    work: Any = SimpleNamespace(recipe=recipe, heldout=[], seed=lambda stage: 0)
    result = _ready_pairs(work)
    # three answers are more than twice as long as the other side: two chosen ones and a rejected one
    assert len(result.pairs) == 3
    assert (result.selected, result.dropped) == (4, {"pair dropped: to balance the lengths": 1})
