"""What training methods share: checks before, one atomic folder after, the curve, adapters, TRL's arguments."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from codepref.config import TrainingSection
from codepref.errors import GateError, MachineError, UserError
from codepref.models import TEMPLATES, load_model, load_tokenizer, model_templates, pick_device, quiet, resolve_model
from codepref.runs.files import check_target, write_json
from codepref.training.curve import training_curve
from codepref.training.rows import SUPERVISED, Encode, TrainingRows, learning_rate_default

Progress = Callable[[int, int], None]
MARKER = "training.json"
"""In a model's folder: how it was trained. A folder without it is never replaced."""


@dataclass(frozen=True)
class TrainingResult:
    """What a training did.

    pairs: how many pairs, or single answers, were trained on. first_loss: the method's loss before the first step
    (`dpo`: ln 2, `kto`: half the mean weight of its first answers, since the reference is the start; `sft`: the mean
    negative log-likelihood a token).
    """

    model: Path
    pairs: int
    steps: int
    first_loss: float
    dropped: dict[str, int] = field(default_factory=dict)
    curve: list[dict[str, float]] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Place:
    """Where and how a model is trained."""

    model: str
    out: Path
    settings: TrainingSection
    seed: int
    dtype: str
    device: str
    progress: Progress | None

    @property
    def staging(self) -> Path:
        """The folder that becomes `out` when all has gone well."""
        return self.out.with_name(f".{self.out.name}.partial")


Rows = Callable[[Encode, int], TrainingRows]
"""(chat template, id of the end of a sequence) -> rows."""

Build = Callable[[Place, TrainingRows, Any], Any]
"""(place, rows, tokenizer) -> TRL trainer."""

FirstLoss = Callable[[Any, TrainingSection], float]
"""(trainer, settings) -> the loss before any step; raises InfrastructureError where it shows a wrong reference."""


def train(place: Place, rows: Rows, build: Build, first_loss: FirstLoss) -> TrainingResult:
    """Fit the rows, build the trainer, check its loss before the first step, train, and write the model to `out`.

    Raises UserError when nothing can be trained on, GateError when the loss stops being a number, MachineError when
    memory runs out, and what `first_loss` raises. `out` is whole or not there.
    """
    import torch
    import transformers

    settings, staging = place.settings, place.staging
    check_trainable(place.model, settings)
    check_place(place.out)
    tokenizer = load_tokenizer(place.model)
    fitted = rows(encoder(tokenizer), int(tokenizer.eos_token_id))
    if not fitted.rows:
        reasons = "; ".join(f"{count} {reason}" for reason, count in fitted.dropped.items()) or "there were none"
        raise UserError(f"nothing to train on: {reasons}")
    transformers.set_seed(place.seed)
    shutil.rmtree(staging, ignore_errors=True)
    try:
        with quiet():
            trainer = build(place, fitted, tokenizer)
            first = first_loss(trainer, settings)
            transformers.set_seed(place.seed)
            trainer.train()
            curve = training_curve(trainer.state.log_history)
            _check_weights(trainer.model)
            _save(trainer, tokenizer, place)
    except torch.OutOfMemoryError as error:
        shutil.rmtree(staging, ignore_errors=True)
        raise MachineError(
            "out of memory while training: lower training.micro_batch_size or max_length, set "
            "gradient_checkpointing = true, or train an adapter with lora_rank = 16"
        ) from error
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    rate = settings.learning_rate or learning_rate_default(settings.lora_rank, settings.method)
    result = TrainingResult(
        model=place.out,
        pairs=fitted.pairs,
        steps=int(trainer.state.global_step),
        first_loss=first,
        dropped=fitted.dropped,
        curve=curve,
        settings=asdict(settings) | {"learning_rate": rate} | _weights(trainer),
    )
    facts = {"model": place.out.name, "base": place.model, "seed": place.seed}
    write_json(staging / MARKER, asdict(result) | facts)
    shutil.rmtree(place.out, ignore_errors=True)
    staging.replace(place.out)
    return result


def arguments(rows: int, place: Place) -> dict[str, Any]:
    """TRL's arguments that all methods share, for so many rows."""
    import torch

    settings, device = place.settings, pick_device(place.device)
    micro = settings.micro_batch_size or settings.batch_size
    steps = math.ceil(math.ceil(rows / settings.batch_size) * settings.epochs)
    return {
        "output_dir": str(place.staging),
        "beta": settings.beta,
        "learning_rate": settings.learning_rate or learning_rate_default(settings.lora_rank, settings.method),
        "num_train_epochs": settings.epochs,
        "per_device_train_batch_size": micro,
        "per_device_eval_batch_size": micro,
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
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
    }


def models(place: Place, *, reference: bool = True) -> dict[str, Any]:
    """The policy, its reference, and the adapter where one is trained, as TRL's trainers take them."""
    lora = place.settings.lora_rank > 0
    # Full training keeps float32 weights: at DPO's learning rates an update is below bfloat16's resolution.
    weights, device = place.dtype if lora else "float32", pick_device(place.device)
    quantization = place.settings.quantization
    found = {
        "model": load_model(place.model, dtype=weights, device=device, quantization=quantization),
        "peft_config": _adapter(place.settings) if lora else None,
        "callbacks": [_progress_callback(place.progress)] if place.progress else None,
    }
    if reference:
        # Given outright: TRL would reload it by the model's recorded name, which is not always the start. Beside an
        # adapter the reference is the model without it.
        found["ref_model"] = None if lora else load_model(place.model, dtype=weights, device=device)
    return found


def check_trainable(model: str, settings: TrainingSection) -> None:
    """Raise UserError for what cannot be trained, before any hour is spent on sampling for it."""
    if settings.lora_rank and (Path(resolve_model(model)) / "adapter_config.json").exists():
        raise UserError(
            f"{model}: is an adapter, and an adapter of its own would forget it. Set training.lora_rank = 0 (the "
            "two are merged), or merge them yourself first."
        )


def check_place(out: Path) -> None:
    """Raise UserError when writing a model to `out` would replace anything but an earlier training's."""
    check_target(out / MARKER)
    if out.exists() and any(out.iterdir()) and not (out / MARKER).exists():
        raise UserError(f"{out}: is a folder with other things in it; choose a new one for the model")


def _weights(trainer: Any) -> dict[str, float]:
    """KTO's weights as they were balanced, in place of the settings' 0; nothing for methods without them."""
    names = ("desirable_weight", "undesirable_weight")
    return {name: float(getattr(trainer, name)) for name in names if hasattr(trainer, name)}


def _check_weights(model: Any) -> None:
    """Raise GateError when a trained weight is no number: not every step is logged, the last may not be."""
    import torch

    for name, weight in model.named_parameters():
        if weight.requires_grad and not bool(torch.isfinite(weight).all()):
            raise GateError(f"training diverged: {name} is no number after it. Lower training.learning_rate.")


def _save(trainer: Any, tokenizer: Any, place: Place) -> None:
    from safetensors import SafetensorError

    staging = place.staging
    merge = place.settings.lora_rank > 0 and place.settings.method in SUPERVISED
    try:
        if merge:
            adapter = staging / "adapter"
            trainer.save_model(str(adapter))
            tokenizer.save_pretrained(str(adapter))
            # read back and merged by `load_model`: the base in its own type, not in the 4 bits it was trained beside
            load_model(str(adapter), dtype=place.dtype, device="cpu").save_pretrained(str(staging))
            shutil.rmtree(adapter)
        else:
            trainer.save_model(str(staging))
        tokenizer.save_pretrained(str(staging))
    except SafetensorError as error:
        raise MachineError(f"the model cannot be written to {place.out} ({error}). Free some space.") from error
    (staging / "training_args.bin").unlink(missing_ok=True)  # a pickle that holds paths; the marker says it in JSON
    if templates := model_templates(place.model):
        write_json(staging / TEMPLATES, {"templates": templates})


def encoder(tokenizer: Any) -> Encode:
    """The model's chat template as a function to token ids."""

    def encode(messages: Any, add_generation_prompt: bool) -> list[int]:
        encoded = tokenizer.apply_chat_template(list(messages), add_generation_prompt=add_generation_prompt)
        ids: list[int] = encoded["input_ids"]
        return ids

    return encode


def _adapter(settings: TrainingSection) -> Any:
    import peft

    return peft.LoraConfig(
        r=settings.lora_rank,
        lora_alpha=settings.lora_alpha or 2 * settings.lora_rank,
        lora_dropout=settings.lora_dropout,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )


def _progress_callback(progress: Progress) -> Any:
    import transformers

    class StepProgress(transformers.TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            progress(state.global_step, state.max_steps)

    return StepProgress()
