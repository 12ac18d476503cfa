"""What a training reports. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class TrainingResult:
    """What a training did.

    model: the folder of the trained model. pairs: pairs, single answers or problems that were trained on, whichever the
    method learns from. steps: optimizer steps. first_loss: the method's own loss before the first step: ln 2 for DPO
    and half the mean weight of the first answers for KTO, because the reference equals the model there; the mean
    negative log-likelihood of a token for supervised training; 0 for online methods. expected_first_loss: the value at
    which the logged loss must start, or None where no value is known beforehand. dropped: reason -> rows that were left
    out. curve: the rows of `curve.training_curve`. settings: the settings with the values that were used. kept_step:
    the step whose weights were written; less than `steps` when an earlier probe was better. stopped: why the training
    ended early, or "". probes: the rows of `validation_stats.probe_row`. warnings: one text a warning. sampled: answers
    that an online method sampled.
    """

    model: Path
    pairs: int
    steps: int
    first_loss: float
    dropped: dict[str, int] = field(default_factory=dict)
    curve: list[dict[str, float]] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    kept_step: int = 0
    stopped: str = ""
    probes: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    sampled: int = 0
    expected_first_loss: float | None = None
