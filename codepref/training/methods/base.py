"""The record that describes a training method, and the types of data that methods learn from. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from codepref.config.sections import OnlineSection, TrainingSection
from codepref.execution.limits import Limits
from codepref.records import Pair, Problem, VacuousTests
from codepref.training.examples import Examples
from codepref.training.job import TrainingJob
from codepref.training.result import TrainingResult

Source = Literal["pairs", "verdicts", "data", "problems"]
"""A source of training data, named like the option of `codepref train` that reads it. `data` holds
demonstrations or labelled answers."""


@dataclass(frozen=True)
class OnlineProblems:
    """What online methods learn from: problems with tests, and how answers to them are sampled and run.

    settings: the keys of [online]. template: the prompt template; None takes the default. limits, jobs, unconfined,
    vacuous_tests: as in `codepref.execute`.
    """

    problems: Sequence[Problem]
    settings: OnlineSection = field(default_factory=OnlineSection)
    template: str | None = None
    limits: Limits | None = None
    jobs: int | None = None
    unconfined: bool = False
    vacuous_tests: VacuousTests = "leave-out"


TrainingData = Sequence[Pair] | Examples | OnlineProblems
"""The data of a training: pairs, single answers, or problems."""


def no_mistakes(settings: TrainingSection, online: OnlineSection) -> list[str]:
    """Return no mistakes. This is the check of a method that accepts all settings."""
    return []


def no_expected_loss(settings: TrainingSection) -> float | None:
    """Return None. This suits a method whose first loss is not known before the training."""
    return None


@dataclass(frozen=True)
class Method:
    """A training method, which is an entry of METHODS.

    name: the name in `training.method`. train: the function that trains a job on data and writes the result.
    learns_from: the data that `train` takes: "pairs" are Pair records, "answers" are Examples, "problems" are
    OnlineProblems. `TrainingResult.pairs` counts them. sources: the sources from which `codepref train` may read
    the data. learning_rate, lora_learning_rate: the default learning rates without and with an adapter. supervised:
    whether the method learns only from wanted answers. The adapter of a supervised method is merged after training.
    beta: the value that is used when `training.beta` is 0. mistakes: a function that returns a message for each
    mistake that it finds in the settings. expected_first_loss: a function that returns the value at which the
    logged loss starts, or None when no value is known before the training.
    """

    name: str
    train: Callable[[TrainingJob, Any], TrainingResult]
    learns_from: Literal["pairs", "answers", "problems"]
    sources: tuple[Source, ...]
    learning_rate: float
    lora_learning_rate: float
    supervised: bool = False
    beta: float = 0.1
    mistakes: Callable[[TrainingSection, OnlineSection], list[str]] = no_mistakes
    expected_first_loss: Callable[[TrainingSection], float | None] = no_expected_loss

    @property
    def online(self) -> bool:
        """Whether the method samples answers to problems while it trains."""
        return self.learns_from == "problems"

    def default_learning_rate(self, lora_rank: int) -> float:
        """Return the learning rate that is used when `training.learning_rate` is 0."""
        return self.lora_learning_rate if lora_rank else self.learning_rate
