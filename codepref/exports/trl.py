"""TRL: messages in the columns that DPOTrainer, KTOTrainer, SFTTrainer and GRPOTrainer take. Pure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from codepref.config.templates import SOLUTION_TEMPLATE
from codepref.exports.base import Layout, Settings, Trainer
from codepref.records import Pair, Problem
from codepref.sampling.prompts import request_messages
from codepref.training.examples import Example


def pair_row(pair: Pair) -> dict[str, Any]:
    """Return the row of a pair for DPOTrainer."""
    return {
        "prompt": list(pair.prompt),
        "chosen": list(pair.chosen),
        "rejected": list(pair.rejected),
        "task_id": pair.task_id,
    }


def demonstration_row(example: Example) -> dict[str, Any]:
    """Return the row of a demonstration for SFTTrainer. In this form, the trainer learns the answer alone."""
    return {"prompt": list(example.prompt), "completion": list(example.completion), "task_id": example.task_id}


def labelled_row(example: Example) -> dict[str, Any]:
    """Return the row of a labelled answer for KTOTrainer."""
    return {**demonstration_row(example), "label": example.wanted}


def problem_row(problem: Problem) -> dict[str, Any]:
    """Return the row of a problem for GRPOTrainer. `ExecutionReward` finds the tests by the task_id."""
    return {"prompt": request_messages(problem, SOLUTION_TEMPLATE), "task_id": problem.task_id}


def _script(trainer: str, config: str) -> Any:
    def settings(file: Path, source: str) -> list[Settings]:
        reader = "json" if file.suffix == ".jsonl" else "parquet"
        text = (
            "import datasets\nimport trl\n\n"
            f'rows = datasets.load_dataset("{reader}", data_files={str(file.absolute())!r}, split="train")\n'
            f"trainer = trl.{trainer}(\n"
            '    "MODEL",\n'
            f"    args=trl.{config},\n"
            "    train_dataset=rows,\n)\ntrainer.train()\n"
        )
        return [Settings(f"{file.stem}.trl.py", text, "Put the name of your model in place of MODEL.")]

    return settings


def _online_script(file: Path, source: str) -> list[Settings]:
    reader = "json" if file.suffix == ".jsonl" else "parquet"
    text = (
        "import codepref\nimport datasets\nimport trl\nfrom codepref.training.rewards import ExecutionReward\n\n"
        f'rows = datasets.load_dataset("{reader}", data_files={str(file.absolute())!r}, split="train")\n'
        f"with ExecutionReward(codepref.load_problems({source!r})) as reward:\n"
        "    trainer = trl.GRPOTrainer(\n"
        '        "MODEL",\n'
        "        reward_funcs=reward,\n"
        '        args=trl.GRPOConfig("out", num_generations=8, max_completion_length=1024),\n'
        "        train_dataset=rows,\n    )\n    trainer.train()\n"
    )
    return [Settings(f"{file.stem}.trl.py", text, "Put the name of your model in place of MODEL.")]


TRAINER = Trainer(
    "TRL",
    "1.16",
    {
        "pairs": Layout(
            {"prompt": "messages", "chosen": "messages", "rejected": "messages", "task_id": "text"},
            pair_row,
            _script("DPOTrainer", 'DPOConfig("out", learning_rate=5e-7, max_length=2048)'),
        ),
        "kto": Layout(
            {"prompt": "messages", "completion": "messages", "label": "flag", "task_id": "text"},
            labelled_row,
            _script("KTOTrainer", 'KTOConfig("out", learning_rate=5e-7, max_length=2048)'),
        ),
        "sft": Layout(
            {"prompt": "messages", "completion": "messages", "task_id": "text"},
            demonstration_row,
            _script("SFTTrainer", 'SFTConfig("out", learning_rate=1e-5, max_length=2048)'),
        ),
        "rl": Layout({"prompt": "messages", "task_id": "text"}, problem_row, _online_script),
    },
)
