"""The work of the stages of AI feedback: a pool of models responds, and a judge model rates the responses."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from codepref.config.recipe import Recipe
from codepref.config.sections import JudgeSection
from codepref.judging.judge import judge
from codepref.judging.questions import JudgeSettings
from codepref.records import Instruction, InstructionResponses, Problem, Response
from codepref.runs.directory import Result
from codepref.sampling.pool import PoolSettings
from codepref.sampling.respond import respond
from codepref.sampling.responses_file import write_responses
from codepref.storage.files import read_jsonl
from codepref.storage.progress import ProgressLine

RESPONSES, JUDGMENTS = "responses.jsonl", "judgments.jsonl"


def ask_recipe_pool(
    instructions: Sequence[Instruction], recipe: Recipe, out: Path, seed: int, progress: ProgressLine
) -> Result:
    """Write responses.jsonl, the answers of the recipe's pool, into `out`. Return the stage's figures."""
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
    summary = respond(
        instructions,
        recipe.pool,
        out / RESPONSES,
        settings=settings,
        budget=budget_or_none(section.budget),
        dtype=recipe.model.dtype,
        device=recipe.model.device,
        progress=progress,
        log=progress.notify,
    )
    dropped = {"cut at max_new_tokens": summary["cut"], "empty": summary["empty"]}
    return {
        "sampled": summary["responses"],
        "dollars": summary["dollars"],
        "dropped": {reason: count for reason, count in dropped.items() if count},
    }


def ask_recipe_judge(section: JudgeSection, out: Path, seed: int, progress: ProgressLine) -> Result:
    """Write judgments.jsonl, the judge model's ratings of the responses in responses.jsonl, into `out`.

    Return the stage's figures.
    """
    summary = judge(
        out / RESPONSES,
        section.member(),
        out / JUDGMENTS,
        settings=judge_settings(section, seed),
        budget=budget_or_none(section.budget),
        progress=progress,
        log=progress.notify,
    )
    unjudged = sum(summary["unjudged"].values())
    values = summary["ratings"] | ({"unjudged": unjudged} if unjudged else {})
    result = {
        "judge": section.model,
        "ratings": summary["rated"],
        "values": values,
        "dollars": summary["dollars"],
    }
    return result | ({"second_pass": summary["second_pass"]} if "second_pass" in summary else {})


def samples_by_task(samples: Path, model: str) -> dict[str, list[Response]]:
    """Return the policy's sampled answers as Response records, by task_id.

    The id of a response is the number of its line among the task's lines, from 0. In the verdicts, the solution of this
    answer has the same number as its id. model: the policy's name.
    """
    responses: dict[str, list[Response]] = {}
    for _, row in read_jsonl(samples):
        of_task = responses.setdefault(row["task_id"], [])
        of_task.append(Response(row["task_id"], len(of_task), model, row["completion"], row["finished"]))
    return responses


def write_samples_as_responses(
    problems: Sequence[Problem], template: str, samples: Path, preferences: Sequence[str], model: str, out: Path
) -> None:
    """Write the policy's answers to responses.jsonl in `out`, so that a judge model can rate them.

    The problem at position i in `problems` is rated by the preference at position i mod len(preferences).
    """
    responses = samples_by_task(samples, model)
    tasks = (
        InstructionResponses(
            Instruction(
                task_id=problem.task_id,
                text=template.format(prompt=problem.prompt, entry_point=problem.entry_point),
                preference=preferences[place % len(preferences)],
            ),
            tuple(responses[problem.task_id]),
        )
        for place, problem in enumerate(problems)
        if problem.task_id in responses
    )
    write_responses(out / RESPONSES, tasks)


def judge_settings(section: JudgeSection, seed: int) -> JudgeSettings:
    """Return the judge's settings from the recipe's section [judge]."""
    return JudgeSettings(
        mode=section.mode,
        second_pass=section.second_pass and section.mode == "together",
        temperature=section.temperature,
        max_tokens=section.max_new_tokens,
        seed=seed,
    )


def budget_or_none(dollars: float) -> float | None:
    """Return the budget of a recipe in dollars, or None for a negative number, which means no limit."""
    return None if dollars < 0 else dollars
