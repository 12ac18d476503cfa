"""Maps the stages of a run's plan to their functions. `runs/run.py` runs them after the stage `problems`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from codepref.runs.directory import Result
from codepref.runs.plan import labels, plan, round_prefix
from codepref.runs.stages.choice import stage_choose
from codepref.runs.stages.models import stage_baseline, stage_sft, stage_train, stage_weights
from codepref.runs.stages.pairs import stage_audit, stage_pair
from codepref.runs.stages.samples import stage_problems, stage_respond, stage_solutions, stage_tests
from codepref.runs.stages.scores import stage_evaluate, stage_grade
from codepref.runs.stages.verdicts import stage_execute, stage_judge, stage_speed
from codepref.runs.work import Work

__all__ = ["STAGES", "stage_problems", "stages"]

STAGES: dict[str, Callable[[Work], Result]] = {
    "respond": stage_respond,
    "sample-solutions": stage_solutions,
    "sample-tests": stage_tests,
    "execute": stage_execute,
    "choose": stage_choose,
    "judge": stage_judge,
    "speed": stage_speed,
    "pair": stage_pair,
    "audit": stage_audit,
    "sft": stage_sft,
    "weights": stage_weights,
    "train": stage_train,
    "baseline": stage_baseline,
}
"""Maps the name of a stage, without the prefix of a round, to the function of the stage.

`stages` adds the functions of the evaluations and gradings.
"""


def stages(work: Work) -> list[tuple[str, Callable[[Work], Result]]]:
    """Return the name and the function of each stage of a run after the stage `problems`, in order."""
    recipe, planned = work.recipe, plan(work.recipe)
    last = replace(work, round=recipe.training.rounds)
    folders = {"sft": "sft", "baseline": "baseline", "aligned": "checkpoint"}
    models = {"base": recipe.model.path} | {label: str(work.out / folder) for label, folder in folders.items()}
    functions: dict[str, Callable[[Work], Result]] = {}
    for number in range(1, recipe.training.rounds + 1):
        here = replace(work, round=number)
        for name, stage in STAGES.items():
            functions[round_prefix(recipe, number) + name] = partial(_in_round, stage=stage, here=here)
    for label in labels(recipe):
        for name, measure in (("evaluate", stage_evaluate), ("grade", stage_grade)):
            stage = partial(measure, label=label, model=models[label])
            functions[f"{name}-{label}"] = partial(_in_round, stage=stage, here=last)
    return [(name, functions[name]) for name in planned]


def _in_round(_: Work, *, stage: Callable[[Work], Result], here: Work) -> Result:
    """Run a stage with the work `here` of the stage's round. The caller's work is not used."""
    return stage(here)
