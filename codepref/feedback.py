"""AI feedback for notebooks and scripts: a pool responds, a judge rates, and the judge is looked at in turn.

`import codepref` offers these by name: codepref.respond, judge, calibrate_judge.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from codepref.config.endpoint import Endpoint
from codepref.config.pool import Member, check_pool, load_members
from codepref.errors import InfrastructureError, UserError
from codepref.evaluation.graded import HIGH, LOW, Grade, Grades
from codepref.evaluation.grades_file import TABLE, write_grades, write_grades_table
from codepref.evaluation.judge_calibration import JudgeCalibration, calibrate, rated
from codepref.judging.artifact import iter_judgments, write_judgments
from codepref.judging.judge import Tasks, ask_judge, read_judgments_of
from codepref.judging.questions import JudgeSettings, Reading, check_tasks, questions
from codepref.judging.summary import JudgeCounts
from codepref.preferences import BY_KEY
from codepref.problems.codal import Benchmark, load_benchmark
from codepref.records import Judgment
from codepref.sampling.pool import PoolCounts, PoolSettings, ask_pool, check_local, responses
from codepref.servers.exchange import Exchange, check_endpoints
from codepref.servers.ledger import Ledger, spending
from codepref.storage.files import check_target, write_json
from codepref.storage.progress import ProgressLine

Say = Callable[[str], None]
Source = str | Path | Sequence[Judgment]
"""A file of responses (or judgments), or records."""

AGAIN = "The same command asks for them again; nothing that was answered is asked twice"


def respond(
    instructions: Sequence[Judgment],
    pool: str | Path | Sequence[Member],
    out: str | Path,
    *,
    settings: PoolSettings | None = None,
    budget: float | None = None,
    dtype: str = "auto",
    device: str = "auto",
    progress: ProgressLine | None = None,
    say: Say = lambda text: None,
) -> dict[str, Any]:
    """Have a pool of models answer instructions, a few models drawn a problem.

    instructions: tasks without responses, see `codepref.problems.instructions`. pool: a TOML file of `[[pool]]` tables,
    or Members. Writes `out` (JSON lines, the published columns) and `out` with .summary.json; answers are journaled in
    `out`.calls as they come, so that an interrupted call goes on where it ended. budget: dollars at most.
    Returns the summary. Raises UserError (a wrong key, an unknown model, nobody there, before the first paid call where
    it can be known), GateError (the budget allows no further call), InfrastructureError (answers are missing after all
    attempts; `out` then holds the others).
    """
    members = load_members(Path(pool)) if isinstance(pool, str | Path) else list(pool)
    chosen, target = settings or PoolSettings(), Path(out)
    check_target(target)
    if mistakes := check_pool(members, "pool"):
        raise UserError(*mistakes)
    if not instructions:
        raise UserError("there is no instruction to respond to")
    if chosen.principles:
        check_tasks(instructions)
    distant = [member.endpoint() for member in members if member.base_url]
    if distant:
        check_endpoints(distant, budget)
    check_local(members)
    folder = calls_folder(target)
    ledger, missing = ask_pool(
        lambda: instructions,
        members,
        folder,
        chosen,
        total=len(instructions),
        budget=budget,
        dtype=dtype,
        device=device,
        say=say,
        watch=_watch(progress),
    )
    counts = PoolCounts()
    write_judgments(target, responses(lambda: instructions, members, folder, chosen, counts))
    summary = {
        "problems": counts.problems,
        "responses": counts.responses,
        "cut": counts.cut,
        "empty": counts.empty,
        "missing": dict(sorted(missing.items())),
        "settings": asdict(chosen),
        "pool": [asdict(member) for member in members],
        **_spent(ledger),
    }
    write_json(summary_file(target), summary)
    _told_missing(missing, target)
    return summary


def judge(
    source: Source,
    member: Member,
    out: str | Path,
    *,
    settings: JudgeSettings | None = None,
    budget: float | None = None,
    progress: ProgressLine | None = None,
    say: Say = lambda text: None,
) -> dict[str, Any]:
    """Have a judge model rate responses from 1 to 5 by each problem's preference.

    Writes `out` (JSON lines, the published columns; see `codepref.judging.artifact`) and `out` with .summary.json:
    ratings, unjudged ones by reason, what the second pass changed, tokens and dollars. Answers are journaled in
    `out`.calls. Returns the summary. Raises as `respond`.
    """
    target, counts = Path(out), JudgeCounts()
    with _asked(source, member, target, settings or JudgeSettings(), budget, progress, say) as asked:
        write_judgments(target, counts.counting(asked.judgments))
    summary = {"judge": member.label, "model": member.model, **counts.as_dict(), "missing": dict(asked.missing)}
    summary |= {"settings": asdict(asked.settings), **_spent(asked.ledger)}
    write_json(summary_file(target), summary)
    _told_missing(asked.missing, target)
    return summary


def judge_by_rubric(source: Source, out: str | Path, *, problems: str | Path | None = None) -> dict[str, Any]:
    """As `judge`, by static analysis: no server, no model, no opinion; see docs/judging.md.

    problems: where the entry points come from that "instruction-following" looks for; without, it looks for none.
    Raises UserError for responses of tasks that `problems` does not hold, or without a known preference.
    """
    from codepref.judging.rubric import JUDGE, judge_responses
    from codepref.problems.load import load_problems
    from codepref.records import Problem

    target, counts = Path(out), JudgeCounts()
    check_target(target)
    tasks = list(_tasks(source)())
    check_tasks(tasks)
    known = {one.task_id: one for one in load_problems(problems)} if problems else {}
    if unknown := [task.task_id for task in tasks if known and task.task_id not in known]:
        raise UserError(
            f"{len(unknown)} responses are of other problems ({', '.join(unknown[:3])}, ...): another file?"
        )

    def judged() -> Iterator[Judgment]:
        for preference in dict.fromkeys(task.preference for task in tasks):
            mine = [task for task in tasks if task.preference == preference]
            asked = [known.get(task.task_id) or Problem(task.task_id, task.instruction, "") for task in mine]
            yield from judge_responses(asked, {task.task_id: task.responses for task in mine}, [preference])

    found = {one.task_id: one for one in judged()}
    made = [replace(found[task.task_id], instruction=task.instruction) for task in tasks if task.task_id in found]
    write_judgments(target, counts.counting((one, ()) for one in made))
    summary = {"judge": JUDGE, "model": JUDGE, **counts.as_dict()}
    write_json(summary_file(target), summary)
    return summary


def calibrate_judge(
    source: Source,
    member: Member,
    out: str | Path,
    *,
    verdicts: str | Path | None = None,
    own_models: Iterable[str] = (),
    settings: JudgeSettings | None = None,
    budget: float | None = None,
    progress: ProgressLine | None = None,
    say: Say = lambda text: None,
) -> JudgeCalibration:
    """See what a judge's ratings are worth; figures as in `codepref.evaluation.judge_calibration.calibrate`.

    Each problem is judged three times: as `judge` does, in reversed order, and once more as at first. verdicts: a
    folder that `execute` wrote for the same responses. own_models: pool members of the judge's own model (its name is
    one of them). Writes `out` (JSON): figures with intervals, counts, tokens and dollars. Raises as `respond`.
    """
    chosen = replace(settings or JudgeSettings(), second_pass=True, repeats=2)
    target = Path(out)
    passed = None if verdicts is None else passed_responses(Path(verdicts))
    own = frozenset({member.label, member.model, *own_models})
    with _asked(source, member, target, chosen, budget, progress, say) as asked:
        found = [rated(task, passes, second_pass=True) for task, passes in asked.judgments]
    calibration = calibrate(found, passed=passed, own_models=own, seed=chosen.seed)
    document = {"judge": member.label, "model": member.model, **asdict(calibration), "missing": dict(asked.missing)}
    write_json(target, document | {"settings": asdict(chosen), **_spent(asked.ledger)})
    _told_missing(asked.missing, target)
    return calibration


def grade(
    benchmark: str | Path | Benchmark,
    source: Source,
    member: Member,
    out: str | Path,
    *,
    of: str | None = None,
    reference: str | None = None,
    settings: JudgeSettings | None = None,
    budget: float | None = None,
    progress: ProgressLine | None = None,
    say: Say = lambda text: None,
) -> Grades:
    """Grade one model's responses to a benchmark from 1 to 10, each beside a reference answer, as CODAL-Bench does.

    benchmark, reference: see `codepref.problems.codal.load_benchmark`; or what it returned. source: responses by task,
    as `respond` writes them. of: whose responses, where the file holds several models'. Writes into the folder `out`:
    grades.parquet, scores.json (for `codepref compare`) and summary.json; answers are journaled in `out`/calls.
    Raises UserError for responses that are missing or of other tasks, before the first call; else as `respond`.
    """
    folder = Path(out)
    check_target(folder / TABLE)
    loaded = benchmark if isinstance(benchmark, Benchmark) else load_benchmark(benchmark, reference=reference)
    tasks, label = tasks_to_grade(loaded, _tasks(source)(), of)
    chosen = replace(settings or JudgeSettings(), low=LOW, high=HIGH, mode="single", second_pass=False, repeats=1)
    endpoint, watch = member.endpoint(), _watch(progress)
    check_endpoints([endpoint], budget)
    references = loaded.references.__getitem__
    with Exchange([endpoint], folder / "calls", budget=budget, say=say) as exchange:
        tell = (lambda done, total: watch(done, total, exchange.ledger)) if watch else None
        missing = ask_judge(
            lambda: tasks, endpoint, exchange, chosen, references=references, total=len(tasks), progress=tell
        )
        judged = [one for one, _ in read_judgments_of(lambda: tasks, endpoint, exchange, chosen, references=references)]
    conditions = {"reference": loaded.column, "judge_model": member.model, "settings": asdict(chosen)}
    found = Grades(label, member.label, tuple(map(_grade, judged)), conditions)
    write_grades(found, folder, seed=chosen.seed)
    write_grades_table(folder / TABLE, tasks, loaded.references, found)
    write_json(folder / "summary.json", {"missing": dict(missing), **_spent(exchange.ledger)})
    _told_missing(missing, folder)
    return found


def tasks_to_grade(benchmark: Benchmark, responses: Iterable[Judgment], of: str | None) -> tuple[list[Judgment], str]:
    """The benchmark's tasks with the one response of `of` each, and whose they are.

    Responses are matched by task_id where all of them are known, else by the instruction's text.
    Raises UserError where the model cannot be told, where a task has no response of it, or several.
    """
    given = list(responses)
    models = sorted({response.model for one in given for response in one.responses})
    if of is None and len(models) != 1:
        raise UserError(f"whose responses? They are of {', '.join(models) or 'nobody'}: name one with --of")
    label = of or models[0]
    known = {task.task_id for task in benchmark.tasks}
    by_id = all(one.task_id in known for one in given)
    found = {one.task_id if by_id else one.instruction: one for one in given}
    tasks: list[Judgment] = []
    lacking: list[str] = []
    several: list[str] = []
    for task in benchmark.tasks:
        one = found.get(task.task_id if by_id else task.instruction)
        mine = tuple(response for response in (one.responses if one else ()) if response.model == label)
        (lacking if not mine else several if len(mine) > 1 else []).append(task.task_id)
        tasks.append(replace(task, responses=mine[:1]))
    for tasks_wrong, what in ((lacking, "no response"), (several, "several responses")):
        if tasks_wrong:
            raise UserError(
                f"{len(tasks_wrong)} of {len(tasks)} problems have {what} of {label!r} ({', '.join(tasks_wrong[:3])}"
                f"{', ...' if len(tasks_wrong) > 3 else ''}); one each is needed"
            )
    return tasks, label


def _grade(judged: Judgment) -> Grade:
    rating = judged.ratings[0]
    return Grade(judged.task_id, judged.preference, rating.value, rating.rationale, rating.reason)


def passed_responses(folder: Path) -> dict[tuple[str, int], bool]:
    """(task_id, response_id) -> whether the response is correct. Responses of unknown correctness are left out."""
    from codepref.execution.reading import iter_verdicts

    return {
        (matrix.task_id, verdict.solution_id): verdict.correct
        for matrix in iter_verdicts(folder)
        for verdict in matrix.verdicts
        if verdict.correct is not None
    }


def calls_folder(target: Path) -> Path:
    """Where the answers behind an artifact are journaled."""
    return target.with_name(f"{target.name}.calls")


def summary_file(target: Path) -> Path:
    """The figures beside an artifact."""
    return target.with_suffix(".summary.json")


@dataclass(frozen=True)
class _Judged:
    """Judgments with all readings, one pass over them at a time, while the journal is open."""

    judgments: Iterator[tuple[Judgment, list[list[Reading]]]]
    ledger: Ledger
    missing: Mapping[str, int]
    settings: JudgeSettings


@contextlib.contextmanager
def _asked(
    source: Source,
    member: Member,
    target: Path,
    settings: JudgeSettings,
    budget: float | None,
    progress: ProgressLine | None,
    say: Say,
) -> Iterator[_Judged]:
    """Ask the judge everything, and hold the journal open while its answers are read."""
    check_target(target)
    tasks, endpoint = _tasks(source), member.endpoint()
    check_endpoints([endpoint], budget)
    total = _count_questions(tasks, endpoint, settings)
    watch = _watch(progress)
    with Exchange([endpoint], calls_folder(target), budget=budget, say=say) as exchange:
        tell = (lambda done, total: watch(done, total, exchange.ledger)) if watch else None
        missing = ask_judge(tasks, endpoint, exchange, settings, total=total, progress=tell)
        yield _Judged(read_judgments_of(tasks, endpoint, exchange, settings), exchange.ledger, missing, settings)


def _count_questions(tasks: Tasks, endpoint: Endpoint, settings: JudgeSettings) -> int:
    """How many questions there are; wrong tasks are told before the first of them is paid for."""
    total = empty = 0
    wrong: list[Judgment] = []
    for task in tasks():
        empty += not task.responses
        if task.preference in BY_KEY:
            total += sum(1 for _ in questions(task, endpoint, settings))
        else:
            wrong.append(replace(task, responses=()))
    check_tasks(wrong)
    if not total:
        raise UserError("there is no response to judge" + (f" ({empty} problems have none)" if empty else ""))
    return total


def _tasks(source: Source) -> Tasks:
    if isinstance(source, str | Path):
        return lambda: (replace(one, ratings=(), order=()) for one in iter_judgments(source))
    given = [replace(one, ratings=(), order=()) for one in source]
    return lambda: given


def _watch(progress: ProgressLine | None) -> Callable[[int, int, Ledger], None] | None:
    if progress is None:
        return None
    line = progress

    def watch(done: int, total: int, ledger: Ledger) -> None:
        line.note = spending(ledger)
        line(done, total)

    return watch


def _spent(ledger: Ledger) -> dict[str, Any]:
    return {
        "dollars": round(ledger.dollars, 6),
        "dollars_at_most_more": round(ledger.at_most, 6),
        "ledger": ledger.as_dict(),
    }


def _told_missing(missing: Mapping[str, int], target: Path) -> None:
    if missing:
        reasons = "; ".join(f"{reason}: {count:,}" for reason, count in sorted(missing.items()))
        raise InfrastructureError(
            f"{sum(missing.values()):,} answers are missing after all attempts ({reasons}); {target} holds the "
            f"others. {AGAIN}"
        )
