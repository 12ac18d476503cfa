"""Checks of what a training needs, each before the costly step that needs it."""

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
    """Raise MachineError for a reporting package that is not installed, UserError for a missing accelerate file."""
    for name in settings.report_to:
        if name != "none" and importlib.util.find_spec(REPORTERS[name]) is None:
            raise MachineError(f"training.report_to = {name!r} needs the package {REPORTERS[name]}: pip install it")
    if settings.accelerate and not Path(settings.accelerate).is_file():
        raise UserError(f"training.accelerate = {settings.accelerate!r}: no such file")


def check_trainable(model: str, settings: TrainingSection) -> None:
    """Raise UserError for a new adapter on a model that is an adapter itself."""
    if settings.lora_rank and (Path(resolve_model(model)) / "adapter_config.json").exists():
        raise UserError(
            f"{model}: is an adapter, and a new adapter would be trained without it. Set training.lora_rank = 0 (the "
            "adapter is then merged into its base), or merge it yourself first."
        )


def check_validation(job: TrainingJob) -> None:
    """Raise UserError for a validation of a model that no process holds as a whole."""
    if job.validation and sharded():
        raise UserError(
            "validation needs the whole model in one process: set validation.problems = '' with FSDP or DeepSpeed"
        )


def check_rows(rows: TrainingRows) -> None:
    """Raise UserError when no row is left to train on, with the reasons."""
    if rows.rows:
        return
    reasons = "; ".join(f"{count} {reason}" for reason, count in rows.dropped.items())
    raise UserError(f"nothing to train on: {reasons or 'there were no pairs and no answers'}")


def check_context(model: Any, rows: TrainingRows, name: str) -> None:
    """Raise UserError for rows that are longer than the model's context: it would be trained on noise there."""
    context = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    if context is not None and rows.longest > context:
        raise UserError(
            f"the longest row has {rows.longest:,} tokens, and {name} reads {context:,}: set "
            f"training.max_length = {context} (longer rows are left out and counted), or lower online.max_new_tokens"
        )
