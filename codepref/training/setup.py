"""What TRL's trainers are given: the arguments that all methods share, the policy, its reference and an adapter."""

from __future__ import annotations

import importlib.util
import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codepref.config.sections import TrainingSection
from codepref.errors import MachineError, UserError
from codepref.models import load_model, pick_device
from codepref.training.checks import REPORTERS
from codepref.training.processes import count, own_device
from codepref.training.rows import learning_rate_default

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Place:
    """Where and how a model is trained. watch: a `codepref.training.validation_callback.Probing`, or None."""

    model: str
    out: Path
    settings: TrainingSection
    seed: int = 0
    dtype: str = "auto"
    device: str = "auto"
    progress: Progress | None = None
    watch: Any = None

    @property
    def staging(self) -> Path:
        """The folder that becomes `out` when all has gone well."""
        return self.out.with_name(f".{self.out.name}.partial")

    @property
    def rate(self) -> float:
        """The learning rate at its highest."""
        return self.settings.learning_rate or learning_rate_default(self.settings.lora_rank, self.settings.method)


def arguments(rows: int, place: Place) -> dict[str, Any]:
    """TRL's arguments that all methods share, for so many rows.

    `batch_size` and `micro_batch_size` are those of all processes together, so that more of them train the same.
    """
    import torch

    settings, device = place.settings, pick_device(place.device)
    micro, processes = settings.micro_batch_size or settings.batch_size, count()
    if micro % processes:
        raise UserError(f"{processes} processes cannot share training.micro_batch_size = {micro}: choose a multiple")
    steps = math.ceil(math.ceil(rows / settings.batch_size) * settings.epochs)
    return {
        "output_dir": str(place.staging),
        "beta": settings.beta,
        "learning_rate": place.rate,
        "num_train_epochs": settings.epochs,
        "per_device_train_batch_size": micro // processes,
        "per_device_eval_batch_size": micro // processes,
        "gradient_accumulation_steps": settings.batch_size // micro,
        "max_length": settings.max_length,
        "warmup_steps": round(settings.warmup_ratio * steps),
        "lr_scheduler_type": settings.scheduler,
        "weight_decay": settings.weight_decay,
        "max_grad_norm": settings.max_grad_norm,
        "gradient_checkpointing": settings.gradient_checkpointing,
        "bf16": device.startswith("cuda") and torch.cuda.is_bf16_supported(),
        "use_cpu": device == "cpu",
        "dataloader_pin_memory": device != "cpu",
        "seed": place.seed,
        "data_seed": place.seed,
        "logging_steps": max(1, steps // 200),
        "logging_first_step": True,
        # by default a loss that is no number is logged as 0, and a wrecked training looks like a perfect one
        "logging_nan_inf_filter": False,
        # checkpoints are asked for by the clock, and an old one leaves once a new one is whole (see `staging`)
        "save_strategy": "no",
        **_reporting(place),
        "disable_tqdm": True,
    }


def check_means(settings: TrainingSection) -> None:
    """Raise MachineError for a reporting package that is not here, UserError for no file of accelerate's."""
    for name in settings.report_to:
        if name != "none" and importlib.util.find_spec(REPORTERS[name]) is None:
            raise MachineError(f"training.report_to = {name!r} needs the package {REPORTERS[name]}: pip install it")
    if settings.accelerate and not Path(settings.accelerate).is_file():
        raise UserError(f"training.accelerate = {settings.accelerate!r}: no such file")


def _reporting(place: Place) -> dict[str, Any]:
    """Where TRL reports to. Raises MachineError for a package that is not here."""
    check_means(place.settings)
    chosen = [name for name in place.settings.report_to if name != "none"]
    if "tensorboard" in chosen:
        # by the environment, since TRL's own key for it is deprecated; beside the model, so that the two stay together
        os.environ.setdefault("TENSORBOARD_LOGGING_DIR", str(place.out.parent / "logs"))
    return {"report_to": chosen or "none", "run_name": f"{place.out.parent.name}/{place.out.name}"}


def models(place: Place, *, reference: bool = True) -> dict[str, Any]:
    """The policy, its reference, and the adapter where one is trained, as TRL's trainers take them."""
    lora = place.settings.lora_rank > 0
    # Full training keeps float32 weights: at DPO's learning rates an update is below bfloat16's resolution.
    weights, device = place.dtype if lora else "float32", own_device(pick_device(place.device))
    quantization = place.settings.quantization
    loading = {"dtype": weights, "device": device, "attention": place.settings.attention}
    found = {
        "model": load_model(place.model, quantization=quantization, **loading),
        "peft_config": _adapter(place.settings) if lora else None,
        "callbacks": [_progress_callback(place.progress)] if place.progress else None,
    }
    if reference:
        # Given outright: TRL would reload it by the model's recorded name, which is not always the start. Beside an
        # adapter the reference is the model without it.
        found["ref_model"] = None if lora else load_model(place.model, **loading)
    return found


def _adapter(settings: TrainingSection) -> Any:
    import peft

    return peft.LoraConfig(
        r=settings.lora_rank,
        lora_alpha=settings.lora_alpha or 2 * settings.lora_rank,
        lora_dropout=settings.lora_dropout,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )


def restore_adapter_dropout(model: Any, settings: TrainingSection) -> None:
    """Give the adapter the dropout of the settings: TRL's DPO and KTO turn off all there is, the adapter's own too."""
    import torch

    for name, module in model.named_modules():
        if ".lora_dropout." in name and isinstance(module, torch.nn.Dropout):
            module.p = settings.lora_dropout


def _progress_callback(progress: Progress) -> Any:
    import transformers

    class StepProgress(transformers.TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            progress(state.global_step, state.max_steps)

    return StepProgress()
