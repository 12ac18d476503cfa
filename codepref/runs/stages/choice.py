"""The stage `choose`, which chooses training problems by the verdicts of the model's solutions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict

from codepref.errors import GateError
from codepref.evaluation.choice import choose_problems, histogram
from codepref.execution.execute import read_verdicts
from codepref.records import Problem, VerdictMatrix
from codepref.runs.directory import Result
from codepref.runs.work import Work
from codepref.storage.files import read_json, write_json

CHOICE = "choice.json"


def stage_choose(work: Work) -> Result:
    """Choose training problems by the verdicts of this round, and write choice.json, which lists all training problems.

    Raises GateError if no problem is chosen.
    """
    settings = work.recipe.choice
    choices = choose_problems(
        work.train,
        read_verdicts(work.folder / "verdicts"),
        min_pass_rate=settings.min_pass_rate,
        max_pass_rate=settings.max_pass_rate,
        min_distinct=settings.min_distinct,
    )
    write_json(work.folder / CHOICE, [asdict(choice) for choice in choices])
    kept, rates = sum(not choice.reason for choice in choices), histogram(choices)
    dropped = dict(Counter(choice.reason for choice in choices if choice.reason).most_common())
    if not kept:
        shown = ", ".join(f"{rate}: {count:,}" for rate, count in rates.items()) or "unknown"
        raise GateError(
            f"[choice] leaves no problem to train on. Problems by pass rate: {shown}. Widen the band of pass rates, "
            "lower min_distinct, take other problems, or sample more solutions"
        )
    return {"kept": kept, "pass_rates": rates, "dropped": dropped}


def chosen(work: Work) -> Sequence[Problem]:
    """Return the training problems that this round's choice keeps, or all if the recipe has no choice by verdicts."""
    if not work.recipe.choice.by_verdicts:
        return work.train
    kept = {row["task_id"] for row in read_json(work.folder / CHOICE) if not row["reason"]}
    return [problem for problem in work.train if problem.task_id in kept]


def chosen_verdicts(work: Work) -> list[VerdictMatrix]:
    """Return the verdicts of the problems that `chosen` returns."""
    kept = {problem.task_id for problem in chosen(work)}
    return [matrix for matrix in read_verdicts(work.folder / "verdicts") if matrix.task_id in kept]
