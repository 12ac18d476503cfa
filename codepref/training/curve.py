"""The trainer's log -> the training curve, and the gate for figures that are no numbers. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from codepref.errors import GateError

CURVE = {
    "loss": "loss",
    "rewards/margins": "margin",
    "rewards/accuracies": "accuracy",
    "kl": "kl",
    "reward": "reward",
    "completions/mean_length": "answer_tokens",
    "logps/chosen": "chosen_logp",
    "logps/rejected": "rejected_logp",
    "entropy": "entropy",
    "grad_norm": "grad_norm",
    "learning_rate": "learning_rate",
}
"""TRL's names -> ours. KTO has `kl` and no `accuracy`, DPO the reverse."""


def training_curve(log_history: Sequence[dict[str, Any]]) -> list[dict[str, float]]:
    """The trainer's log -> one row a logged step. Raises GateError at the first figure that is no number."""
    curve = []
    for entry in log_history:
        if "loss" not in entry:
            continue
        row = {ours: float(entry[theirs]) for theirs, ours in CURVE.items() if theirs in entry}
        row["step"] = entry["step"]
        if wrong := [name for name, value in row.items() if not math.isfinite(value)]:
            raise GateError(
                f"training diverged: {', '.join(wrong)} is no number at step {entry['step']}. "
                "Lower training.learning_rate."
            )
        curve.append(row)
    return curve


def check_first_loss(loss: float) -> float:
    """The loss before the first step. Raises GateError where it is no number: no comparison would find that wrong."""
    if not math.isfinite(loss):
        raise GateError(f"the loss before the first step is {loss}: the model gives no probabilities for these answers")
    return loss
