"""axolotl: rows of messages (answers of pairs are texts), and the lines of `datasets:` for its YAML file. Pure.

axolotl 0.19 looks for the text of each answer in the output of the chat template. A template that trims its texts makes
this search fail, and the answer is then cut to its last character. White space at the ends of an answer is therefore
removed, and rows with an empty answer are left out.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from codepref.exports.base import Layout, Settings, Trainer, UnfitError, filled, text_of, whole
from codepref.records import Message, Pair
from codepref.training.examples import Example

_ROLES = {"system", "user", "assistant", "tool"}


def pair_row(pair: Pair) -> dict[str, Any]:
    """Return the row of a pair.

    Raises UnfitError for unknown roles, for an empty answer, and for an answer that is not one message of the
    assistant.
    """
    return {
        "prompt": _known(pair.prompt),
        "chosen": filled(text_of(pair.chosen)).strip(),
        "rejected": filled(text_of(pair.rejected)).strip(),
        "task_id": pair.task_id,
    }


def labelled_row(example: Example) -> dict[str, Any]:
    """Return the row of a labelled answer. Its column `completion` holds the whole conversation.

    Raises UnfitError as `pair_row` does.
    """
    answer = {"role": "assistant", "content": filled(text_of(example.completion)).strip()}
    return {
        "completion": whole(_known(example.prompt), [answer]),
        "label": example.wanted,
        "task_id": example.task_id,
    }


def demonstration_row(example: Example) -> dict[str, Any]:
    """Return the row of a demonstration. Each message has a flag `train`, which is true for the answer only.

    Raises UnfitError as `pair_row` does.
    """
    answer = {"role": "assistant", "content": filled(text_of(example.completion)).strip()}
    marked = [{**turn, "train": False} for turn in _known(example.prompt)]
    return {"messages": [*marked, {**answer, "train": True}], "task_id": example.task_id}


def _known(messages: Any) -> list[Message]:
    for message in messages:
        if message["role"] not in _ROLES:
            raise UnfitError(f"the prompt has a message of the role {message['role'][:20]!r}")
    return [dict(message) for message in messages]


def _settings(head: str, lines: str, note: str = "Add these lines to your YAML file.") -> Any:
    def settings(file: Path, source: str) -> list[Settings]:
        kind = "json" if file.suffix == ".jsonl" else "parquet"
        text = (
            f"{head}chat_template: tokenizer_default\nsequence_len: 2048\ndatasets:\n"
            f"  - path: {json.dumps(str(file.absolute()))}\n    ds_type: {kind}\n    split: train\n{lines}"
        )
        return [Settings(f"{file.stem}.axolotl.yaml", text, note)]

    return settings


TRAINER = Trainer(
    "axolotl",
    "0.19",
    {
        "pairs": Layout(
            {"prompt": "messages", "chosen": "text", "rejected": "text", "task_id": "text"},
            pair_row,
            _settings("rl: dpo\n", "    type: chat_template.default\n    field_messages: prompt\n"),
        ),
        "kto": Layout(
            {"completion": "messages", "label": "flag", "task_id": "text"},
            labelled_row,
            _settings(
                "rl: kto\nremove_unused_columns: false\n",
                "    type: chatml.argilla_chat\n",
                "Add these lines to your YAML file. With this type, axolotl writes prompts as ChatML. For a "
                "model of the Llama 3 family, change the type to llama3.argilla_chat.",
            ),
        ),
        "sft": Layout(
            {"messages": "marked messages", "task_id": "text"},
            demonstration_row,
            _settings(
                "",
                "    type: chat_template\n    field_messages: messages\n    message_field_training: train\n"
                "    roles_to_train: []\n",
            ),
        ),
    },
    {"rl": "its GRPO takes problems from a Python module of the user"},
)
