"""Checks of what a training needs."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from codepref.config.sections import TrainingSection
from codepref.errors import MachineError, UserError
from codepref.models import resolve_model
from codepref.training.checks import REPORTERS
from codepref.training.job import TrainingJob
from codepref.training.processes import sharded
from codepref.training.rows import TrainingRows


def check_requirements(settings: TrainingSection) -> None:
    """Raise MachineError for a reporting package that is not installed.

    Raises UserError when the file that `training.accelerate` names does not exist.
    """
    for name in settings.report_to:
        if name != "none" and importlib.util.find_spec(REPORTERS[name]) is None:
            raise MachineError(
                f"training.report_to = {name!r} needs the package {REPORTERS[name]}: pip install {REPORTERS[name]}"
            )
    if settings.accelerate and not Path(settings.accelerate).is_file():
        raise UserError(f"training.accelerate = {settings.accelerate!r}: no such file")


def check_trainable(model: str, settings: TrainingSection, section: str = "training") -> None:
    """Raise UserError when the settings ask for a new adapter and the model is an adapter itself.

    section: the section of the recipe that the settings come from.
    """
    if settings.lora_rank and (Path(resolve_model(model)) / "adapter_config.json").exists():
        raise UserError(
            f"{model} is an adapter, and a new adapter would be trained without it. Set {section}.lora_rank = 0, which "
            "merges this adapter into its base model and trains all weights, or merge it yourself first."
        )


def check_validation(job: TrainingJob) -> None:
    """Raise UserError when validation is on and FSDP or DeepSpeed is used."""
    if job.validation and sharded():
        raise UserError(
            "validation needs the whole model in one process, and FSDP and DeepSpeed can split it: leave out the "
            "validation (validation.problems = '')"
        )


def check_rows(rows: TrainingRows) -> None:
    """Raise UserError when there are no rows. The message holds the counts in `rows.dropped`."""
    if rows.rows:
        return
    reasons = "; ".join(f"{count} {reason}" for reason, count in rows.dropped.items())
    raise UserError(f"nothing to train on: {reasons or 'there were no pairs or answers to learn from'}")


def check_context(model: Any, rows: TrainingRows, name: str, section: str = "training") -> None:
    """Raise UserError when a row is longer than the context that the model's configuration names.

    name: what the message calls the model. section: the section of the recipe that the settings come from.
    """
    context = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    if context is not None and rows.longest > context:
        raise UserError(
            f"the longest row has {rows.longest:,} tokens, and {name} reads at most {context:,}: set "
            f"{section}.max_length = {context}, which leaves out longer rows and counts them. For an online method, "
            "lower online.max_new_tokens instead."
        )
