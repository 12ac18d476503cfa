"""GRPO and RLOO on the starter. They sample answers, run them, and learn from the rewards."""

import subprocess
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any

import pytest
import torch
from training_script import train_on

import codepref
from codepref.config.sections import OnlineSection, TrainingSection
from codepref.errors import UserError
from codepref.models import load_model, load_tokenizer
from codepref.records import Message, Problem
from codepref.runs.recipes import load_recipe
from codepref.runs.run import recipes_folder
from codepref.sampling.prompts import request_messages
from codepref.starter import SOLUTION_TEMPLATE
from codepref.training.methods.base import OnlineProblems
from codepref.training.result import TrainingResult
from codepref.training.rewards import ExecutionReward

SETTINGS = TrainingSection(method="grpo", learning_rate=1e-4, batch_size=16, warmup_ratio=0.0)
ONLINE = OnlineSection(generations=4, max_new_tokens=60)


def train_online(
    problems: Sequence[Problem], out: Path, settings: TrainingSection, online: OnlineSection, **job: Any
) -> TrainingResult:
    """Train the starter on problems with one sandbox worker."""
    return train_on(OnlineProblems(problems, online, SOLUTION_TEMPLATE, jobs=1), "starter", out, settings, **job)


def log_probability(model: Any, tokenizer: Any, prompt: list[Message], answer: str) -> float:
    """Return the mean log-probability of a token of the answer, in nats."""
    start = tokenizer.apply_chat_template(prompt, add_generation_prompt=True)["input_ids"]
    whole = tokenizer.apply_chat_template([*prompt, {"role": "assistant", "content": answer}])["input_ids"]
    ids = torch.tensor([whole])
    with torch.no_grad():
        logs = model(ids).logits.log_softmax(-1)[0, :-1]
    return float(logs.gather(1, ids[0, 1:, None])[len(start) - 1 :].mean())


def gain_of_correct_answers(problems: Sequence[Problem], answers: dict[str, set[str]], trained: Path) -> float:
    """Return how much more the log-likelihood of correct answers rose than that of other answers, in nats a token.

    The difference is taken within each problem that has correct and other answers, and averaged over these problems.
    answers: the sampled answers of each problem. `codepref.execute` decides which of them are correct; the rewards are
    not used.
    """
    tokenizer, models = (
        load_tokenizer("starter"),
        [load_model(name, device="cpu") for name in ("starter", str(trained))],
    )
    gains = []
    for problem in problems:
        texts = sorted(answers[problem.task_id])
        rows = [{"task_id": problem.task_id, "completion": text} for text in texts]
        (matrix,) = codepref.execute([problem], rows, jobs=1)
        prompt = request_messages(problem, SOLUTION_TEMPLATE)
        changes: dict[bool, list[float]] = {True: [], False: []}
        for text, verdict in zip(texts, matrix.verdicts, strict=True):
            before, after = (log_probability(model, tokenizer, prompt, text) for model in models)
            changes[verdict.correct is True].append(after - before)
        if all(changes.values()):
            gains.append(mean(changes[True]) - mean(changes[False]))
    assert gains, "no problem has correct and wrong answers"
    return mean(gains)


@pytest.mark.parametrize("method", ["grpo", "rloo"])
def test_rewarded_answers_become_more_likely_than_other_answers(
    method: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: dict[str, set[str]] = defaultdict(set)
    real = ExecutionReward.__call__

    def recorded(self: ExecutionReward, prompts: Any = None, completions: Any = (), **columns: Any) -> Any:
        for completion, task in zip(completions, columns["task_id"], strict=True):
            answers[task].add(completion[-1]["content"])
        return real(self, prompts, completions, **columns)

    monkeypatch.setattr(ExecutionReward, "__call__", recorded)
    problems = codepref.load_problems("starter:train", limit=8)
    settings = replace(SETTINGS, method=method, batch_size=32)
    online = replace(ONLINE, reward="coarse", generations=8)
    result = train_online(problems, tmp_path / "m", settings, online)
    assert (result.steps, result.sampled) == (2, 64)  # 8 answers to each of 8 problems, and 32 answers a step
    assert result.settings["share_prefixes"] is True
    rewards = [row["reward"] for row in result.curve]
    assert len(rewards) == 2
    assert all(-1 <= reward <= 1 for reward in rewards)
    gain = gain_of_correct_answers(problems, answers, result.model)
    assert gain > 0.01


def test_a_killed_training_does_not_resume_with_other_rewards_or_tests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys: list[str] = []

    def claim(staging: Path, key: str) -> bool:
        keys.append(key)
        raise UserError("the key is known")

    monkeypatch.setattr("codepref.training.trainer.claim", claim)
    problems = codepref.load_problems("starter:train", limit=4)
    other_tests = [replace(problem, tests=problem.tests[:1]) for problem in problems]
    same = (problems, ONLINE)
    for rewarded, online in (same, same, (problems, replace(ONLINE, reward="pass")), (other_tests, ONLINE)):
        with pytest.raises(UserError, match="the key is known"):
            train_online(rewarded, tmp_path / "m", SETTINGS, online)
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3


def test_answers_sampled_before_a_kill_are_counted(tmp_path: Path) -> None:
    problems = codepref.load_problems("starter:train", limit=4)
    settings = replace(SETTINGS, epochs=3.0, checkpoint_minutes=1e-6)

    def interrupt_at_step_2(step: int, total: int) -> None:
        if step == 2:
            raise KeyboardInterrupt

    short = replace(ONLINE, max_new_tokens=20)
    with pytest.raises(KeyboardInterrupt):
        train_online(problems, tmp_path / "m", settings, short, progress=interrupt_at_step_2)
    result = train_online(problems, tmp_path / "m", settings, short)
    assert result.steps == len(result.curve) == 3
    assert result.sampled == 48


def test_settings_and_sources_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    problems = codepref.load_problems("starter:train", limit=2)
    with pytest.raises(UserError, match=r"must be a multiple of online\.generations"):
        train_online(problems, tmp_path / "m", SETTINGS, replace(ONLINE, generations=5))
    with pytest.raises(UserError, match=r"needs 4 problems, and there are 2: set training\.batch_size = 8 or lower"):
        train_online(problems, tmp_path / "m", SETTINGS, ONLINE)
    for sources in ({"pairs": []}, {"problems": problems, "pairs": []}):
        with pytest.raises(UserError, match="samples answers while it trains"):
            codepref.train(
                sources.get("pairs"), "starter", tmp_path / "m", method="grpo", problems=sources.get("problems")
            )
    with pytest.raises(UserError, match="learns from pairs"):
        codepref.train(None, "starter", tmp_path / "m", method="dpo", problems=problems)


@pytest.mark.parametrize("setting", ["training.rounds=2", "sft.data=passing", "online.coarse=[1.0]"])
def test_recipe_keys_that_an_online_method_cannot_use_are_refused(setting: str) -> None:
    with pytest.raises(UserError, match=r"samples answers while it trains|four values"):
        load_recipe(recipes_folder() / "starter" / "grpo.toml", [setting])


def test_a_run_without_pairs_has_a_summary_and_a_report(tmp_path: Path) -> None:
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
    funnel = {row["what"]: row["count"] for row in summary["funnel"]}
    assert funnel == {"training problems": 4, "problems trained on": 4, "answers sampled while training": 32}
    assert "RLOO" in (tmp_path / "run" / "report.html").read_text()


@pytest.mark.parametrize("method", ["sft", "grpo"])
def test_the_train_command_runs_each_kind_of_method(method: str, tmp_path: Path) -> None:
    data = tmp_path / "d.jsonl"
    data.write_text(
        '{"instruction": "Write the Python function task(x): add 1.", "response": "def task(x): return x"}\n'
    )
    source = ["--data", str(data)] if method == "sft" else ["--problems", "starter:validation", "--set", "epochs=0.05"]
    more = ["--set", "batch_size=8", "--set", "online.max_new_tokens=20", "--out", str(tmp_path / "m")]
    command = [sys.executable, "-m", "codepref", "train", "--model", "starter", "--method", method, *source, *more]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "m" / "model.safetensors").exists()
