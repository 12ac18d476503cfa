"""The stages that measure a model: `evaluate-LABEL` on held-out problems and `grade-LABEL` on a benchmark."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace

from codepref.evaluation.evaluate import evaluate_model
from codepref.runs.directory import Result
from codepref.runs.stages.grading import grade_model
from codepref.runs.stages.rubric import rate_evaluation
from codepref.runs.work import Work
from codepref.sampling.engines import Decoding


def stage_evaluate(work: Work, label: str, model: str) -> Result:
    """Write a model's scores on the held-out problems into evaluation/LABEL/.

    If the recipe's judge is the rubric, also write the rubric's ratings of the sampled answers.
    """
    settings = work.recipe.evaluation
    evaluate_model(
        work.heldout,
        work.engine(model),
        samples=settings.samples,
        decoding=Decoding(settings.temperature, settings.top_p, settings.max_new_tokens),
        ks=settings.k,
        template=work.recipe.sampling.solution_template,
        batch_size=work.recipe.sampling.batch_size,
        # all models are sampled with the same seed: common random numbers make the paired comparison more precise
        seed=replace(work, round=1).seed("evaluate"),
        limits=replace(work.limits, timeout_factor=None),
        jobs=work.recipe.execution.jobs or None,
        unconfined=work.unconfined,
        vacuous_tests=work.recipe.execution.vacuous_tests,
        label=label,
        out=work.out / "evaluation" / label,
        dtype=work.recipe.model.dtype,
        device=work.recipe.model.device,
        progress_for=work.progress_for,
        scale=work.recipe.scale,
        log=work.log,
    )
    if work.recipe.judge.model == "rubric":
        seed = work.recipe.seed
        rate_evaluation(work.heldout, work.out / "evaluation" / label, work.recipe.judge, label, seed)
    return {"scores": f"evaluation/{label}/scores.json"}


def stage_grade(work: Work, label: str, model: str) -> Result:
    """Write the judge's grades of a model's answers to the recipe's benchmark into grading/LABEL/."""
    progress = work.progress_for(f"grade {label}")
    seed = replace(work, round=1).seed("grade")
    with work.servers.explained() if work.servers else nullcontext():
        return grade_model(work.recipe, work.member(label, model), work.out, seed, progress)
