"""Checking and writing the weights of a trained model."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from codepref.chat import free_date
from codepref.errors import GateError, MachineError
from codepref.models import TEMPLATES, checkpoint_dtype, load_model, model_templates
from codepref.storage.files import write_json
from codepref.training.job import TrainingJob
from codepref.training.methods import load_method
from codepref.training.processes import is_first
from codepref.training.validator import Validator


def check_weights(model: Any) -> None:
    """Raise GateError when a trained weight is not a finite number.

    The training curve may miss this, since not all steps are logged.
    """
    import torch

    for name, weight in model.named_parameters():
        if weight.requires_grad and not bool(torch.isfinite(weight).all()):
            raise GateError(
                f"training diverged: the weight {name} holds a value that is not a finite number at the end. "
                "Lower the learning rate."
            )


def save(trainer: Any, tokenizer: Any, job: TrainingJob, validator: Validator | None) -> None:
    """Write the model, the tokenizer and the start model's prompt templates, if it has any, into the staging folder.

    The weights are those of the validator's best step if it probed a trained step, and the last weights otherwise. If
    an adapter was trained, it is merged into its base model when `merge_adapter` is set or the method is supervised.
    Otherwise only the adapter is written. Raises MachineError when safetensors cannot write the weights.
    """
    from safetensors import SafetensorError

    staging, settings = job.staging, job.settings
    merge = settings.lora_rank > 0 and (settings.merge_adapter or load_method(settings.method).supervised)
    target = staging / "adapter" if merge else staging
    try:
        trainer.save_model(str(target))
        if not is_first():
            return
        free_date(tokenizer)
        if validator:
            validator.take_best(int(trainer.state.global_step), target)
        if merge:
            tokenizer.save_pretrained(str(target))
            _merged(job, target).save_pretrained(str(staging))
            shutil.rmtree(target)
        tokenizer.save_pretrained(str(staging))
    except SafetensorError as error:
        raise MachineError(
            f"the model cannot be written to {job.out}: {error}. Free some space if the disk is full."
        ) from error
    if templates := model_templates(job.model):
        write_json(staging / TEMPLATES, {"templates": templates})


def _merged(job: TrainingJob, adapter: Path) -> Any:
    """Return the base model with the adapter merged into it.

    The type of the weights is `job.dtype`, or that of the base model's checkpoint if `job.dtype` is "auto". The base
    model is read from its files again, and not taken from the 4 bits of the training.
    """
    kept = checkpoint_dtype(job.model) if job.dtype == "auto" else job.dtype
    return load_model(str(adapter), dtype=kept, device="cpu")
