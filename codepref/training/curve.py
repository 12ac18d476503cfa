"""The trainer's log -> the training curve, and the gate for values that are not numbers. Pure."""

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
"""TRL's name -> the curve's name. A method logs some of them: KTO has `kl` and no `accuracy`, DPO the reverse."""


def training_curve(log_history: Sequence[dict[str, Any]]) -> list[dict[str, float]]:
    """One row for each logged step. Raises GateError at the first value that is not a finite number."""
    curve = []
    for entry in log_history:
        if "loss" not in entry:
            continue
        row = {ours: float(entry[theirs]) for theirs, ours in CURVE.items() if theirs in entry}
        row["step"] = entry["step"]
        if wrong := [name for name, value in row.items() if not math.isfinite(value)]:
            raise GateError(
                f"training diverged: {', '.join(wrong)} is not a number at step {entry['step']}. "
                "Lower training.learning_rate."
            )
        curve.append(row)
    return curve


def check_first_loss(loss: float) -> float:
    """The loss before the first step. Raises GateError when it is not a finite number: comparisons would not notice."""
    if not math.isfinite(loss):
        raise GateError(f"the loss before the first step is {loss}: the model gives no probabilities for these answers")
    return loss
