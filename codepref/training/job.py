"""The records that describe a training: the job, and how the model is validated while it trains. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from codepref.config.sections import TrainingSection
from codepref.execution.limits import Limits
from codepref.records import Problem, VacuousTests

Progress = Callable[[int, int], None]
"""A function that is called with the number of finished steps and the number of all steps."""


@dataclass(frozen=True)
class ValidationSettings:
    """How a model is validated while it trains: it answers problems, and its answers are run against their tests.

    problems: problems with true tests. They should be neither trained on nor held out for the final evaluation.
    temperature, top_p, max_new_tokens: how answers are sampled. samples: answers to each problem in one probe. every:
    steps between two probes; 0 spreads at most eight probes over the training. In both cases there is one more probe
    before the first step, and the last step is probed. patience: the training ends when this number of probes came
    after the best one; 0 sets no such limit. template: the prompt template; None takes the default. batch_size: the
    largest number of answers that are written at once. limits, jobs, unconfined, vacuous_tests: as in
    `codepref.execute`.
    """

    problems: Sequence[Problem]
    temperature: float = 0.8
    top_p: float = 0.95
    max_new_tokens: int = 512
    samples: int = 2
    every: int = 0
    patience: int = 4
    template: str | None = None
    batch_size: int = 128
    limits: Limits = field(default_factory=Limits)
    jobs: int | None = None
    unconfined: bool = False
    vacuous_tests: VacuousTests = "leave-out"


@dataclass(frozen=True)
class TrainingJob:
    """Which model is trained, where the result goes, and how.

    model: a folder, a hub name, a GGUF file or `starter`. out: the folder of the trained model. settings: the keys of
    [training] or [sft]. seed: the seed of every random choice. dtype: the type of the base model's weights when an
    adapter is trained without quantization; training without an adapter uses float32. device: `auto`, or a device of
    PyTorch such as `cpu` and `cuda:0`. progress: called as steps finish, or None. validation: how the model is
    validated while it trains, or None. section: the section of the recipe that `settings` comes from, which messages
    name. trials: the trials that chose `settings.chosen_weight`, for the record; see `codepref.training.trials`.
    """

    model: str
    out: Path
    settings: TrainingSection
    seed: int = 0
    dtype: str = "auto"
    device: str = "auto"
    progress: Progress | None = None
    validation: ValidationSettings | None = None
    section: str = "training"
    trials: tuple[dict[str, Any], ...] = ()

    @property
    def staging(self) -> Path:
        """The folder beside `out` to which the training writes. It is renamed to `out` when the training succeeds."""
        return self.out.with_name(f".{self.out.name}.partial")
