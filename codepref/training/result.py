"""The record of a finished training. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class TrainingResult:
    """The result of a training.

    model: the folder of the trained model. pairs: the number of pairs, single answers or problems in the training rows,
    whichever the method learns from. steps: the number of optimizer steps. first_loss: the loss before the first step,
    without the likelihood term of `chosen_weight`. For DPO, RPO and focal DPO it is the sigmoid loss, whatever loss is
    trained, and about ln 2. For KTO it is about half the mean weight of the first answers. The reason for both values
    is that the model still equals the reference model. For supervised training it is the mean negative log-likelihood
    of a token. For methods on pairs without a reference model it is the whole loss with the likelihood term. For online
    methods it is 0. expected_first_loss: the value at which the logged loss starts, or None when no value is known
    before the training. dropped: for each reason, how many rows were left out. A reason that ends with "(kept)" counts
    a fault for which no row is left out. curve: the rows of `curve.training_curve`. settings: the settings;
    learning_rate, beta, share_prefixes and KTO's label weights have the values that were used. Methods can add figures,
    such as the shares of differing tokens in focal DPO. kept_step: the step whose weights were written. It is less than
    `steps` when validation found an earlier step better. stopped: why the training ended early, or "". probes: the rows
    of `validation_stats.probe_row`. warnings: the texts of the warnings. sampled: the number of answers that an online
    method sampled for its steps. trials: the trials by which the weight of the likelihood term was chosen; see
    `codepref.training.trials`.
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
    trials: list[dict[str, Any]] = field(default_factory=list)
    expected_first_loss: float | None = None
