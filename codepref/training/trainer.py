"""The steps that codepref's methods share: checks, rows, TRL's trainer, the first loss, training and saving."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from codepref.chat import Chat
from codepref.config.sections import TrainingSection
from codepref.errors import GateError, MachineError, UserError
from codepref.models import chat_of, fingerprint, load_tokenizer, pick_device, public_name, quiet
from codepref.storage.files import content_hash, write_json
from codepref.training.curve import training_curve
from codepref.training.job import TrainingJob
from codepref.training.methods import load_method
from codepref.training.processes import count, first_alone
from codepref.training.reference import compute_once
from codepref.training.requirements import check_context, check_rows, check_trainable, check_validation
from codepref.training.result import TrainingResult
from codepref.training.rows import TrainingRows
from codepref.training.saving import check_weights, save
from codepref.training.setup import beta, learning_rate, restore_adapter_dropout
from codepref.training.shared_prefix import share
from codepref.training.staging import (
    MARKER,
    check_out,
    checkpoint_callback,
    claim,
    clear,
    newest_checkpoint,
    put_in_place,
)
from codepref.training.validation_callback import validation_callback
from codepref.training.validation_stats import probe_row, warnings
from codepref.training.validator import Validator

STOPPING = ("loss", "grad_norm")
"""Names of logged values. A training ends when it logs one of them that is not a finite number."""

MakeRows = Callable[[Chat], TrainingRows]
"""A function of the model's chat template that returns the rows."""

Build = Callable[[TrainingJob, TrainingRows, Any], Any]
"""A function of the job, the rows and the tokenizer that returns TRL's trainer."""

FirstLoss = Callable[[Any, TrainingSection], float]
"""A function of the trainer and the settings that returns the loss before the first step. For a method with a reference
model, it raises InfrastructureError when the loss or the rewards show that the reference model is not the start model.
"""


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
    """Train by one method, and write the trained model, or only its adapter (see `save`), to `job.out`.

    A training that fails writes nothing to `job.out`. The same call after a kill resumes from the last complete
    checkpoint, if there is one.

    rows, build, first_loss: the functions of the method. reference_columns: see `reference.compute_once`, which
    is not called without columns. sampled_per_step: the number of answers that an online method samples in
    a step. key_parts: what the weights depend on besides the job and the rows. A killed training resumes only if these
    parts are the same.

    Raises UserError for a job, a chat template or rows that cannot be trained, GateError when a logged value, the first
    loss, a weight or the log-probability in a validation probe is not a finite number, MachineError when GPU memory
    runs out or the model cannot be loaded or written, InfrastructureError when the sandbox fails in a validation probe,
    and what the functions raise.
    """
    import torch

    check_trainable(job.model, job.settings, job.section)
    check_out(job.out)
    check_validation(job)
    tokenizer = load_tokenizer(job.model)
    with quiet():  # the tokenizer would warn of rows that are too long, and these are left out and counted
        fitted = rows(chat_of(job.model, tokenizer))
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
            f"GPU memory ran out during the training: lower {job.section}.micro_batch_size or "
            f"{job.section}.max_length, set {job.section}.gradient_checkpointing = true, or train an adapter "
            f"({job.section}.lora_rank above 0)"
        ) from error
    except (GateError, UserError):
        # Another try would fail in the same way, so the folder is removed. Each process tries to remove it, since the
        # launcher ends all other processes as soon as one has failed.
        shutil.rmtree(job.staging, ignore_errors=True)
        raise
    result = training.result(sampled_per_step)
    first_alone(lambda: _finish(job, result), cpu=cpu)
    return result


class _Training:
    """One training: it builds TRL's trainer, prepares it, trains, and saves the model."""

    def __init__(self, job: TrainingJob, rows: TrainingRows, tokenizer: Any, build: Build) -> None:
        import transformers

        self.job, self.rows, self.tokenizer = job, rows, tokenizer
        transformers.set_seed(job.seed)
        self.trainer = build(job, rows, tokenizer)
        self.trainer.remove_callback(transformers.PrinterCallback)
        restore_adapter_dropout(self.trainer.model, job.settings)
        check_context(self.trainer.model, rows, job.model, job.section)

    def prepare(self, first_loss: FirstLoss, reference_columns: tuple[str, ...]) -> None:
        """Share prefixes if wanted, check the first loss, run the reference model if needed, and add the callbacks."""
        self.shares_prefixes = self.job.settings.share_prefixes and share(self.trainer, self.tokenizer)
        self.first_loss = first_loss(self.trainer, self.job.settings)
        if reference_columns:
            compute_once(self.trainer, reference_columns, self.job.staging)
        self.validator = _add_callbacks(self.trainer, self.job, self.rows, self.tokenizer)

    def run(self, *, resumed: bool) -> None:
        """Train and save the model. resumed: whether to continue from the newest checkpoint, if there is one."""
        import transformers

        transformers.set_seed(self.job.seed)
        checkpoint = newest_checkpoint(self.job.staging) if resumed else None
        self.trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        self.curve = training_curve(self.trainer.state.log_history)
        check_weights(self.trainer.model)
        save(self.trainer, self.tokenizer, self.job, self.validator)

    def result(self, sampled_per_step: int) -> TrainingResult:
        """Return the result of the training. sampled_per_step: see `run_training`."""
        job, settings = self.job, self.job.settings
        probes = self.validator.probes if self.validator else []
        steps = int(self.trainer.state.global_step)
        used = {"learning_rate": learning_rate(job), "beta": beta(job), "share_prefixes": self.shares_prefixes}
        return TrainingResult(
            model=job.out,
            pairs=self.rows.pairs,
            steps=steps,
            first_loss=self.first_loss,
            dropped=self.rows.dropped,
            curve=self.curve,
            settings=asdict(settings) | used | _label_weights(self.trainer) | getattr(self.trainer, "recorded", {}),
            kept_step=self.validator.kept if self.validator else steps,
            stopped=self.validator.stopped if self.validator else "",
            probes=[probe_row(probes[0], probe, job.seed) for probe in probes],
            warnings=warnings(self.curve, probes),
            # computed from the steps, since the reward counts only answers of this process and since the last start
            sampled=sampled_per_step * steps,
            trials=list(job.trials),
            expected_first_loss=load_method(settings.method).expected_first_loss(settings),
        )


def _finish(job: TrainingJob, result: TrainingResult) -> None:
    facts = {"model": job.out.name, "base": public_name(job.model), "seed": job.seed, "processes": count()}
    clear(job.staging)
    write_json(job.staging / MARKER, asdict(result) | facts)
    put_in_place(job.staging, job.out)


def _resume_key(job: TrainingJob, rows: TrainingRows, key_parts: Sequence[Any]) -> str:
    """Return a hash of what the trained weights depend on. Only a training with this hash may resume."""
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
        """Stops a training when a value of STOPPING is not a finite number.

        `training_curve` raises GateError for this value afterwards.
        """

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
    """Return the label weights that KTO used, which replace a 0 in the settings. Other methods have none."""
    names = ("desirable_weight", "undesirable_weight")
    return {name: float(getattr(trainer, name)) for name in names if hasattr(trainer, name)}
