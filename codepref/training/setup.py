"""What TRL's trainers are built from: their arguments, the models and the configuration of an adapter."""

from __future__ import annotations

import math
import os
from typing import Any

from codepref.config.sections import TrainingSection
from codepref.errors import UserError
from codepref.models import load_model, pick_device
from codepref.training.job import Progress, TrainingJob
from codepref.training.methods import load_method
from codepref.training.processes import count, own_device
from codepref.training.requirements import check_requirements


def learning_rate(job: TrainingJob) -> float:
    """Return the highest learning rate of the schedule: that of the settings, or the method's default."""
    settings = job.settings
    return settings.learning_rate or load_method(settings.method).default_learning_rate(settings.lora_rank)


def beta(job: TrainingJob) -> float:
    """Return the beta of the loss: that of the settings, or the method's default."""
    return job.settings.beta or load_method(job.settings.method).beta


def trl_arguments(rows: int, job: TrainingJob) -> dict[str, Any]:
    """Return arguments for the configurations of TRL's trainers.

    A method removes the arguments that its configuration does not take, such as `beta`. rows: the number of rows in an
    epoch; for online methods, the number of sampled answers in an epoch. `batch_size` and `micro_batch_size` count the
    rows of all processes together, so that the number of processes does not change the size of a step. Raises UserError
    when the processes cannot share a micro-batch evenly, and what `check_requirements` raises.
    """
    import torch

    settings, device = job.settings, pick_device(job.device)
    micro, processes = settings.micro_batch_size or settings.batch_size, count()
    if micro % processes:
        key = f"{job.section}.{'micro_batch_size' if settings.micro_batch_size else 'batch_size'}"
        raise UserError(
            f"{processes} processes cannot share {key} = {micro} evenly: set {key} to a multiple of {processes}"
        )
    steps = math.ceil(math.ceil(rows / settings.batch_size) * settings.epochs)
    return {
        "output_dir": str(job.staging),
        "beta": beta(job),
        "learning_rate": learning_rate(job),
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
        "seed": job.seed,
        "data_seed": job.seed,
        "logging_steps": max(1, steps // 200),
        "logging_first_step": True,
        # by default a loss that is not a number is replaced by a mean of earlier losses, which can be a perfect 0
        "logging_nan_inf_filter": False,
        # `staging.checkpoint_callback` asks for checkpoints at intervals of time
        "save_strategy": "no",
        **_reporting(job),
        "disable_tqdm": True,
    }


def _reporting(job: TrainingJob) -> dict[str, Any]:
    """Return the arguments that say where TRL reports to. Raises what `check_requirements` raises."""
    check_requirements(job.settings)
    chosen = [name for name in job.settings.report_to if name != "none"]
    if "tensorboard" in chosen:
        # transformers reads the folder from this variable. By default the logs lie beside the model.
        os.environ.setdefault("TENSORBOARD_LOGGING_DIR", str(job.out.parent / "logs"))
    return {"report_to": chosen or "none", "run_name": f"{job.out.parent.name}/{job.out.name}"}


def models(job: TrainingJob, *, reference: bool = True) -> dict[str, Any]:
    """Return the model, the reference model, the adapter's configuration and the callbacks, as arguments of a trainer.

    reference: whether the method uses a reference model. Without one the result holds no `ref_model`.
    """
    adapter = job.settings.lora_rank > 0
    # Training without an adapter uses float32 weights: bfloat16 would round away small updates.
    dtype, device = job.dtype if adapter else "float32", own_device(pick_device(job.device))
    loading = {"dtype": dtype, "device": device, "attention": job.settings.attention}
    arguments = {
        "model": load_model(job.model, quantization=job.settings.quantization, **loading),
        "peft_config": _adapter(job.settings) if adapter else None,
        "callbacks": [_progress_callback(job.progress)] if job.progress else None,
    }
    if reference:
        # Without this argument TRL loads the reference model by the recorded name of the model, which may be another
        # model than the start model. When an adapter is trained, TRL uses the model without the adapter.
        arguments["ref_model"] = None if adapter else load_model(job.model, **loading)
    return arguments


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
    """Set the dropout of the adapter to that of the settings.

    TRL's trainers for DPO and KTO turn off all dropout in the model by default, including the adapter's.
    """
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
