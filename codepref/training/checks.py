"""Checks of training settings: names that must be known, and values that must fit together. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from codepref.config.sections import OnlineSection, TrainingSection
from codepref.training.methods import METHODS, load_method

REPORTERS = {"tensorboard": "tensorboard", "wandb": "wandb", "trackio": "trackio"}
"""The known names in `training.report_to` besides "none", each with the package that it needs."""

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
"""The losses of TRL's DPOTrainer that `training.loss` can name. codepref sets beta and leaves TRL's other parameters of
a loss at their defaults."""


def training_mistakes(
    settings: TrainingSection, section: str = "training", online: OnlineSection | None = None
) -> list[str]:
    """Return a message for each mistake that is found in the settings of a training.

    section: the section of the recipe that holds the settings, `training` or `sft`. The messages about batch sizes and
    quantization name it. online: the keys of [online]; None stands for the defaults. Raises UserError for a method of
    another package that cannot be imported or is not a `Method`.
    """
    micro = settings.micro_batch_size or settings.batch_size
    mistakes = []
    if settings.batch_size % micro:
        mistakes.append(
            f"{section}.micro_batch_size = {micro} does not divide {section}.batch_size = {settings.batch_size}"
        )
    if settings.quantization != "none" and not settings.lora_rank:
        mistakes.append(
            f"{section}.quantization needs an adapter, since 4-bit weights cannot be trained: set {section}.lora_rank "
            "above 0"
        )
    if settings.loss not in PAIR_LOSSES:
        mistakes.append(f"unknown training.loss = {settings.loss!r}; known losses of TRL: {', '.join(PAIR_LOSSES)}")
    if unknown := sorted(set(settings.report_to) - {"none", *REPORTERS}):
        mistakes.append(
            f"unknown name in training.report_to: {', '.join(unknown)}; known: none, {', '.join(REPORTERS)}"
        )
    if mistake := METHODS.mistake(settings.method):
        mistakes.append(f"training.method: {mistake}")
    else:
        mistakes += load_method(settings.method).mistakes(settings, online or OnlineSection())
    return mistakes


def weight_mistakes(settings: TrainingSection, weights: Sequence[float], *, validated: bool) -> list[str]:
    """Return a message for each mistake in the candidates for `chosen_weight`.

    weights: the candidates, or () if none are tried. validated: whether there are validation problems. Raises UserError
    as `training_mistakes` does.
    """
    if not weights:
        return []
    mistakes = []
    if not validated:
        mistakes.append("validation.chosen_weights needs validation problems: set validation.problems")
    if len(set(weights)) < len(weights) or len(weights) < 2:
        mistakes.append("validation.chosen_weights must hold at least two weights, all of them different")
    if METHODS.mistake(settings.method):
        return mistakes
    method = load_method(settings.method)
    if method.online or method.supervised:
        mistakes.append(
            f"validation.chosen_weights has no effect on training.method = {settings.method!r}, which has no "
            "likelihood term: leave it out, or choose a method on pairs, or kto"
        )
    known = training_mistakes(settings)  # these are reported without the weights
    for weight in weights:
        others = training_mistakes(replace(settings, chosen_weight=weight))
        mistakes += [f"validation.chosen_weights holds {weight:g}: {text}" for text in others if text not in known]
    return mistakes
