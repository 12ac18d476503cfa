"""The stages that judge answers: `execute` runs tests on them, and `judge` has a judge rate them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from codepref.execution.execute import execute_into
from codepref.execution.speed import measure_speed
from codepref.pairing.rules import load_rule
from codepref.runs.directory import Result
from codepref.runs.stages.choice import chosen, chosen_verdicts
from codepref.runs.stages.feedback import JUDGMENTS, RESPONSES, ask_recipe_judge, write_samples_as_responses
from codepref.runs.stages.rubric import rate_responses, rate_samples
from codepref.runs.stages.samples import tests_file
from codepref.runs.work import Work
from codepref.sampling.answers import iter_solutions, load_tests
from codepref.sampling.probes import with_probes

SPEEDS = "speeds.jsonl"
"""The file with the CPU times of right solutions."""


def stage_execute(work: Work) -> Result:
    """Run the sampled solutions and write verdicts/.

    In a run that samples tests, these tests are run, with probes if the pairing rule uses probes. In other runs, the
    problems' own tests are run.
    """
    tests = None
    if work.self_tested:
        settings = work.recipe.sampling
        tests = load_tests(tests_file(work), work.train, per_completion=settings.tests_per_completion).tests
        if load_rule(work.recipe.pairing.rule).probes:
            tests = with_probes(work.train, tests, settings.probes, seed=work.seed("probes"))
    return execute_samples(work, work.folder / "verdicts", tests, "verdicts")


def stage_judge(work: Work) -> Result:
    """Have the judge rate the sampled solutions or the pool's responses, and write judgments.jsonl."""
    judge, model = work.recipe.judge, work.policy
    samples = work.folder / "samples" / "solutions.jsonl"
    if judge.model == "rubric":
        if work.by_feedback:
            return rate_responses(work.train, work.folder / RESPONSES, judge, work.folder / JUDGMENTS)
        return rate_samples(chosen(work), samples, judge, model, work.folder / JUDGMENTS)
    if not work.by_feedback:
        template = work.recipe.sampling.solution_template
        write_samples_as_responses(chosen(work), template, samples, judge.preferences, model, work.folder)
    return ask_recipe_judge(judge, work.folder, work.seed("judge"), work.progress_for("judge: questions"))


def stage_speed(work: Work) -> Result:
    """Measure the CPU time of the right solutions, and write speeds.jsonl."""
    settings = work.recipe.speed
    return measure_speed(
        work.train,
        chosen_verdicts(work),
        out=work.folder / SPEEDS,
        repeats=settings.repeats,
        inputs=settings.inputs,
        limits=work.limits,
        unconfined=work.unconfined,
        progress=work.progress_for("speed: problems"),
    )


def execute_samples(work: Work, out: Path, tests: Any, label: str) -> Result:
    """Run the round's solutions against `tests` and write the verdicts into `out`.

    tests: by task id; None means the problems' own tests. label: the name of the progress line.
    """
    summary = execute_into(
        work.train,
        iter_solutions(work.folder / "samples" / "solutions.jsonl", work.train),
        tests,
        out=out,
        limits=work.limits,
        jobs=work.recipe.execution.jobs or None,
        unconfined=work.unconfined,
        vacuous_tests=work.recipe.execution.vacuous_tests,
        progress=work.progress_for(f"{label}: solutions"),
        scale=work.recipe.scale,
        log=work.log,
    )
    return {"cells": summary["cells"], "verdicts": summary["verdicts"]}
