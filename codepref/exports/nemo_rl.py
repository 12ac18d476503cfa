"""NeMo-RL: a context with ranked completions for its PreferenceDataset, and messages for its SFT. Pure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from codepref.exports.base import LINES, Layout, Settings, Trainer, whole
from codepref.exports.open_instruct import demonstration_row
from codepref.records import Pair


def pair_row(pair: Pair) -> dict[str, Any]:
    """Return the row of a pair. The completion of rank 0 is the chosen answer."""
    answers = enumerate((pair.chosen, pair.rejected))
    return {
        "context": whole(pair.prompt, ()),
        "completions": [{"rank": rank, "completion": list(answer)} for rank, answer in answers],
        "task_id": pair.task_id,
    }


def _settings(lines: str) -> Any:
    def settings(file: Path, source: str) -> list[Settings]:
        text = (
            f"data:\n  max_input_seq_length: 2048\n  train:\n    data_path: {json.dumps(str(file.absolute()))}\n{lines}"
        )
        note = "Put these lines in place of `data:` in your YAML file."
        return [Settings(f"{file.stem}.nemo-rl.yaml", text, note)]

    return settings


TRAINER = Trainer(
    "NeMo-RL",
    "2026-07",
    {
        "pairs": Layout(
            {"context": "messages", "completions": "ranked", "task_id": "text"},
            pair_row,
            _settings("    dataset_name: PreferenceDataset\n"),
            endings=(LINES,),
        ),
        "sft": Layout(
            {"messages": "messages", "task_id": "text"},
            demonstration_row,
            _settings("    dataset_name: openai_format\n    chat_key: messages\n"),
            endings=(LINES,),
        ),
    },
    {"kto": "it has no KTO", "rl": "codepref does not write its rows for reinforcement learning"},
)
