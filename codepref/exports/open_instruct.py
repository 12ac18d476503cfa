"""open-instruct: whole conversations, since the trainer takes the prompt from the messages before the answer. Pure."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from codepref.exports.base import LINES, Layout, Settings, Trainer, whole
from codepref.records import Pair
from codepref.training.examples import Example


def pair_row(pair: Pair) -> dict[str, Any]:
    """Return the row of a pair: two conversations with the same beginning."""
    return {
        "chosen": whole(pair.prompt, pair.chosen),
        "rejected": whole(pair.prompt, pair.rejected),
        "task_id": pair.task_id,
    }


def demonstration_row(example: Example) -> dict[str, Any]:
    """Return the row of a demonstration: one conversation."""
    return {"messages": whole(example.prompt, example.completion), "task_id": example.task_id}


def _settings(script: str) -> Any:
    def settings(file: Path, source: str) -> list[Settings]:
        text = (
            f"python open_instruct/{script} \\\n"
            f"  --dataset_mixer_list {shlex.quote(str(file.absolute()))} 1.0 \\\n"
            "  --dataset_mixer_list_splits train \\\n"
            "  --max_seq_length 2048\n"
        )
        note = "Add your model and the other options to this command."
        return [Settings(f"{file.stem}.open-instruct.sh", text, note)]

    return settings


TRAINER = Trainer(
    "open-instruct",
    "2026-07",
    {
        "pairs": Layout(
            {"chosen": "messages", "rejected": "messages", "task_id": "text"},
            pair_row,
            _settings("dpo.py"),
            endings=(LINES,),
        ),
        "sft": Layout(
            {"messages": "messages", "task_id": "text"}, demonstration_row, _settings("finetune.py"), endings=(LINES,)
        ),
    },
    {"kto": "it has no KTO", "rl": "codepref does not write its rows for reinforcement learning"},
)
