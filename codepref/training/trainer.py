"""What training methods share: checks before, one atomic folder after, the curve, adapters, TRL's arguments."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from codepref.config.sections import TrainingSection
from codepref.errors import GateError, MachineError, UserError
from codepref.models import fingerprint, load_tokenizer, pick_device, public_name, quiet, resolve_model
from codepref.storage.files import content_hash, write_json
from codepref.training.curve import training_curve
from codepref.training.processes import count, first_alone, spread
from codepref.training.reference import compute_once
from codepref.training.rows import Encode, TrainingRows
from codepref.training.saving import check_weights, save
from codepref.training.setup import Place, Progress, arguments, models, restore_adapter_dropout
from codepref.training.shared_prefix import share
from codepref.training.staging import MARKER, check_place, checkpoint_callback, claim, clear, newest_checkpoint
from codepref.training.validation_callback import Watch, watch_callback
from codepref.training.validation_stats import probe_row, warnings

STOPPING = ("loss", "grad_norm")
"""Figures of the log that end a training when they are no numbers."""

__all__ = ["Place", "Progress", "TrainingResult", "arguments", "models", "train"]


@dataclass(frozen=True)
class TrainingResult:
    """What a training did.

    pairs: how many pairs, or single answers, were trained on. first_loss: the method's loss before the first step
    (`dpo`: ln 2, `kto`: half the mean weight of its first answers, since the reference is the start; `sft`: the mean
    negative log-likelihood a token). kept_step: whose weights these are; `steps` unless a probe was better.
    stopped: why training ended before its time. probes: rows of `watching.probe_row`. warnings: sentences.
    sampled: answers that were drawn to learn from, by methods that sample while they train.
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


Rows = Callable[[Encode, int], TrainingRows]
"""(chat template, id of the end of a sequence) -> rows."""

Build = Callable[[Place, TrainingRows, Any], Any]
"""(place, rows, tokenizer) -> TRL trainer."""

FirstLoss = Callable[[Any, TrainingSection], float]
"""(trainer, settings) -> the loss before any step; raises InfrastructureError where it shows a wrong reference."""


def train(
    place: Place,
    rows: Rows,
    build: Build,
    first_loss: FirstLoss,
    *,
    reference: tuple[str, ...] = (),
    sampled: int = 0,
    also: Sequence[Any] = (),
) -> TrainingResult:
    """Fit the rows, build the trainer, check its loss before the first step, train, and write the model to `out`.

    reference: columns in which the trainer looks for the reference's log-probabilities (`reference.compute_once`).
    sampled: answers that are drawn a step.
    also: what the weights depend on beside place and rows: a training that goes on after a kill must have the same.
    The same call after a kill goes on from the last checkpoint. Raises UserError when nothing can be trained on,
    GateError when the loss stops being a number, MachineError when memory runs out, and what `first_loss` raises. `out`
    is whole or not there.
    """
    import torch
    import transformers

    settings, staging = place.settings, place.staging
    check_trainable(place.model, settings)
    check_place(place.out)
    if place.watch and spread():
        raise UserError(
            "validation needs the whole model in one process: set validation.problems = '' with FSDP or DeepSpeed"
        )
    tokenizer = load_tokenizer(place.model)
    with quiet():  # rows beyond the tokenizer's length are left out, and no fault of the user's
        fitted = rows(encoder(tokenizer), int(tokenizer.eos_token_id))
    if not fitted.rows:
        reasons = (
            "; ".join(f"{count} {reason}" for reason, count in fitted.dropped.items())
            or "there were none, no pair and no answer"
        )
        raise UserError(f"nothing to train on: {reasons}")
    cpu = pick_device(place.device) == "cpu"
    resumed = first_alone(lambda: claim(staging, _key(place, fitted, also)), cpu=cpu)
    try:
        with quiet():
            transformers.set_seed(place.seed)
            trainer = build(place, fitted, tokenizer)
            restore_adapter_dropout(trainer.model, settings)
            _check_context(trainer.model, fitted, place)
            shared = settings.share_prefixes and share(trainer, tokenizer)
            first = first_loss(trainer, settings)
            if reference:
                compute_once(trainer, reference, staging)
            watch = _add_callbacks(trainer, place, fitted, tokenizer)
            transformers.set_seed(place.seed)
            start = newest_checkpoint(staging) if resumed else None
            trainer.train(resume_from_checkpoint=str(start) if start else None)
            curve = training_curve(trainer.state.log_history)
            check_weights(trainer.model)
            save(trainer, tokenizer, place, watch)
    except torch.OutOfMemoryError as error:
        raise MachineError(
            "out of memory while training: lower training.micro_batch_size or max_length, set "
            "gradient_checkpointing = true, or train an adapter with lora_rank = 16"
        ) from error
    except (GateError, UserError):
        # the same again would end the same; in each process, since the launcher ends the others with the first to leave
        shutil.rmtree(staging, ignore_errors=True)
        raise
    found = {"first_loss": first, "curve": curve, "sampled": sampled * int(trainer.state.global_step)}
    result = _result(place, fitted, trainer, watch, found, shared)
    first_alone(lambda: _finish(place, result), cpu=cpu)
    return result


def _result(
    place: Place, fitted: TrainingRows, trainer: Any, watch: Watch | None, found: dict[str, Any], shared: bool
) -> TrainingResult:
    probes = watch.probes if watch else []
    steps = int(trainer.state.global_step)
    return TrainingResult(
        model=place.out,
        pairs=fitted.pairs,
        steps=steps,
        dropped=fitted.dropped,
        settings=asdict(place.settings) | {"learning_rate": place.rate, "share_prefixes": shared} | _weights(trainer),
        kept_step=watch.kept if watch else steps,
        stopped=watch.stopped if watch else "",
        probes=[probe_row(probes[0], probe, place.seed) for probe in probes],
        warnings=warnings(found["curve"], probes),
        **found,
    )


def _finish(place: Place, result: TrainingResult) -> None:
    facts = {"model": place.out.name, "base": public_name(place.model), "seed": place.seed, "processes": count()}
    clear(place.staging)
    write_json(place.staging / MARKER, asdict(result) | facts)
    shutil.rmtree(place.out, ignore_errors=True)
    place.staging.replace(place.out)


def _check_context(model: Any, fitted: TrainingRows, place: Place) -> None:
    """Raise UserError for rows beyond the positions that the model was made for: it would train on noise there."""
    room = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    if room is not None and fitted.longest > room:
        raise UserError(
            f"the longest row has {fitted.longest:,} tokens, and {place.model} reads {room:,}: set "
            f"training.max_length = {room} (longer rows are left out and counted), or online.max_new_tokens lower"
        )


def _key(place: Place, fitted: TrainingRows, also: Sequence[Any]) -> str:
    """Names all that the trained weights depend on: a checkpoint of another training must not be gone on from."""
    import torch
    import transformers
    import trl

    settings = {name: value for name, value in asdict(place.settings).items() if name != "checkpoint_minutes"}
    versions = [module.__version__ for module in (torch, transformers, trl)]
    probing = [repr(place.watch)] if place.watch else []
    how = [fingerprint(place.model), place.seed, place.dtype, place.device, *versions, *probing]
    return content_hash(settings, how, fitted.rows, fitted.weights, *also)


def _add_callbacks(trainer: Any, place: Place, fitted: TrainingRows, tokenizer: Any) -> Watch | None:
    import transformers

    class StopAtNoNumber(transformers.TrainerCallback):  # type: ignore[misc]
        """A loss that is no number never becomes one again; `training_curve` tells the user."""

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **rest: Any) -> None:
            control.should_training_stop |= not all(math.isfinite((logs or {}).get(name, 0.0)) for name in STOPPING)

    trainer.add_callback(StopAtNoNumber())
    if place.settings.checkpoint_minutes:
        trainer.add_callback(checkpoint_callback(place.settings.checkpoint_minutes))
    if not place.watch:
        return None
    watch = Watch(place.watch, tokenizer, fitted.rows, place.staging, place.seed)
    trainer.add_callback(watch_callback(watch, trainer, checkpoints=place.settings.checkpoint_minutes > 0))
    return watch


def check_trainable(model: str, settings: TrainingSection) -> None:
    """Raise UserError for what cannot be trained, before any hour is spent on sampling for it."""
    if settings.lora_rank and (Path(resolve_model(model)) / "adapter_config.json").exists():
        raise UserError(
            f"{model}: is an adapter, and an adapter of its own would forget it. Set training.lora_rank = 0 (the "
            "two are merged), or merge them yourself first."
        )


def _weights(trainer: Any) -> dict[str, float]:
    """KTO's weights as they were balanced, in place of the settings' 0; nothing for methods without them."""
    names = ("desirable_weight", "undesirable_weight")
    return {name: float(getattr(trainer, name)) for name in names if hasattr(trainer, name)}


def encoder(tokenizer: Any) -> Encode:
    """The model's chat template as a function to token ids."""

    def encode(messages: Any, add_generation_prompt: bool) -> list[int]:
        encoded = tokenizer.apply_chat_template(list(messages), add_generation_prompt=add_generation_prompt)
        ids: list[int] = encoded["input_ids"]
        return ids

    return encode
