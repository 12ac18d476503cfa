"""The training curve, read from the trainer's log, and checks that its values and the first loss are finite. Pure."""

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
"""Names of values in TRL's log, each with its name in the curve. No method logs all of them: KTO logs `kl` but no
`accuracy`, and DPO logs `accuracy` but no `kl`."""


def training_curve(log_history: Sequence[dict[str, Any]]) -> list[dict[str, float]]:
    """Return the values of each logged step that has a loss.

    Raises GateError at the first step with a value that is not a finite number.
    """
    curve = []
    for entry in log_history:
        if "loss" not in entry:
            continue
        row = {ours: float(entry[theirs]) for theirs, ours in CURVE.items() if theirs in entry}
        row["step"] = entry["step"]
        if wrong := [name for name, value in row.items() if not math.isfinite(value)]:
            raise GateError(
                f"training diverged: at step {entry['step']} the log holds no finite number for {', '.join(wrong)}. "
                "Lower the learning rate."
            )
        curve.append(row)
    return curve


def check_first_loss(loss: float) -> float:
    """Return `loss`, the loss before the first step. Raises GateError when it is not a finite number.

    DPO and KTO compare the loss with a tolerance. A comparison with NaN is false, so it would not show the fault.
    """
    if not math.isfinite(loss):
        raise GateError(
            f"the loss before the first step is {loss}, which is not a finite number. Check the model's weights."
        )
    return loss
