"""In a run of two rounds, round 2 samples from the model of round 1, and writes into the run directory."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import codepref
from codepref.cli.main import main
from codepref.runs.plan import plan, split_stage
from codepref.runs.recipes import load_recipe, recipes_folder

SMALL = [
    "problems.train_limit=30",
    "problems.heldout_limit=8",
    "sampling.solutions=4",
    "validation.limit=6",
    "training.epochs=1.0",
    "evaluation.samples=2",
    "evaluation.k=[1]",
    "gate.margin=100",
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    out = tmp_path_factory.mktemp("rounds") / "run"
    settings = [*SMALL, "training.rounds=2", "training.lora_rank=4", "training.learning_rate=1e-3"]
    return out, codepref.demo("tests-dpo", out, overrides=settings)


def test_each_round_has_its_stages_and_each_model_is_measured_once(run: tuple[Path, dict[str, Any]]) -> None:
    one = ["sample-solutions", "execute", "pair", "audit", "train"]
    names = [stage["name"] for stage in run[1]["stages"]]
    assert names == ["problems", *(f"round-1-{name}" for name in one), *one, "evaluate-base", "evaluate-aligned"]


def test_the_second_round_samples_from_the_model_of_the_first(run: tuple[Path, dict[str, Any]]) -> None:
    out = run[0]
    first, second = (
        [json.loads(line)["completion"] for line in (folder / "samples" / "solutions.jsonl").read_text().splitlines()]
        for folder in (out / "rounds" / "1", out)
    )
    assert len(first) == len(second) == 120
    assert first != second
    training = json.loads((out / "checkpoint" / "training.json").read_text())
    assert training["base"] == "checkpoint"


def test_the_adapter_of_an_earlier_round_is_merged_and_that_of_the_last_is_not(
    run: tuple[Path, dict[str, Any]],
) -> None:
    out = run[0]
    assert (out / "rounds" / "1" / "checkpoint" / "model.safetensors").exists()
    assert (out / "checkpoint" / "adapter_model.safetensors").exists()


def test_the_pairs_of_both_rounds_are_kept(run: tuple[Path, dict[str, Any]]) -> None:
    out = run[0]
    assert pq.read_table(out / "rounds" / "1" / "pairs.parquet").num_rows > 0
    assert pq.read_table(out / "pairs.parquet").num_rows == run[1]["pairs"]["count"]


def test_a_run_of_two_rounds_repeats_the_stages_of_a_run_of_one() -> None:
    single = load_recipe(recipes_folder() / "starter" / "dstc-dpo.toml")
    double = load_recipe(recipes_folder() / "starter" / "dstc-dpo.toml", ["training.rounds=2"])
    trained = plan(single).index("train") + 1
    assert plan(double) == [f"round-1-{name}" for name in plan(single)[:trained]] + plan(single)
    assert split_stage(double, "round-1-sample-tests") == (1, "sample-tests")
    assert split_stage(double, "evaluate-base") == (2, "evaluate-base")


def test_status_and_show_cover_both_rounds(
    run: tuple[Path, dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    out = run[0]
    assert main(["status", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "round-1-sample-solutions done in" in printed
    assert "pending" not in printed
    task = pq.read_table(out / "pairs.parquet").to_pylist()[0]["task_id"]
    assert main(["show", str(out), task]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("round 1\n")
    assert "\nround 2\n" in printed
