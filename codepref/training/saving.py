"""A trained model on disk."""

from __future__ import annotations

import shutil
from typing import Any

from codepref.errors import GateError, MachineError
from codepref.models import TEMPLATES, load_model, model_templates
from codepref.storage.files import write_json
from codepref.training.processes import is_first
from codepref.training.rows import SUPERVISED
from codepref.training.setup import Place
from codepref.training.validation_callback import Watch


def check_weights(model: Any) -> None:
    """Raise GateError when a trained weight is no number: not every step is logged, the last may not be."""
    import torch

    for name, weight in model.named_parameters():
        if weight.requires_grad and not bool(torch.isfinite(weight).all()):
            raise GateError(f"training diverged: {name} is no number after it. Lower training.learning_rate.")


def save(trainer: Any, tokenizer: Any, place: Place, watch: Watch | None) -> None:
    """Write model, tokenizer and templates into the staging folder: of the watch's best step, merged where it is due.

    Raises MachineError when it cannot be written.
    """
    from safetensors import SafetensorError

    staging = place.staging
    settings = place.settings
    merge = settings.lora_rank > 0 and (settings.merge_adapter or settings.method in SUPERVISED)
    target = staging / "adapter" if merge else staging
    try:
        trainer.save_model(str(target))
        if not is_first():
            return
        if watch:
            watch.take_best(int(trainer.state.global_step), target)
        if merge:
            tokenizer.save_pretrained(str(target))
            # read back and merged by `load_model`: the base in its own type, not in the 4 bits it was trained beside
            load_model(str(target), dtype=place.dtype, device="cpu").save_pretrained(str(staging))
            shutil.rmtree(target)
        tokenizer.save_pretrained(str(staging))
    except SafetensorError as error:
        raise MachineError(f"the model cannot be written to {place.out} ({error}). Free some space.") from error
    if templates := model_templates(place.model):
        write_json(staging / TEMPLATES, {"templates": templates})
