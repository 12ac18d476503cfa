"""OpenRLHF: TRL's columns, and the options with which OpenRLHF puts them into the chat template. Pure."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from codepref.exports.base import Layout, Settings, Trainer
from codepref.exports.trl import demonstration_row, pair_row


def _settings(module: str, keys: dict[str, str]) -> Any:
    def settings(file: Path, source: str) -> list[Settings]:
        options = {"data.dataset": shlex.quote(str(file.absolute())), **keys, "data.max_len": "2048"}
        lines = [f"  --{name} {value}".rstrip() for name, value in options.items()]
        text = " \\\n".join([f"deepspeed --module openrlhf.cli.{module}", *lines]) + "\n"
        note = "Add your model and the other options to this command."
        return [Settings(f"{file.stem}.openrlhf.sh", text, note)]

    return settings


TRAINER = Trainer(
    "OpenRLHF",
    "0.11",
    {
        "pairs": Layout(
            {"prompt": "messages", "chosen": "messages", "rejected": "messages", "task_id": "text"},
            pair_row,
            _settings(
                "train_dpo",
                {
                    "data.prompt_key": "prompt",
                    "data.chosen_key": "chosen",
                    "data.rejected_key": "rejected",
                    "data.apply_chat_template": "",
                },
            ),
        ),
        "sft": Layout(
            {"prompt": "messages", "completion": "messages", "task_id": "text"},
            demonstration_row,
            _settings(
                "train_sft",
                {"data.input_key": "prompt", "data.output_key": "completion", "data.apply_chat_template": ""},
            ),
        ),
    },
    {"kto": "it has no KTO", "rl": "its reward functions are programs of the user"},
)
