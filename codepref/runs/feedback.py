"""The stages of AI feedback in a run: a pool responds, a judge rates, a benchmark is graded before and after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from codepref import feedback
from codepref.config.pool import Member
from codepref.config.recipe import Recipe
from codepref.config.sections import JudgeSection
from codepref.evaluation.graded import compare_grades, summarise_grades
from codepref.evaluation.grades_file import read_grades
from codepref.judging.artifact import iter_judgments, write_judgments
from codepref.judging.questions import JudgeSettings
from codepref.problems.codal import Benchmark, load_benchmark
from codepref.problems.instructions import Instructions, load_instructions
from codepref.records import Judgment, Problem, Response
from codepref.runs.directory import Result
from codepref.sampling.pool import PoolSettings
from codepref.storage.files import read_jsonl
from codepref.storage.progress import ProgressLine

RESPONSES, JUDGMENTS = "responses.jsonl", "judgments.jsonl"
PLAIN = "{prompt}"
"""Template of prompts that are the instruction itself."""


def load_tasks(recipe: Recipe) -> Instructions:
    """The recipe's instructions, each with its preference. Raises UserError as `load_instructions` does."""
    section = recipe.instructions
    return load_instructions(
        section.source,
        column=section.column or None,
        n=section.count or None,
        seed=section.draw_seed,
        preferences=recipe.judge.preferences,
        max_chars=section.max_chars,
    )


def as_problems(tasks: Sequence[Judgment]) -> list[Problem]:
    """Instructions as problems without tests, so that pairs find their prompts."""
    return [Problem(task.task_id, task.instruction, "", style="instruct") for task in tasks]


def respond(tasks: Sequence[Judgment], recipe: Recipe, out: Path, seed: int, progress: ProgressLine) -> Result:
    """responses.jsonl: what the pool answered."""
    section = recipe.responses
    settings = PoolSettings(
        per_problem=section.per_problem,
        principles=section.principles,
        temperature=section.temperature,
        top_p=section.top_p,
        max_tokens=section.max_new_tokens,
        batch_size=section.batch_size,
        seed=seed,
    )
    made = feedback.respond(
        tasks,
        recipe.pool,
        out / RESPONSES,
        settings=settings,
        budget=_budget(section.budget),
        dtype=recipe.model.dtype,
        device=recipe.model.device,
        progress=progress,
    )
    dropped = {"cut at max_new_tokens": made["cut"], "empty": made["empty"]}
    return {
        "sampled": made["responses"],
        "dollars": made["dollars"],
        "dropped": {k: v for k, v in dropped.items() if v},
    }


def judge_responses(section: JudgeSection, out: Path, seed: int, progress: ProgressLine) -> Result:
    """judgments.jsonl: the judge model's ratings of responses.jsonl."""
    made = feedback.judge(
        out / RESPONSES,
        section.member(),
        out / JUDGMENTS,
        settings=_settings(section, seed),
        budget=_budget(section.budget),
        progress=progress,
    )
    unjudged = sum(made["unjudged"].values())
    values = made["ratings"] | ({"unjudged": unjudged} if unjudged else {})
    told = {"judge": section.model, "ratings": made["rated"], "values": values, "dollars": made["dollars"]}
    return told | {"second_pass": made["second_pass"]} if "second_pass" in made else told


def samples_as_responses(
    problems: Sequence[Problem], template: str, samples: Path, preferences: Sequence[str], model: str, out: Path
) -> None:
    """responses.jsonl from the policy's own samples, so that a judge model can rate them like a pool's.

    A response's id is its place among its task's lines, which is the solution's id in the verdicts.
    """
    found: dict[str, list[Response]] = {}
    for _, row in read_jsonl(samples):
        mine = found.setdefault(row["task_id"], [])
        mine.append(Response(row["task_id"], len(mine), model, row["completion"], row["finished"]))
    tasks = (
        Judgment(
            task_id=problem.task_id,
            instruction=template.format(prompt=problem.prompt, entry_point=problem.entry_point),
            preference=preferences[place % len(preferences)],
            responses=tuple(found[problem.task_id]),
            ratings=(),
        )
        for place, problem in enumerate(problems)
        if problem.task_id in found
    )
    write_judgments(out / RESPONSES, tasks)


def grade(recipe: Recipe, label: str, model: str, out: Path, seed: int, progress: ProgressLine) -> Result:
    """grading/LABEL/: the benchmark answered by a model and graded by the recipe's judge."""
    section, folder = recipe.grading, out / "grading" / label
    benchmark = load_graded(recipe)
    asked = PoolSettings(
        per_problem=1,
        principles=False,
        temperature=0.0,
        top_p=1.0,
        max_tokens=section.max_new_tokens,
        batch_size=recipe.sampling.batch_size,
        seed=seed,
    )
    member = Member(name=label, model=model)
    answers = folder / RESPONSES
    feedback.respond(
        benchmark.tasks,
        [member],
        answers,
        settings=asked,
        dtype=recipe.model.dtype,
        device=recipe.model.device,
        progress=progress,
    )
    tasks = [replace(task, ratings=()) for task in iter_judgments(answers)]
    made = feedback.grade(
        benchmark,
        tasks,
        recipe.judge.member(),
        folder,
        of=label,
        settings=_settings(recipe.judge, seed),
        budget=_budget(recipe.judge.budget),
        progress=progress,
    )
    return {"grades": f"grading/{label}/scores.json", "ungraded": sum(made.left_out().values())}


def load_graded(recipe: Recipe) -> Benchmark:
    """The recipe's graded benchmark, as much of it as it wants."""
    section = recipe.grading
    whole = load_benchmark(section.benchmark, reference=section.reference or None)
    return replace(whole, tasks=whole.tasks[: section.limit or None])


def grading_summary(out: Path, labels: Sequence[str], seed: int) -> dict[str, Any]:
    """Figures of each graded model, and base against aligned paired; empty where none was graded."""
    graded = {label: read_grades(out / "grading" / label) for label in labels if (out / "grading" / label).exists()}
    if not graded:
        return {}
    figures = {label: [asdict(one) for one in summarise_grades(grades, seed=seed)] for label, grades in graded.items()}
    found: dict[str, Any] = {"scores": figures, "comparison": []}
    if {"base", "aligned"} <= set(graded):
        compared = compare_grades(graded["base"], graded["aligned"], seed=seed)
        found["comparison"] = [asdict(one) for one in compared]
    return found


def _settings(section: JudgeSection, seed: int) -> JudgeSettings:
    return JudgeSettings(
        mode=section.mode,
        second_pass=section.second_pass and section.mode == "together",
        temperature=section.temperature,
        max_tokens=section.max_new_tokens,
        seed=seed,
    )


def _budget(dollars: float) -> float | None:
    return None if dollars < 0 else dollars
