"""Checks between the keys of a training that are each valid alone. Pure."""

from __future__ import annotations

from codepref.config.sections import OnlineSection, TrainingSection
from codepref.training.methods import METHODS, load_method

REPORTERS = {"tensorboard": "tensorboard", "wandb": "wandb", "trackio": "trackio"}
"""Name in `training.report_to` -> the package that it needs."""

PAIR_LOSSES = (
    "sigmoid",
    "hinge",
    "ipo",
    "nca_pair",
    "bco_pair",
    "sppo_hard",
    "aot",
    "aot_unpaired",
    "apo_zero",
    "apo_down",
    "discopop",
    "sigmoid_norm",
)
"""TRL's losses for pairs whose only parameter is beta."""


def training_mistakes(
    settings: TrainingSection, section: str = "training", online: OnlineSection | None = None
) -> list[str]:
    """One text for each mistake between the keys of a training.

    section: the recipe's section that holds the keys, `training` or `sft`. online: the keys of [online], which the
    online methods read; None takes the defaults. Raises UserError for a method of another package that cannot be
    loaded.
    """
    micro = settings.micro_batch_size or settings.batch_size
    mistakes = []
    if settings.batch_size % micro:
        mistakes.append(
            f"{section}.micro_batch_size = {micro} does not divide {section}.batch_size = {settings.batch_size}"
        )
    if settings.quantization != "none" and not settings.lora_rank:
        mistakes.append(
            f"{section}.quantization trains an adapter beside 4-bit weights: set {section}.lora_rank above 0"
        )
    if settings.loss not in PAIR_LOSSES:
        mistakes.append(f"unknown training.loss = {settings.loss!r}; known losses of TRL: {', '.join(PAIR_LOSSES)}")
    if unknown := sorted(set(settings.report_to) - {"none", *REPORTERS}):
        mistakes.append(f"training.report_to holds {', '.join(unknown)}; known: {', '.join(REPORTERS)}")
    if mistake := METHODS.mistake(settings.method):
        mistakes.append(f"training.method: {mistake}")
    else:
        mistakes += load_method(settings.method).mistakes(settings, online or OnlineSection())
    return mistakes
