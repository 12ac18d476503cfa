"""The course of every training: checks, rows, TRL's trainer, first loss, training, and one atomic folder at the end."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from codepref.config.sections import TrainingSection
from codepref.errors import GateError, MachineError, UserError
from codepref.models import fingerprint, load_tokenizer, pick_device, public_name, quiet
from codepref.storage.files import content_hash, write_json
from codepref.training.curve import training_curve
from codepref.training.job import TrainingJob
from codepref.training.methods import load_method
from codepref.training.processes import count, first_alone
from codepref.training.reference import compute_once
from codepref.training.requirements import check_context, check_rows, check_trainable, check_validation
from codepref.training.result import TrainingResult
from codepref.training.rows import Encode, TrainingRows
from codepref.training.saving import check_weights, save
from codepref.training.setup import learning_rate, restore_adapter_dropout
from codepref.training.shared_prefix import share
from codepref.training.staging import MARKER, check_out, checkpoint_callback, claim, clear, newest_checkpoint
from codepref.training.validation_callback import validation_callback
from codepref.training.validation_stats import probe_row, warnings
from codepref.training.validator import Validator

STOPPING = ("loss", "grad_norm")
"""Logged values that end a training when they are not numbers."""

MakeRows = Callable[[Encode, int], TrainingRows]
"""(chat template, id of the end-of-sequence token) -> rows."""

Build = Callable[[TrainingJob, TrainingRows, Any], Any]
"""(job, rows, tokenizer) -> TRL trainer."""

FirstLoss = Callable[[Any, TrainingSection], float]
"""(trainer, settings) -> the loss before any step. Raises InfrastructureError when it shows a wrong reference."""


def run_training(
    job: TrainingJob,
    *,
    rows: MakeRows,
    build: Build,
    first_loss: FirstLoss,
    reference_columns: tuple[str, ...] = (),
    sampled_per_step: int = 0,
    key_parts: Sequence[Any] = (),
) -> TrainingResult:
    """Train by one method, check the loss before the first step, and write the model to `job.out`, whole or not at all.

    reference_columns: see `reference.compute_once`. sampled_per_step: answers that an online method samples in a step.
    key_parts: what the weights depend on besides job and rows; a killed training resumes only if they are the same. The
    same call after a kill resumes from the last checkpoint. Raises UserError when nothing can be trained on, GateError
    when the loss or a weight is not a number, MachineError when memory runs out, and what `first_loss` raises.
    """
    import torch

    check_trainable(job.model, job.settings)
    check_out(job.out)
    check_validation(job)
    tokenizer = load_tokenizer(job.model)
    with quiet():  # the tokenizer warns of rows beyond its length, which are left out and counted
        fitted = rows(chat_encoder(tokenizer), int(tokenizer.eos_token_id))
    check_rows(fitted)
    cpu = pick_device(job.device) == "cpu"
    resumed = first_alone(lambda: claim(job.staging, _resume_key(job, fitted, key_parts)), cpu=cpu)
    try:
        with quiet():
            training = _Training(job, fitted, tokenizer, build)
            training.prepare(first_loss, reference_columns)
            training.run(resumed=resumed)
    except torch.OutOfMemoryError as error:
        raise MachineError(
            "out of memory while training: lower training.micro_batch_size or max_length, set "
            "gradient_checkpointing = true, or train an adapter with lora_rank = 16"
        ) from error
    except (GateError, UserError):
        # A second try would end the same way, so the folder is removed. Each process tries to remove it, since the
        # launcher ends all processes as soon as one has left.
        shutil.rmtree(job.staging, ignore_errors=True)
        raise
    result = training.result(sampled_per_step)
    first_alone(lambda: _finish(job, result), cpu=cpu)
    return result


class _Training:
    """One TRL trainer with its rows, from the build to the saved model."""

    def __init__(self, job: TrainingJob, rows: TrainingRows, tokenizer: Any, build: Build) -> None:
        import transformers

        self.job, self.rows, self.tokenizer = job, rows, tokenizer
        transformers.set_seed(job.seed)
        self.trainer = build(job, rows, tokenizer)
        self.trainer.remove_callback(transformers.PrinterCallback)
        restore_adapter_dropout(self.trainer.model, job.settings)
        check_context(self.trainer.model, rows, job.model)

    def prepare(self, first_loss: FirstLoss, reference_columns: tuple[str, ...]) -> None:
        """Share prefixes, check the first loss, compute the reference's log-probabilities, and add the callbacks."""
        self.shares_prefixes = self.job.settings.share_prefixes and share(self.trainer, self.tokenizer)
        self.first_loss = first_loss(self.trainer, self.job.settings)
        if reference_columns:
            compute_once(self.trainer, reference_columns, self.job.staging)
        self.validator = _add_callbacks(self.trainer, self.job, self.rows, self.tokenizer)

    def run(self, *, resumed: bool) -> None:
        """Train, from the last checkpoint if there is one, and save the model."""
        import transformers

        transformers.set_seed(self.job.seed)
        checkpoint = newest_checkpoint(self.job.staging) if resumed else None
        self.trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        self.curve = training_curve(self.trainer.state.log_history)
        check_weights(self.trainer.model)
        save(self.trainer, self.tokenizer, self.job, self.validator)

    def result(self, sampled_per_step: int) -> TrainingResult:
        """What the training reports."""
        job, settings = self.job, self.job.settings
        probes = self.validator.probes if self.validator else []
        steps = int(self.trainer.state.global_step)
        used = {"learning_rate": learning_rate(job), "share_prefixes": self.shares_prefixes}
        return TrainingResult(
            model=job.out,
            pairs=self.rows.pairs,
            steps=steps,
            first_loss=self.first_loss,
            dropped=self.rows.dropped,
            curve=self.curve,
            settings=asdict(settings) | used | _label_weights(self.trainer),
            kept_step=self.validator.kept if self.validator else steps,
            stopped=self.validator.stopped if self.validator else "",
            probes=[probe_row(probes[0], probe, job.seed) for probe in probes],
            warnings=warnings(self.curve, probes),
            # counted by steps, since the reward's own count misses other processes and what ran before a kill
            sampled=sampled_per_step * steps,
            expected_first_loss=load_method(settings.method).expected_first_loss(settings),
        )


def _finish(job: TrainingJob, result: TrainingResult) -> None:
    facts = {"model": job.out.name, "base": public_name(job.model), "seed": job.seed, "processes": count()}
    clear(job.staging)
    write_json(job.staging / MARKER, asdict(result) | facts)
    shutil.rmtree(job.out, ignore_errors=True)
    job.staging.replace(job.out)


def _resume_key(job: TrainingJob, rows: TrainingRows, key_parts: Sequence[Any]) -> str:
    """A hash of everything that the trained weights depend on, so that no other training uses the checkpoints."""
    import torch
    import transformers
    import trl

    settings = {name: value for name, value in asdict(job.settings).items() if name != "checkpoint_minutes"}
    versions = [module.__version__ for module in (torch, transformers, trl)]
    validation = [repr(job.validation)] if job.validation else []
    start = [fingerprint(job.model), job.seed, job.dtype, job.device, *versions, *validation]
    return content_hash(settings, start, rows.rows, rows.weights, *key_parts)


def _add_callbacks(trainer: Any, job: TrainingJob, rows: TrainingRows, tokenizer: Any) -> Validator | None:
    import transformers

    class StopAtNaN(transformers.TrainerCallback):  # type: ignore[misc]
        """Ends a training whose loss is not a number, since it never becomes one again. The curve raises GateError."""

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **rest: Any) -> None:
            control.should_training_stop |= not all(math.isfinite((logs or {}).get(name, 0.0)) for name in STOPPING)

    minutes = job.settings.checkpoint_minutes
    trainer.add_callback(StopAtNaN())
    if minutes:
        trainer.add_callback(checkpoint_callback(minutes))
    if not job.validation:
        return None
    validator = Validator(job.validation, tokenizer, rows.rows, job.staging, job.seed)
    trainer.add_callback(validation_callback(validator, trainer, checkpoints=minutes > 0))
    return validator


def _label_weights(trainer: Any) -> dict[str, float]:
    """KTO's balanced weights, which replace the settings' 0; nothing for other methods."""
    names = ("desirable_weight", "undesirable_weight")
    return {name: float(getattr(trainer, name)) for name in names if hasattr(trainer, name)}


def chat_encoder(tokenizer: Any) -> Encode:
    """The model's chat template as a function from messages to token ids."""

    def encode(messages: Any, add_generation_prompt: bool) -> list[int]:
        encoded = tokenizer.apply_chat_template(list(messages), add_generation_prompt=add_generation_prompt)
        ids: list[int] = encoded["input_ids"]
        return ids

    return encode
