"""The trainer callback that asks a Validator for a probe of the model every few steps."""

from __future__ import annotations

import math
from typing import Any

from codepref.training.processes import first_alone
from codepref.training.validator import Validator

PROBES = 8
"""Probes in a training whose settings name no interval."""


def validation_callback(validator: Validator, trainer: Any, *, checkpoints: bool) -> Any:
    """A callback of `trainer` that probes its model at the start, every few steps and at the end.

    checkpoints: ask for a checkpoint beside each probe, so that a killed training keeps the probe that it was at.
    """
    import transformers

    class ValidationCallback(transformers.TrainerCallback):  # type: ignore[misc]
        def on_train_begin(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            validator.restore(state.global_step)
            if state.global_step == 0:
                _probe_once(validator, trainer, 0)

        def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            every = validator.settings.every or math.ceil(state.max_steps / PROBES)
            if state.global_step % every == 0 or state.global_step >= state.max_steps:
                _probe_once(validator, trainer, state.global_step)
                control.should_training_stop |= bool(validator.stopped)
                continues = not control.should_training_stop and state.global_step < state.max_steps
                control.should_save |= checkpoints and continues

    return ValidationCallback()


def _probe_once(validator: Validator, trainer: Any, step: int) -> None:
    """Probe the model in the first process, and take over its decision to stop in all of them."""

    def work() -> str:
        validator.probe(trainer, step)
        return validator.stopped

    validator.stopped = first_alone(work, cpu=trainer.args.use_cpu)
