"""Rates responses with a judge model or with the rubric, for `codepref judge` without --calibrate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from codepref.config.aliases import renamed_arguments
from codepref.config.pool import Member
from codepref.errors import UserError
from codepref.judging.artifact import write_judgments
from codepref.judging.asking import ResponseSource, judge_run, load_tasks
from codepref.judging.questions import NO_ANSWER, JudgeSettings
from codepref.judging.summary import JudgeCounts
from codepref.preferences import check_preferences
from codepref.records import Judgment, Problem
from codepref.servers.artifacts import calls_folder, check_complete, costs, summary_file
from codepref.servers.exchange import Log
from codepref.storage.files import check_target, write_json
from codepref.storage.progress import ProgressLine


@renamed_arguments(say="log")
def judge(
    source: ResponseSource,
    member: Member,
    out: str | Path,
    *,
    settings: JudgeSettings | None = None,
    budget: float | None = None,
    progress: ProgressLine | None = None,
    log: Log = lambda text: None,
) -> dict[str, Any]:
    """Have a judge model rate responses by each problem's preference, by default from 1 to 5.

    source: a file that `respond` wrote, a published data set, or records. member: the judge. budget: the limit in
    dollars for all calls with this `out` together. log: receives messages for the user.
    Writes the judgments to `out` as JSON lines (see `codepref.judging.artifact`). Writes a summary to a file beside it,
    with the ending .summary.json instead of the ending of `out`. The summary counts ratings, unjudged responses by
    reason, changes in the second pass, tokens and dollars. The folder `out`.calls keeps each answer when it arrives. A
    later call with the same `out` continues from these answers.
    Returns the summary. Raises UserError for wrong input, a wrong key, an unknown model or a missing server, if
    possible before the first paid call. Raises GateError if the budget allows no further call, InfrastructureError if a
    server stops answering, and MachineError if a file cannot be written. In these cases `out` need not be written.
    Raises InfrastructureError after `out` has been written if answers are missing that another run may get, or if no
    answer arrived. Responses without an answer in the first pass are then unjudged. If servers refuse all missing
    answers for good and others arrived, `log` gets a message instead.
    """
    target, counts = Path(out), JudgeCounts()
    check_target(target)
    with judge_run(
        load_tasks(source),
        member,
        calls_folder(target),
        settings or JudgeSettings(),
        budget=budget,
        progress=progress,
        log=log,
    ) as run:
        write_judgments(target, counts.counting(run.judgments))
    summary = {"judge": member.label, "model": member.model, **counts.as_dict(), "missing": dict(run.missing)}
    summary["refused"] = dict(run.refused)
    summary |= {"settings": asdict(run.settings), **costs(run.ledger)}
    write_json(summary_file(target), summary)
    answered = counts.responses - counts.unjudged[NO_ANSWER]
    check_complete(run.missing, target, refused=run.refused, answered=answered, log=log)
    return summary


def judge_by_rubric(
    source: ResponseSource, out: str | Path, *, problems: str | Path | None = None, strict: bool = False
) -> dict[str, Any]:
    """Rate responses by the rubric, which needs no server and no model; see docs/how-to/rubric.md.

    source, out: as for `judge`. The judgments and the summary are written as by `judge`, but a task without responses
    has no judgment, and the summary holds no settings, missing answers or costs. There is no folder of calls.
    problems: the problems that the responses answer, as for `codepref.problems.load_problems`. They hold the entry
    points that the preference "instruction-following" looks for. Without them, responses that are rated by this
    preference get 1. strict: refuse problems with a bad row. By default a bad row is left out with its responses.
    Returns the summary. Raises UserError for responses or problems that cannot be read, for tasks that `problems` does
    not hold, for tasks without a known preference, and if `out` is a folder or lies below a file. Raises MachineError
    if ruff is missing or a file cannot be written, and InfrastructureError if ruff fails.
    """
    from codepref.judging.rubric import JUDGE, judge_responses
    from codepref.problems.left_out import left_out_of
    from codepref.problems.load import load_problems

    target, counts = Path(out), JudgeCounts()
    check_target(target)
    tasks = list(load_tasks(source)())
    check_preferences(tasks)
    loaded = load_problems(problems, strict=strict) if problems else []
    known = {problem.task_id: problem for problem in loaded}
    left_out = left_out_of(loaded).tasks - known.keys()
    tasks = [task for task in tasks if task.task_id not in left_out]
    if unknown := [task.task_id for task in tasks if known and task.task_id not in known]:
        raise UserError(
            f"tasks that are not in {problems}: {len(unknown)} ({', '.join(unknown[:3])}"
            f"{', ...' if len(unknown) > 3 else ''}). Give the problems that the responses answer"
        )

    def judgments() -> Iterator[Judgment]:
        for preference in dict.fromkeys(task.preference for task in tasks):
            rated = [task for task in tasks if task.preference == preference]
            problems_rated = [
                known.get(task.task_id) or Problem(task.task_id, task.instruction.whole, "") for task in rated
            ]
            yield from judge_responses(problems_rated, {task.task_id: task.responses for task in rated}, [preference])

    by_task = {judgment.task_id: judgment for judgment in judgments()}
    ordered = [
        replace(by_task[task.task_id], instruction=task.instruction.whole) for task in tasks if task.task_id in by_task
    ]
    write_judgments(target, counts.counting((judgment, ()) for judgment in ordered))
    summary = {"judge": JUDGE, "model": JUDGE, **counts.as_dict()}
    write_json(summary_file(target), summary)
    return summary
