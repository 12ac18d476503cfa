"""verl: Parquet with messages for its SFT, and rows for its reinforcement learning with codepref's sandbox. Pure."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

from codepref.config.templates import SOLUTION_TEMPLATE
from codepref.exports.base import PARQUET, Layout, Settings, Trainer
from codepref.exports.ground_truth import ground_truth
from codepref.exports.open_instruct import demonstration_row
from codepref.records import Problem
from codepref.sampling.prompts import request_messages


def problem_row(problem: Problem) -> dict[str, Any]:
    """Return the row of a problem. `ground_truth` is "{}" for tests in no published form.

    The reward function that `rl_settings` writes does not read `ground_truth`. It finds the tests by
    `extra_info.task_id`.
    """
    return {
        "data_source": "codepref",
        "prompt": request_messages(problem, SOLUTION_TEMPLATE),
        "ability": "code",
        "reward_model": {"style": "rule", "ground_truth": json.dumps(ground_truth(problem), ensure_ascii=False)},
        "extra_info": {
            "split": "train",
            "task_id": problem.task_id,
            "prefix": problem.helpers,
            "reference": problem.gold or "",
        },
    }


def rl_settings(file: Path, source: str) -> list[Settings]:
    """Return a reward function that runs answers in the sandbox, and the options that name it."""
    reward = (
        '"""A reward function for verl, which runs answers in the sandbox of codepref."""\n\n'
        "import codepref\nfrom codepref.training.rewards import ExecutionReward\n\n"
        f"reward = ExecutionReward(codepref.load_problems({source!r}), jobs=1)\n\n\n"
        "def compute_score(data_source, solution_str, ground_truth, extra_info=None, **others):\n"
        '    """Return the share of tests that pass. An unknown reward becomes 0, since verl needs a number."""\n'
        '    (score,) = reward(None, [solution_str], task_id=[extra_info["task_id"]])\n'
        "    return score or 0.0\n"
    )
    script = file.absolute().with_name(f"{file.stem}_reward.py")
    options = (
        f"data.train_files={shlex.quote(str(file.absolute()))} \\\ndata.prompt_key=prompt \\\n"
        f"reward.custom_reward_function.path={shlex.quote(str(script))} \\\n"
        "reward.custom_reward_function.name=compute_score\n"
    )
    note = "Add these options to your command. In versions before 2026, their names begin with custom_reward_function."
    return [
        Settings(script.name, reward, "The options name this reward function."),
        Settings(f"{file.stem}.verl.sh", options, note),
    ]


def _sft_settings(file: Path, source: str) -> list[Settings]:
    text = f"data.train_files={shlex.quote(str(file.absolute()))} \\\ndata.messages_key=messages\n"
    note = "Add these options to your command. In versions before 2026, use data.multiturn.enable and data.multiturn."
    return [Settings(f"{file.stem}.verl.sh", text, note + "messages_key.")]


TRAINER = Trainer(
    "verl",
    "2026-07",
    {
        "sft": Layout(
            {"messages": "messages", "task_id": "text"}, demonstration_row, _sft_settings, endings=(PARQUET,)
        ),
        "rl": Layout(
            {
                "data_source": "text",
                "prompt": "messages",
                "ability": "text",
                "reward_model": "reward",
                "extra_info": "extra",
            },
            problem_row,
            rl_settings,
            endings=(PARQUET,),
        ),
    },
    {"pairs": "it has no trainer for pairs", "kto": "it has no KTO"},
)
