"""The record that describes a training method, and the data that methods learn from. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from codepref.config.sections import OnlineSection, TrainingSection
from codepref.execution.limits import Limits
from codepref.records import Pair, Problem
from codepref.training.examples import Examples
from codepref.training.job import TrainingJob
from codepref.training.result import TrainingResult

Source = Literal["pairs", "verdicts", "data", "problems"]
"""What `codepref train` reads, by the name of its option. `data` holds demonstrations."""


@dataclass(frozen=True)
class OnlineProblems:
    """What online methods learn from: problems with tests, and how answers to them are sampled and run.

    settings: the keys of [online]. template: the prompt template; None takes the default. limits, jobs, unconfined: as
    in `codepref.execute`.
    """

    problems: Sequence[Problem]
    settings: OnlineSection = field(default_factory=OnlineSection)
    template: str | None = None
    limits: Limits | None = None
    jobs: int | None = None
    unconfined: bool = False


TrainingData = Sequence[Pair] | Examples | OnlineProblems
"""What a training learns from: pairs, single answers, or problems."""


def no_mistakes(settings: TrainingSection, online: OnlineSection) -> list[str]:
    """The check of a method that accepts all settings."""
    return []


def no_expected_loss(settings: TrainingSection) -> float | None:
    """The first loss of a method whose loss starts at no value that is known beforehand."""
    return None


@dataclass(frozen=True)
class Method:
    """One entry of METHODS.

    name: its name in `training.method`. train: trains a job on data and writes the model. learns_from: what `train`
    takes, which is also the unit in which its rows are counted: Pair records, Examples, or OnlineProblems.
    sources: what `codepref train` may read for it. learning_rate, lora_learning_rate: the defaults for all weights and
    for an adapter. supervised: whether it learns from wanted answers alone. Its adapter is merged after training.
    mistakes: one text for each setting that it cannot use. expected_first_loss: the value at which its logged loss
    starts, or None where that depends on the model or the data.
    """

    name: str
    train: Callable[[TrainingJob, Any], TrainingResult]
    learns_from: Literal["pairs", "answers", "problems"]
    sources: tuple[Source, ...]
    learning_rate: float
    lora_learning_rate: float
    supervised: bool = False
    mistakes: Callable[[TrainingSection, OnlineSection], list[str]] = no_mistakes
    expected_first_loss: Callable[[TrainingSection], float | None] = no_expected_loss

    @property
    def online(self) -> bool:
        """Whether it samples answers to problems while it trains."""
        return self.learns_from == "problems"

    def default_learning_rate(self, lora_rank: int) -> float:
        """The learning rate where `training.learning_rate` is 0."""
        return self.lora_learning_rate if lora_rank else self.learning_rate
