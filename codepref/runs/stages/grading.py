"""The work of the stages that grade: a model answers a benchmark, and the recipe's judge grades the answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from codepref.config.pool import Member
from codepref.config.recipe import Recipe
from codepref.evaluation.grade import grade
from codepref.evaluation.graded import compare_grades, summarise_grades
from codepref.evaluation.grades_file import read_grades
from codepref.evaluation.scores import FILE
from codepref.runs.directory import Result
from codepref.runs.instructions import load_recipe_benchmark
from codepref.runs.stages.feedback import RESPONSES, budget_or_none, judge_settings
from codepref.sampling.pool import PoolSettings
from codepref.sampling.respond import respond
from codepref.storage.progress import ProgressLine


def grade_model(recipe: Recipe, member: Member, out: Path, seed: int, progress: ProgressLine) -> Result:
    """Write into grading/LABEL/ a model's greedy answers to the benchmark and the judge's grades of the answers.

    member: the model, on this machine or on a server. Its label is LABEL.
    """
    section, label = recipe.grading, member.label
    folder = out / "grading" / label
    benchmark = load_recipe_benchmark(recipe)
    greedy = PoolSettings(
        per_problem=1,
        principles=False,
        temperature=0.0,
        top_p=1.0,
        max_tokens=section.max_new_tokens,
        batch_size=recipe.sampling.batch_size,
        seed=seed,
    )
    respond(
        benchmark.tasks,
        [member],
        folder / RESPONSES,
        settings=greedy,
        dtype=recipe.model.dtype,
        device=recipe.model.device,
        progress=progress,
    )
    grades = grade(
        benchmark,
        folder / RESPONSES,
        recipe.judge.member(),
        folder,
        of=label,
        settings=judge_settings(recipe.judge, seed),
        budget=budget_or_none(recipe.judge.budget),
        progress=progress,
    )
    return {"grades": f"grading/{label}/scores.json", "ungraded": sum(grades.left_out().values())}


def grading_summary(out: Path, labels: Sequence[str], seed: int) -> dict[str, Any]:
    """Return the figures of each graded model, and the paired comparison if base and aligned model were graded.

    Returns {} if no model was graded.
    """
    folders = {label: out / "grading" / label for label in labels}
    # an unfinished grading has a folder without this file
    graded = {label: read_grades(folder) for label, folder in folders.items() if (folder / FILE).exists()}
    if not graded:
        return {}
    figures = {label: [asdict(one) for one in summarise_grades(grades, seed=seed)] for label, grades in graded.items()}
    comparison: list[dict[str, Any]] = []
    if {"base", "aligned"} <= set(graded):
        compared = compare_grades(graded["base"], graded["aligned"], seed=seed)
        comparison = [asdict(one) for one in compared]
    return {"scores": figures, "comparison": comparison}
