"""The trainer callback that makes a Validator probe the model at intervals."""

from __future__ import annotations

import math
from typing import Any

from codepref.training.processes import first_alone
from codepref.training.validator import Validator

PROBES = 8
"""The largest number of probes after the start, when the settings name no interval."""


def validation_callback(validator: Validator, trainer: Any, *, checkpoints: bool) -> Any:
    """Return a callback for `trainer` that probes its model at the start, at intervals, and at the last step.

    checkpoints: whether to ask for a checkpoint after each probe of a trained model, unless the training ends at this
    step. A killed training then resumes from that step and need not repeat the probe.
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
    """Probe the model in the first process only, and hand the validator's decision to stop to all processes."""

    def work() -> str:
        validator.probe(trainer, step)
        return validator.stopped

    validator.stopped = first_alone(work, cpu=trainer.args.use_cpu)
