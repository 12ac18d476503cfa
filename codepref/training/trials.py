"""Chooses the weight of the likelihood term by a short training with each weight and by validation problems."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from codepref.errors import GateError, UserError
from codepref.models import fingerprint
from codepref.storage.files import content_hash, make_folder, read_json, write_json
from codepref.training.job import TrainingJob
from codepref.training.methods.base import TrainingData
from codepref.training.train import train

Trial = dict[str, Any]
"""The result of one short training. Its keys:

chosen_weight: the weight that was tried. steps: the number of optimizer steps. pass_rate: pass@1 on the validation
problems after the last step. difference, low, high: pass_rate minus that of the start model, with the ends of its 95%
interval. chosen_logp: the mean log-probability of a token of the first chosen or wanted answers after the last step.
failed: why the trial has no result, or "". A trial that failed has only chosen_weight and failed.
"""


def choose_weight(
    job: TrainingJob,
    data: TrainingData,
    weights: Sequence[float],
    share: float,
    log: Callable[[str], None] = lambda text: None,
) -> tuple[float, list[Trial]]:
    """Run a short training of `job` with each weight. Return the best weight for `chosen_weight`, and the trials.

    A trial is one such training, with the model, data, seed and settings of the job, but with `share` of its epochs. It
    is not reported to a tracking service. The model answers the validation problems before the first and after the last
    step. A trial in which `train` raises GateError, for example since it diverges, has failed.
    The results of finished trials are kept in `folder_of(job)` until `clear_trials` is called. So the same call after a
    kill does not repeat them.

    job: a job with a validation. weights: different weights. log: called with a message for each trial.
    Raises UserError without a validation, GateError if all trials fail, and the other errors of `train`.
    """
    if job.validation is None:
        raise UserError("weights of the likelihood term are chosen by validation problems: name validation problems")
    make_folder(folder_of(job))
    trials = []
    for weight in weights:
        trials.append(_trial(job, data, weight, share))
        log(_message(trials[-1]))
    return best_weight(trials), trials


def best_weight(trials: Sequence[Trial]) -> float:
    """Return the weight with the highest pass@1 on the validation problems.

    Among equal values of pass@1, the weight with the highest `chosen_logp` is returned, and among equal values of both
    the largest weight. Raises GateError if all trials have failed.
    """
    good = [trial for trial in trials if not trial["failed"]]
    if not good:
        reasons = "; ".join(f"{trial['chosen_weight']:g}: {trial['failed']}" for trial in trials)
        raise GateError(f"each trial of a weight of the likelihood term failed ({reasons})")
    best = max(good, key=lambda trial: (trial["pass_rate"], trial["chosen_logp"], trial["chosen_weight"]))
    return float(best["chosen_weight"])


def folder_of(job: TrainingJob) -> Path:
    """Return the folder in which trials are kept: `.NAME.trials` beside `job.out`, whose name is NAME."""
    return job.out.with_name(f".{job.out.name}.trials")


def clear_trials(job: TrainingJob) -> None:
    """Remove the folder of the trials, if it exists."""
    shutil.rmtree(folder_of(job), ignore_errors=True)


def _trial(job: TrainingJob, data: TrainingData, weight: float, share: float) -> Trial:
    """Return the result of a trial. Nothing is trained if the folder of the trials holds it for the same job."""
    assert job.validation is not None
    settings = replace(
        job.settings, chosen_weight=weight, epochs=share * job.settings.epochs, merge_adapter=False, report_to=("none",)
    )
    # so many steps lie between two probes that only the start and the end are probed
    validation = replace(job.validation, every=10**9)
    short = replace(job, out=folder_of(job) / f"{weight:g}", settings=settings, validation=validation)
    key = content_hash(asdict(settings), fingerprint(job.model), job.seed, job.dtype, repr(validation), repr(data))
    kept = folder_of(job) / f"{weight:g}.json"
    if kept.exists() and (row := read_json(kept)).get("key") == key:
        trial: Trial = row["trial"]
        return trial
    try:
        result = train(short, data)
        last = result.probes[-1]
        names = ("pass_rate", "difference", "low", "high", "chosen_logp")
        trial = {"chosen_weight": weight, "steps": result.steps, "failed": "", **{name: last[name] for name in names}}
    except GateError as error:
        trial = {"chosen_weight": weight, "failed": str(error)}
    shutil.rmtree(short.out, ignore_errors=True)
    write_json(kept, {"key": key, "trial": trial})
    return trial


def _message(trial: Mapping[str, Any]) -> str:
    start = f"chosen_weight {trial['chosen_weight']:g}"
    if trial["failed"]:
        return f"{start}: {trial['failed']}"
    return (
        f"{start}: pass@1 on validation problems {100 * trial['pass_rate']:.1f} after {trial['steps']:,} steps, "
        f"difference {100 * trial['difference']:+.1f} [{100 * trial['low']:+.1f}, {100 * trial['high']:+.1f}]"
    )
