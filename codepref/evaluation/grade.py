"""Grades one model's responses to a benchmark beside reference answers, for `codepref grade`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path

from codepref.config.aliases import renamed_arguments
from codepref.config.pool import Member
from codepref.errors import UserError
from codepref.evaluation.graded import HIGH, LOW, Grade, Grades
from codepref.evaluation.grades_file import TABLE, write_grades, write_grades_table
from codepref.judging.asking import ResponseSource, judge_run, load_tasks
from codepref.judging.questions import JudgeSettings
from codepref.problems.codal import Benchmark, load_benchmark
from codepref.records import InstructionResponses, Judgment
from codepref.servers.artifacts import check_complete, costs
from codepref.servers.exchange import Log
from codepref.storage.files import check_target, write_json
from codepref.storage.progress import ProgressLine


@renamed_arguments(say="log")
def grade(
    benchmark: str | Path | Benchmark,
    source: ResponseSource,
    member: Member,
    out: str | Path,
    *,
    of: str | None = None,
    reference: str | None = None,
    settings: JudgeSettings | None = None,
    budget: float | None = None,
    progress: ProgressLine | None = None,
    log: Log = lambda text: None,
) -> Grades:
    """Grade one model's responses to a benchmark from 1 to 10, each beside a reference answer.

    CODAL-Bench grades in this form. The prompts are codepref's own.
    benchmark: a Benchmark, or a source that `codepref.problems.codal.load_benchmark` reads with `reference`. source:
    the responses, as `codepref respond` writes them. member: the judge. of: the model to grade. It is needed if the
    source holds responses of several models. settings: the settings of the questions. Their scale, mode and number of
    passes are replaced: the judge gives each response one grade from 1 to 10. budget: the limit in dollars for all
    calls with this `out` together. log: receives messages for the user.
    Writes grades.parquet, scores.json (for `codepref compare`) and summary.json into the folder `out`. The folder
    `out`/calls keeps each answer of the judge. A later call with the same `out` continues from these answers.
    Raises UserError before the first question to the judge, unless each problem of the benchmark has exactly one
    response of the model. Raises what `load_benchmark` and `codepref.judging.asking.judge_run` raise, and MachineError
    if a file cannot be written. Raises InfrastructureError if answers of the judge are missing that another run may
    get, or if the server refuses all missing answers for good and no response has a grade. In both cases the files have
    been written.
    """
    folder = Path(out)
    check_target(folder / TABLE)
    loaded = benchmark if isinstance(benchmark, Benchmark) else load_benchmark(benchmark, reference=reference)
    tasks, label = tasks_to_grade(loaded, load_tasks(source)(), of)
    chosen = replace(settings or JudgeSettings(), low=LOW, high=HIGH, mode="single", second_pass=False, repeats=1)
    references = loaded.references.__getitem__
    with judge_run(
        lambda: tasks,
        member,
        folder / "calls",
        chosen,
        references=references,
        budget=budget,
        progress=progress,
        log=log,
    ) as run:
        judgments = [judgment for judgment, _ in run.judgments]
    conditions = {"reference": loaded.column, "judge_model": member.model, "settings": asdict(chosen)}
    grades = Grades(label, member.label, tuple(map(_grade, judgments)), conditions)
    write_grades(grades, folder, seed=chosen.seed)
    write_grades_table(folder / TABLE, tasks, loaded.references, grades)
    write_json(
        folder / "summary.json", {"missing": dict(run.missing), "refused": dict(run.refused), **costs(run.ledger)}
    )
    graded = sum(one.value is not None for one in grades.grades)
    check_complete(run.missing, folder, refused=run.refused, answered=graded, log=log)
    return grades


def tasks_to_grade(
    benchmark: Benchmark, responses: Iterable[InstructionResponses], of: str | None
) -> tuple[list[InstructionResponses], str]:
    """Return the tasks of the benchmark, each with the model's one response, and the name of the model to grade.

    Responses are matched with the benchmark by task_id if the benchmark has the task_ids of all responses, else by the
    instruction's text. of: the name of the model. None stands for the only model in `responses`.
    Raises UserError if `of` is None and `responses` does not have exactly one model, and if a task of the benchmark
    does not have exactly one response of the model.
    """
    answered = list(responses)
    models = sorted({response.model for task in answered for response in task.responses})
    if of is None and not models:
        raise UserError("there are no responses to grade. Each problem needs exactly one response of the model")
    if of is None and len(models) > 1:
        raise UserError(f"the responses are of several models ({', '.join(models)}). Name one of them with --of")
    label = of or models[0]
    ids = {instruction.task_id for instruction in benchmark.tasks}
    by_id = all(task.task_id in ids for task in answered)
    by_key = {task.task_id if by_id else task.instruction.text: task for task in answered}
    tasks: list[InstructionResponses] = []
    none: list[str] = []
    several: list[str] = []
    for instruction in benchmark.tasks:
        match = by_key.get(instruction.task_id if by_id else instruction.text)
        own = tuple(response for response in (match.responses if match else ()) if response.model == label)
        (none if not own else several if len(own) > 1 else []).append(instruction.task_id)
        tasks.append(InstructionResponses(instruction, own[:1]))
    for task_ids, what in ((none, "no response"), (several, "several responses")):
        if task_ids:
            raise UserError(
                f"{len(task_ids)} of {len(tasks)} problems have {what} of {label!r} ({', '.join(task_ids[:3])}"
                f"{', ...' if len(task_ids) > 3 else ''}). Each problem needs exactly one response of the model"
            )
    return tasks, label


def _grade(judgment: Judgment) -> Grade:
    rating = judgment.ratings[0]
    return Grade(judgment.task_id, judgment.preference, rating.value, rating.rationale, rating.reason)
