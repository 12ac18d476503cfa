"""Tests of a run that chooses its training problems by columns and by the model's own pass rate."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import codepref
from codepref.errors import GateError, UserError
from codepref.runs.plan import plan
from codepref.runs.recipes import inconsistencies, load_recipe, recipes_folder

SMALL = [
    "problems.train_limit=25",
    "problems.heldout_limit=6",
    "sampling.solutions=4",
    "validation.problems=",
    "training.epochs=1.0",
    "evaluation.samples=2",
    "evaluation.k=[1]",
    "gate.margin=100",
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    out = tmp_path_factory.mktemp("choice") / "run"
    return out, codepref.demo("tests-dpo", out, overrides=[*SMALL, "choice.min_pass_rate=0.5"])


def test_pairs_come_from_chosen_problems_only(run: tuple[Path, dict[str, Any]]) -> None:
    out, summary = run
    choices = json.loads((out / "choice.json").read_text())
    kept = {choice["task_id"] for choice in choices if not choice["reason"]}
    assert len(choices) == 25
    assert all((choice["pass_rate"] >= 0.5) == (choice["task_id"] in kept) for choice in choices)
    assert 0 < len(kept) < 25
    assert set(pq.read_table(out / "pairs.parquet")["task_id"].to_pylist()) <= kept
    assert summary["choice"]["kept"] == len(kept)


def test_the_funnel_and_the_report_show_the_choice(run: tuple[Path, dict[str, Any]]) -> None:
    out, summary = run
    kept = summary["choice"]["kept"]
    assert {"what": "problems chosen", "count": kept} in summary["funnel"]
    assert summary["dropped"]["problems (by the model's solutions)"] == {"pass rate below 0.5": 25 - kept}
    page = (out / "report.html").read_text()
    assert "problems chosen" in page
    assert "pass rate below 0.5" in page
    assert "pass rate 0<" in page


def test_a_choice_that_leaves_no_problem_says_how_the_rates_are(tmp_path: Path) -> None:
    with pytest.raises(GateError, match=r"\[choice\] leaves no problem to train on. Problems by pass rate: "):
        codepref.demo("tests-dpo", tmp_path / "run", overrides=[*SMALL, "choice.min_distinct=5"])


def recipe(*overrides: str) -> Any:
    return load_recipe(recipes_folder() / "starter" / "tests-dpo.toml", list(overrides))


def test_the_stage_stands_where_its_verdicts_are() -> None:
    assert "choose" not in plan(recipe())
    assert plan(recipe("choice.max_pass_rate=0.9"))[:3] == ["sample-solutions", "execute", "choose"]
    online = recipe("choice.max_pass_rate=0.9", "training.method=grpo", "training.batch_size=16")
    assert plan(online)[:4] == ["sample-solutions", "execute", "choose", "train"]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["choice.min_pass_rate=0.9", "choice.max_pass_rate=0.1"], "is above choice.max_pass_rate"),
        (["choice.min_pass_rate=0.1", "sampling.tests=2", "pairing.rule=dstc"], "needs true tests"),
        (["choice.where=['difficulty=easy']"], "the starter's problems have no columns"),
        (["problems.train=x.jsonl", "choice.where=['difficulty>easy']"], "needs a number or a date"),
        (["pairing.source=p.jsonl", "choice.where=['difficulty=easy']"], "leave out choice.where"),
    ],
)
def test_a_choice_that_cannot_be_made_is_a_mistake_of_the_recipe(overrides: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        recipe(*overrides)
    assert inconsistencies(recipe()) == []
    assert inconsistencies(recipe("problems.train=starter-like.jsonl", "choice.where=['difficulty=easy']")) == []
