"""`codepref judge --calibrate`: measures how far a judge's ratings can be trusted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path

from codepref.config.aliases import renamed_arguments
from codepref.config.pool import Member
from codepref.evaluation.judge_calibration import JudgeCalibration, calibrate, rated
from codepref.execution.reading import iter_verdicts
from codepref.judging.asking import ResponseSource, judge_run, load_tasks
from codepref.judging.questions import JudgeSettings
from codepref.servers.artifacts import calls_folder, check_complete, costs
from codepref.servers.exchange import Log
from codepref.storage.files import check_target, write_json
from codepref.storage.progress import ProgressLine


@renamed_arguments(say="log")
def calibrate_judge(
    source: ResponseSource,
    member: Member,
    out: str | Path,
    *,
    verdicts: str | Path | None = None,
    own_models: Iterable[str] = (),
    settings: JudgeSettings | None = None,
    budget: float | None = None,
    progress: ProgressLine | None = None,
    log: Log = lambda text: None,
) -> JudgeCalibration:
    """Measure how far a judge's ratings can be trusted; see `codepref.evaluation.judge_calibration.calibrate`.

    Each problem is judged three times: as `judge` does, with the responses in reversed order, and again in the first
    order. source: responses. member: the judge. verdicts: a folder that `execute` wrote for the same responses.
    own_models: pool members that are the judge's own model; members with the judge's name or model are included.
    budget: limit in dollars over all runs with this `out`. log: receives messages for the user.
    Writes `out` (JSON): figures with intervals, counts, tokens and dollars. Raises as `judge`.
    """
    chosen = replace(settings or JudgeSettings(), second_pass=True, repeats=2)
    target = Path(out)
    check_target(target)
    passed = None if verdicts is None else passed_responses(Path(verdicts))
    own = frozenset({member.label, member.model, *own_models})
    with judge_run(
        load_tasks(source),
        member,
        calls_folder(target),
        chosen,
        budget=budget,
        progress=progress,
        log=log,
    ) as run:
        tasks = [rated(judgment, passes, second_pass=True) for judgment, passes in run.judgments]
    calibration = calibrate(tasks, passed=passed, own_models=own, seed=chosen.seed)
    document = {"judge": member.label, "model": member.model, **asdict(calibration), "missing": dict(run.missing)}
    write_json(target, document | {"settings": asdict(chosen), **costs(run.ledger)})
    check_complete(run.missing, target)
    return calibration


def passed_responses(folder: Path) -> dict[tuple[str, int], bool]:
    """(task_id, response_id) -> whether the response is correct, from the verdicts in `folder`. Omits unknown ones."""
    return {
        (matrix.task_id, verdict.solution_id): verdict.correct
        for matrix in iter_verdicts(folder)
        for verdict in matrix.verdicts
        if verdict.correct is not None
    }
