"""The stages that train a model: `sft`, `train` and `baseline`."""

from __future__ import annotations

import math
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from codepref.config.sections import TrainingSection
from codepref.pairing.artifact import read_pairs
from codepref.problems.contamination import answer_text, overlaps
from codepref.problems.load import read_rows
from codepref.runs.directory import Result
from codepref.runs.plan import round_prefix
from codepref.runs.stages.choice import chosen, chosen_verdicts
from codepref.runs.work import Work, content
from codepref.training.demonstrations import examples_from_rows, wanted_only
from codepref.training.examples import Examples, chosen_examples, examples_from_pairs, examples_from_verdicts
from codepref.training.job import TrainingJob
from codepref.training.methods import load_method
from codepref.training.methods.base import OnlineProblems
from codepref.training.train import train
from codepref.training.trials import choose_weight, clear_trials


def stage_sft(work: Work) -> Result:
    """Train the recipe's model on demonstrations and write the trained model to sft/.

    The training of round 1 starts from this model. The trainings of later rounds do so if `training.round_start` is
    "base".
    """
    job = _job(work, "sft", work.recipe.model.path, work.out / "sft", work.recipe.sft.training())
    job = replace(job, section="sft")
    return asdict(train(job, _demonstrations(work))) | {"model": "sft"}


def _job(work: Work, stage: str, start: str, out: Path, settings: TrainingSection) -> TrainingJob:
    model = work.recipe.model
    progress = work.progress_for(f"{stage}: steps")
    return TrainingJob(start, out, settings, work.seed(stage), model.dtype, model.device, progress)


def _demonstrations(work: Work) -> Examples:
    """Return the demonstrations for [sft].

    With sft.data = "passing", the result is that of `examples_from_verdicts` on the sampled solutions. It also holds
    failed solutions. These are marked as unwanted and not trained on. With another sft.data, the demonstrations come
    from a file or data set, without its unwanted answers. Those of them that contain a held-out problem are left out
    unless problems.contamination is "keep".
    """
    section = work.recipe.sft
    if section.data == "passing":
        settings = work.recipe.pairing
        return examples_from_verdicts(
            chosen_verdicts(work),
            chosen(work),
            template=work.recipe.sampling.solution_template,
            fence=settings.fence,
            allow_shared=settings.allow_shared,
            seed=work.seed("sft"),
        )
    loaded = wanted_only(examples_from_rows(read_rows(section.data), limit=section.limit, source=section.data))
    if work.recipe.problems.contamination == "keep":
        return loaded
    by_name = {str(place): example for place, example in enumerate(loaded.examples)}
    texts = (answer_text(name, content(one.prompt), content(one.completion)) for name, one in by_name.items())
    contaminated = overlaps(texts, work.heldout)
    for overlap in contaminated:
        del by_name[overlap.name]
    dropped = {"answer left out: holds a held-out problem": len(contaminated)} if contaminated else {}
    return Examples(list(by_name.values()), loaded.dropped | dropped)


def stage_weights(work: Work) -> Result:
    """Choose the weight of the likelihood term for this round's training by short trainings on the same pairs."""
    settings = work.recipe.validation
    job = _job(work, "train", work.start, work.folder / "checkpoint", work.recipe.training)
    job = replace(job, validation=work.validation_settings(), progress=work.progress_for("weights: steps"))
    pairs = read_pairs(work.folder / "pairs.parquet")
    weight, trials = choose_weight(job, pairs, settings.chosen_weights, settings.trial_share, work.log)
    clear_trials(job)
    return {"chosen_weight": weight, "trials": trials}


def stage_train(work: Work) -> Result:
    """Train on the pairs or problems of this round, and write the model to checkpoint/ in the round's folder.

    The stage `weights`, if the recipe has it, chooses `chosen_weight`.
    """
    settings, last = work.recipe.training, work.round == work.recipe.training.rounds
    online = load_method(settings.method).online
    if (
        not online and not last
    ):  # the next round may train a new adapter on this model, so this round's adapter is merged
        settings = replace(settings, merge_adapter=True)
    trials: tuple[dict[str, Any], ...] = ()
    if work.recipe.validation.chosen_weights:
        name = round_prefix(work.recipe, work.round) + "weights"
        chosen_weights = work.run.stage(name, lambda: stage_weights(work))
        settings, trials = replace(settings, chosen_weight=chosen_weights["chosen_weight"]), chosen_weights["trials"]
    job = _job(work, "train", work.start, work.folder / "checkpoint", settings)
    job = replace(job, validation=work.validation_settings(), trials=tuple(trials))
    data = _online_problems(work) if online else read_pairs(work.folder / "pairs.parquet")
    return asdict(train(job, data)) | {"model": "checkpoint"}


def stage_baseline(work: Work) -> Result:
    """Train SFT on the chosen answers of this round's pairs, and write the model to baseline/.

    The training starts from the model from which preference training starts. It plans as many steps of the same batch
    size as that training, unless rows of the answers are left out, for example since they are too long. If the method
    learns from single answers, as KTO does, the baseline learns from those of them that are wanted. Validation works
    as in preference training.
    """
    recipe = work.recipe
    pairs = read_pairs(work.folder / "pairs.parquet")
    if load_method(recipe.training.method).learns_from == "answers":
        answers = examples_from_pairs(pairs)
        answers = Examples([example for example in answers.examples if example.wanted], answers.dropped)
    else:
        answers = chosen_examples(pairs)
    trained = work.run.stage("train", lambda: stage_train(work))["pairs"]
    settings = replace(
        recipe.training,
        method="sft",
        learning_rate=recipe.baseline.learning_rate,
        epochs=matching_epochs(len(answers.examples), trained, recipe.training.epochs, recipe.training.batch_size),
    )
    job = replace(
        _job(work, "baseline", work.start, work.out / "baseline", settings), validation=work.validation_settings()
    )
    return asdict(train(job, answers)) | {"model": "baseline"}


def matching_epochs(rows: int, other_rows: int, other_epochs: float, batch_size: int) -> float:
    """Return the number of epochs over `rows` that takes as many steps as `other_epochs` epochs over `other_rows`.

    The result gives at least one step.
    Example: 40 pairs in batches of 16 make 3 steps in one epoch. 20 answers make 2 steps in one epoch, so 1.5 epochs
    over them take 3 steps.
    """
    steps = math.ceil(math.ceil(other_rows / batch_size) * other_epochs)
    return max(1, steps) / max(1, math.ceil(rows / batch_size))


def _online_problems(work: Work) -> OnlineProblems:
    return OnlineProblems(
        [problem for problem in chosen(work) if problem.tests],
        work.recipe.online,
        template=work.recipe.sampling.solution_template,
        limits=work.limits,
        jobs=work.recipe.execution.jobs or None,
        unconfined=work.unconfined,
        vacuous_tests=work.recipe.execution.vacuous_tests,
    )
