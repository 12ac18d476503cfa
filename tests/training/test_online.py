"""GRPO and RLOO on the starter, for real: answers are drawn, run and learnt from."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import codepref
from codepref.config.sections import OnlineSection, TrainingSection
from codepref.errors import UserError
from codepref.models import resolve_model
from codepref.runs.recipes import load_recipe
from codepref.runs.run import recipes_folder
from codepref.starter import SOLUTION_TEMPLATE
from codepref.training.online import train_online

SETTINGS = TrainingSection(method="grpo", learning_rate=1e-4, batch_size=16, warmup_ratio=0.0)
ONLINE = OnlineSection(generations=4, max_new_tokens=60)


@pytest.mark.parametrize("method", ["grpo", "rloo"])
def test_what_is_rewarded_is_learnt_from(method: Any, tmp_path: Path) -> None:
    problems = codepref.load_problems("starter:train", limit=8)
    settings, online = replace(SETTINGS, method=method), replace(ONLINE, reward="coarse")
    found = train_online(problems, "starter", tmp_path / "m", settings, online, template=SOLUTION_TEMPLATE, jobs=1)
    assert found.steps == 2  # 8 problems of 4 answers, 16 a step
    assert found.sampled == 32
    assert found.settings["share_prefixes"] is True
    rewards = [row["reward"] for row in found.curve]
    assert len(rewards) == 2
    assert all(-1 <= reward <= 1 for reward in rewards)
    before, after = (
        load_file(Path(folder) / "model.safetensors") for folder in (resolve_model("starter"), found.model)
    )
    assert any(not torch.equal(before[name].float(), after[name].float()) for name in after)


def test_a_killed_training_is_not_gone_on_from_with_another_reward(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys: list[str] = []

    def claim(staging: Path, key: str) -> bool:
        keys.append(key)
        raise UserError("far enough")

    monkeypatch.setattr("codepref.training.trainer.claim", claim)
    problems = codepref.load_problems("starter:train", limit=4)
    other_tests = [replace(problem, tests=problem.tests[:1]) for problem in problems]
    same = (problems, ONLINE)
    for given, online in (same, same, (problems, replace(ONLINE, reward="pass")), (other_tests, ONLINE)):
        with pytest.raises(UserError, match="far enough"):
            train_online(given, "starter", tmp_path / "m", SETTINGS, online, template=SOLUTION_TEMPLATE)
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3


def test_answers_drawn_before_a_kill_count_too(tmp_path: Path) -> None:
    problems = codepref.load_problems("starter:train", limit=4)
    settings = replace(SETTINGS, epochs=3.0, checkpoint_minutes=1e-6)

    def interrupted(step: int, total: int) -> None:
        if step == 2:
            raise KeyboardInterrupt

    given: Any = (problems, "starter", tmp_path / "m", settings, replace(ONLINE, max_new_tokens=20))
    with pytest.raises(KeyboardInterrupt):
        train_online(*given, template=SOLUTION_TEMPLATE, jobs=1, progress=interrupted)
    found = train_online(*given, template=SOLUTION_TEMPLATE, jobs=1)
    assert found.steps == len(found.curve) == 3
    assert found.sampled == 48


def test_settings_that_do_not_fit_are_told(tmp_path: Path) -> None:
    problems = codepref.load_problems("starter:train", limit=2)
    with pytest.raises(UserError, match=r"must be a multiple of online\.generations"):
        train_online(problems, "starter", tmp_path / "m", SETTINGS, replace(ONLINE, generations=5))
    with pytest.raises(UserError, match=r"4 problems a step, and there are 2: set training\.batch_size = 8 or lower"):
        train_online(problems, "starter", tmp_path / "m", SETTINGS, ONLINE)
    for given in ({"pairs": []}, {"problems": problems, "pairs": []}):
        with pytest.raises(UserError, match="samples as it trains"):
            codepref.train(given.get("pairs"), "starter", tmp_path / "m", method="grpo", problems=given.get("problems"))
    with pytest.raises(UserError, match="learns from pairs"):
        codepref.train(None, "starter", tmp_path / "m", method="dpo", problems=problems)


@pytest.mark.parametrize("setting", ["training.rounds=2", "sft.data=passing", "online.coarse=[1.0]"])
def test_recipes_that_make_no_sense_are_refused(setting: str) -> None:
    with pytest.raises(UserError, match=r"samples as it trains|four values"):
        load_recipe(recipes_folder() / "starter" / "grpo.toml", [setting])


def test_a_run_without_pairs_has_its_table_and_report(tmp_path: Path) -> None:
    settings = ["problems.train_limit=4", "problems.heldout_limit=6", "validation.problems=", "evaluation.samples=2"]
    settings += [
        "evaluation.k=[1]",
        "training.batch_size=32",
        "training.epochs=1.0",
        "online.max_new_tokens=40",
        "gate.margin=100",
    ]
    summary = codepref.demo("rloo-coarse", tmp_path / "run", overrides=settings)
    assert [stage["name"] for stage in summary["stages"]] == ["problems", "train", "evaluate-base", "evaluate-aligned"]
    told = {row["what"]: row["count"] for row in summary["funnel"]}
    assert told == {"training problems": 4, "problems trained on": 4, "answers sampled while training": 32}
    assert "RLOO" in (tmp_path / "run" / "report.html").read_text()


@pytest.mark.parametrize("method", ["sft", "grpo"])
def test_the_command_trains_by_each_method(method: str, tmp_path: Path) -> None:
    data = tmp_path / "d.jsonl"
    data.write_text(
        '{"instruction": "Write the Python function task(x): add 1.", "response": "def task(x): return x"}\n'
    )
    given = ["--data", str(data)] if method == "sft" else ["--problems", "starter:validation", "--set", "epochs=0.05"]
    more = ["--set", "batch_size=8", "--set", "online.max_new_tokens=20", "--out", str(tmp_path / "m")]
    command = [sys.executable, "-m", "codepref", "train", "--model", "starter", "--method", method, *given, *more]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "m" / "model.safetensors").exists()
