"""LLaMA-Factory: ShareGPT rows, an entry of dataset_info.json and lines for the training's YAML file. Pure.

LLaMA-Factory 0.9.5 drops rows whose turns do not alternate, takes each answer as one message, and reads an empty wanted
answer of KTO as an unwanted one.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from codepref.errors import UserError
from codepref.exports.base import Layout, Settings, Trainer, alternating, filled, system_and_turns, text_of
from codepref.records import Message, Pair
from codepref.training.examples import Example

_SPEAKERS = {"user": "human", "assistant": "gpt"}
_INFO = "dataset_info.json"


def pair_row(pair: Pair) -> dict[str, Any]:
    """Return the row of a pair.

    Raises UnfitError for a prompt whose turns do not alternate or do not end with the user, and for an answer that is
    not one message of the assistant.
    """
    system, turns = system_and_turns(pair.prompt)
    return {
        "conversations": _speeches(alternating(turns)),
        "chosen": {"from": "gpt", "value": text_of(pair.chosen)},
        "rejected": {"from": "gpt", "value": text_of(pair.rejected)},
        "system": system,
        "task_id": pair.task_id,
    }


def answer_row(example: Example) -> dict[str, Any]:
    """Return the row of a single answer.

    Raises UnfitError for a prompt whose turns do not alternate or do not end with the user, for an empty answer, and
    for an answer that is not one message of the assistant.
    """
    system, turns = system_and_turns(example.prompt)
    answer = {"from": "gpt", "value": filled(text_of(example.completion))}
    return {
        "conversations": [*_speeches(alternating(turns)), answer],
        "system": system,
        "task_id": example.task_id,
    }


def labelled_row(example: Example) -> dict[str, Any]:
    """Return the row of a labelled answer for KTO. Raises UnfitError as `answer_row` does."""
    return {**answer_row(example), "label": example.wanted}


def _speeches(turns: Sequence[Message]) -> list[dict[str, str]]:
    return [{"from": _SPEAKERS[turn["role"]], "value": turn["content"]} for turn in turns]


def _settings(columns: dict[str, str], stage: str, lines: str, *, ranking: bool = False) -> Any:
    def settings(file: Path, source: str) -> list[Settings]:
        entry: dict[str, Any] = {"file_name": file.name, "formatting": "sharegpt"}
        entry |= ({"ranking": True} if ranking else {}) | {"columns": columns}
        name = file.stem.replace(",", "_")  # a comma separates the names of data sets
        info = {name: entry}

        def merge(old: str) -> str:
            try:
                known = json.loads(old)
                if not isinstance(known, dict):
                    raise ValueError("it does not hold a JSON object")
            except (ValueError, RecursionError) as error:
                raise UserError(
                    f"{file.parent / _INFO}: the file is there already, but no entry can be added to it ({error}). "
                    "Give --out a file in another folder"
                ) from None
            return json.dumps({**known, **info}, indent=2, ensure_ascii=False) + "\n"

        yaml = (
            f"stage: {stage}\n{lines}dataset_dir: {json.dumps(str(file.absolute().parent))}\n"
            f"dataset: {json.dumps(name)}\ntemplate: TEMPLATE\ncutoff_len: 2048\n"
        )
        return [
            Settings(
                _INFO, json.dumps(info, indent=2, ensure_ascii=False) + "\n", "LLaMA-Factory reads this file.", merge
            ),
            Settings(
                f"{file.stem}.llamafactory.yaml",
                yaml,
                "Add these lines to your training's YAML file, with the name of your model's template.",
            ),
        ]

    return settings


TRAINER = Trainer(
    "LLaMA-Factory",
    "0.9.5",
    {
        "pairs": Layout(
            {
                "conversations": "speeches",
                "chosen": "speech",
                "rejected": "speech",
                "system": "text",
                "task_id": "text",
            },
            pair_row,
            _settings(
                {"messages": "conversations", "chosen": "chosen", "rejected": "rejected", "system": "system"},
                "dpo",
                "pref_loss: sigmoid\npref_beta: 0.1\n",
                ranking=True,
            ),
        ),
        "kto": Layout(
            {"conversations": "speeches", "label": "flag", "system": "text", "task_id": "text"},
            labelled_row,
            _settings({"messages": "conversations", "kto_tag": "label", "system": "system"}, "kto", "pref_beta: 0.1\n"),
        ),
        "sft": Layout(
            {"conversations": "speeches", "system": "text", "task_id": "text"},
            answer_row,
            _settings({"messages": "conversations", "system": "system"}, "sft", "mask_history: true\n"),
        ),
    },
    {"rl": "it trains on answers, not on problems with tests"},
)
