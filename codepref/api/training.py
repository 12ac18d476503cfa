"""`codepref.train` trains a model on pairs, verdicts, demonstrations or problems."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codepref.api.inputs import Pairs, Problems, Progress, Verdicts, load_problems, read_matrices, read_pair_records
from codepref.config.fields import checked, nearest
from codepref.config.sections import EvaluationSection, OnlineSection, TrainingSection, ValidationSection
from codepref.errors import UserError
from codepref.problems.statements import read_statements
from codepref.records import Problem
from codepref.training.checks import weight_mistakes
from codepref.training.methods import load_method

if TYPE_CHECKING:
    from codepref.training.examples import Examples
    from codepref.training.result import TrainingResult


def train(
    pairs: Pairs | None,
    model: str,
    out: str | Path,
    *,
    verdicts: Verdicts | None = None,
    data: str | Path | Iterable[Mapping[str, Any]] | None = None,
    settings: TrainingSection | None = None,
    seed: int = 0,
    dtype: str = "auto",
    device: str = "auto",
    progress: Progress | None = None,
    validation: Problems | None = None,
    validation_settings: ValidationSection | None = None,
    problems: Problems | None = None,
    online: OnlineSection | None = None,
    unconfined: bool = False,
    strict: bool = False,
    log: Callable[[str], None] = lambda text: None,
    **overrides: Any,
) -> TrainingResult:
    """Train a model and write it to the folder `out`. The model appears in the folder only when it is complete.

    Give exactly one of `pairs`, `verdicts`, `data` and `problems`.
    pairs: a file, a hub name, Pair records, a PairSet, or rows such as a `datasets.Dataset` (see
    `codepref.pairing.artifact.read_pairs`). The method `kto` learns from both sides as single answers, and `sft` from
    the chosen sides. Both leave out an answer that is chosen and rejected in the pairs of a problem.
    verdicts: a folder that `execute` wrote, but not matrices, which hold no prompts. `rft` and `sft` learn from
    correct solutions, at most four of each problem. `kto` also learns from wrong solutions, at most four of each
    problem.
    `codepref.training.examples.examples_from_verdicts` says which solutions are left out.
    data: demonstrations for `sft`, or answers with a label for `kto`: a file, a hub name, or rows (see
    `codepref.training.demonstrations`).
    problems: problems with tests, for `grpo` and `rloo`. These methods sample answers while they train. `online` holds
    their settings.

    validation: problems with tests that the model answers while it trains. `validation_settings` says how often, and
    how many of the problems are used: by default the first 100. The model keeps the weights with the best validation
    result (docs/explanation/validation.md). With `validation_settings.chosen_weights`, these values of `chosen_weight`
    are tried first, and the best one is taken.
    log: called with a message for each such trial.
    unconfined: run the sampled answers without Landlock.
    strict: refuse a source of problems that has a bad row. By default bad rows are left out, with a warning.
    overrides: keys of TrainingSection, such as method, beta, learning_rate, epochs or lora_rank, except `rounds` and
    `round_start`.
    Raises UserError for settings that are unknown, out of range or do not fit together, for a source that cannot be
    read or that the method cannot learn from, and what `codepref.training.train.train` raises.
    """
    from codepref.training.job import TrainingJob
    from codepref.training.train import train as run
    from codepref.training.trials import choose_weight, clear_trials

    if "watch" in overrides:
        warnings.warn("train: `watch` is now called `validation_settings`", FutureWarning, stacklevel=2)
        validation_settings = overrides.pop("watch")
    known = set(TrainingSection.__dataclass_fields__)
    if unknown := sorted(set(overrides) - known):
        raise UserError(*(f"unknown training setting `{name}`{nearest(name, known)}" for name in unknown))
    if of_a_run := sorted({"rounds", "round_start"} & overrides.keys()):
        raise UserError(
            f"{' and '.join(of_a_run)}: only a run has rounds (`codepref.run`); `codepref.train` trains once"
        )
    chosen = checked(replace(settings or TrainingSection(), **overrides), "training")
    method = load_method(chosen.method)
    if method.online and (problems is None or any(one is not None for one in (pairs, verdicts, data))):
        raise UserError(
            f"method {chosen.method} samples answers while it trains: give it `problems` and no other source"
        )
    if not method.online and problems is not None:
        raise UserError(f"method {chosen.method} learns from {' or '.join(method.sources)}, not from problems")
    job = TrainingJob(model, Path(out), chosen, seed, dtype, device, progress)
    if validation is not None:
        settings_of_validation = validation_settings or ValidationSection()
        job = replace(job, validation=_validation(validation, model, settings_of_validation, unconfined, strict))
    weights = validation_settings.chosen_weights if validation_settings else ()
    if mistakes := weight_mistakes(chosen, weights, validated=validation is not None):
        raise UserError(*mistakes)
    if problems is not None:
        return run(job, _online_problems(load_problems(problems, strict=strict), model, online, unconfined))
    source = _training_data(pairs, verdicts, data, chosen, seed)
    if not weights or validation_settings is None:
        return run(job, source)
    weight, trials = choose_weight(job, source, weights, validation_settings.trial_share, log)
    result = run(replace(job, settings=replace(chosen, chosen_weight=weight), trials=tuple(trials)), source)
    clear_trials(job)
    return result


def _online_problems(problems: Sequence[Problem], model: str, online: OnlineSection | None, unconfined: bool) -> Any:
    from codepref.models import model_templates
    from codepref.training.methods.base import OnlineProblems

    template = model_templates(model).get("solutions")
    return OnlineProblems(problems, online or OnlineSection(), template=template, unconfined=unconfined)


def _validation(validation: Problems, model: str, settings: ValidationSection, unconfined: bool, strict: bool) -> Any:
    """Return the settings of the validation.

    Raises UserError if the problems cannot be read, if there is none, or if a problem has no tests.
    """
    from codepref.models import model_templates
    from codepref.training.job import ValidationSettings

    problems = load_problems(validation, limit=settings.limit or None, strict=strict)
    if not problems:
        raise UserError("validation holds no problem: give validation problems, or leave out `validation`")
    if not all(problem.tests for problem in problems):
        raise UserError(
            "every validation problem needs tests: they run on the answers that the model gives while it trains"
        )
    sampled = EvaluationSection()
    return ValidationSettings(
        problems,
        temperature=sampled.temperature,
        top_p=sampled.top_p,
        max_new_tokens=sampled.max_new_tokens,
        samples=settings.samples,
        every=settings.every,
        patience=settings.patience,
        template=model_templates(model).get("solutions"),
        unconfined=unconfined,
    )


def _training_data(pairs: Any, verdicts: Any, data: Any, settings: TrainingSection, seed: int) -> Any:
    """Return what `pairs`, `verdicts` or `data` holds: Pair records, or single answers (Examples).

    Raises UserError if not exactly one of the three is given, and for a source that cannot be read or that the method
    cannot learn from.
    """
    from codepref.pairing.artifact import holds_answers
    from codepref.training.demonstrations import wanted_only

    sources = {"pairs": pairs, "verdicts": verdicts, "data": data}
    given = [name for name, value in sources.items() if value is not None]
    if len(given) != 1:
        raise UserError("give exactly one of pairs, verdicts and data to train on")
    method = load_method(settings.method)
    if given[0] not in method.sources:
        raise UserError(
            f"method {method.name} learns from {' or '.join(method.sources)}, not from {given[0]}"
            + (
                ": make pairs from the verdicts with `codepref pair`"
                if method.learns_from == "pairs" and verdicts is not None
                else ""
            )
        )
    if method.learns_from == "answers" and isinstance(pairs, str | Path) and holds_answers(pairs):
        data = pairs  # labelled answers need not become pairs first
    if data is not None:
        answers = answers_of(data, None, seed)
        return wanted_only(answers) if method.supervised else answers
    if verdicts is not None:
        return answers_of(None, verdicts, seed)
    records = read_pair_records(pairs)
    if not records and isinstance(pairs, str | Path):
        raise UserError(f"{pairs} holds no pair to train on")
    return records


def answers_of(data: Any, verdicts: Any, seed: int) -> Examples:
    """Return the single answers in demonstrations, or in verdicts if `data` is None. `train` explains both.

    Raises UserError for a source that cannot be read or has a malformed row, and for verdicts that are not a path.
    """
    from codepref.problems.load import read_rows
    from codepref.training.demonstrations import examples_from_rows
    from codepref.training.examples import examples_from_verdicts

    if data is not None:
        named = isinstance(data, str | Path)
        rows = read_rows(str(data)) if named else ((f"row {place}", row) for place, row in enumerate(data))
        return examples_from_rows(rows, source=str(data) if named else "data")
    if not isinstance(verdicts, str | Path):
        raise UserError(
            "verdicts to train on must be a folder that `execute` wrote, since only the folder holds the prompts"
        )
    return examples_from_verdicts(read_matrices(verdicts), read_statements(Path(verdicts)), seed=seed)
