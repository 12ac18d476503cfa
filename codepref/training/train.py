"""The entry to training. `train` checks a job, starts processes if the settings ask for them, and calls the method."""

from __future__ import annotations

from codepref.config.sections import OnlineSection
from codepref.errors import UserError
from codepref.training.checks import training_mistakes
from codepref.training.examples import Examples, examples_from_pairs
from codepref.training.job import TrainingJob
from codepref.training.launch import launch
from codepref.training.methods import METHODS, load_method
from codepref.training.methods.base import Method, OnlineProblems, TrainingData
from codepref.training.processes import count
from codepref.training.requirements import check_requirements
from codepref.training.result import TrainingResult


def train(job: TrainingJob, data: TrainingData) -> TrainingResult:
    """Train `job.model` by the method in `job.settings`, and write the trained model to the folder `job.out`.

    With `lora_rank` above 0, only the adapter is written, unless `merge_adapter` is set or the method is supervised. A
    training that fails writes nothing to `job.out`.
    data: Pair records, single answers (Examples) or OnlineProblems, whichever the method learns from. Methods that
    learn from single answers also take pairs. Raises UserError for settings that do not fit together and for data that
    the method cannot learn from, and what `check_requirements`, `launch` and the method raise.
    """
    online = data.settings if isinstance(data, OnlineProblems) else OnlineSection()
    if mistakes := training_mistakes(job.settings, online=online):
        raise UserError(*mistakes)
    check_requirements(job.settings)
    method = load_method(job.settings.method)
    data = _data_for(method, data)
    if (job.settings.processes > 1 or job.settings.accelerate) and count() == 1:
        return launch(job, data)
    return method.train(job, data)


def _data_for(method: Method, data: TrainingData) -> TrainingData:
    """Return the data in the form that the method learns from. Raises UserError for data of another kind."""
    if isinstance(data, OnlineProblems) != method.online:
        raise UserError(
            f"method {method.name} learns from {method.learns_from}, but the data is of another kind. Give it "
            f"{method.learns_from}"
        )
    if isinstance(data, OnlineProblems):
        return data
    if method.learns_from == "answers":
        return data if isinstance(data, Examples) else examples_from_pairs(data)
    if isinstance(data, Examples):
        others = [name for name in METHODS.names() if load_method(name).learns_from == "answers"]
        raise UserError(
            f"method {method.name} needs pairs, and the data holds single answers. Give it pairs, or choose one of the "
            f"methods {', '.join(others)}"
        )
    return data
