"""Measures how far a judge's ratings can be trusted, for `codepref judge --calibrate`."""

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

    The judge is asked about each problem with responses three times: with the responses in a first order, in the
    reversed order, and again in the first order. In the mode "single" each question shows one response, so the order
    makes no difference.
    source: the responses to judge. member: the judge. verdicts: a folder that `execute` wrote for the same responses.
    own_models: names of pool members that are the judge's own model. The judge's name and the name of its model are
    added. settings: the settings of the questions. Their `second_pass` and `repeats` are replaced. budget: the limit in
    dollars for all calls with this `out` together. log: receives messages for the user.
    Writes the JSON file `out` with figures, intervals, counts, tokens and dollars.
    Raises what `codepref.judging.asking.judge_run` raises, UserError if `out` is a folder or if the verdicts cannot be
    read, and MachineError if `out` cannot be written. Raises InfrastructureError if answers of the judge are missing
    that another run may get, or if the server refuses all missing answers for good and no response has a rating. In
    both cases `out` has been written. If the server refuses all missing answers for good and a response has a rating,
    `log` gets a message instead.
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
    document["refused"] = dict(run.refused)
    write_json(target, document | {"settings": asdict(chosen), **costs(run.ledger)})
    answered = sum(bool(one.first or one.backwards or any(one.repeats)) for one in tasks)
    check_complete(run.missing, target, refused=run.refused, answered=answered, log=log)
    return calibration


def passed_responses(folder: Path) -> dict[tuple[str, int], bool]:
    """Return a mapping of (task_id, response_id) to whether the response is correct, from the verdicts in `folder`.

    Responses of unknown correctness are left out.
    """
    return {
        (matrix.task_id, verdict.solution_id): verdict.correct
        for matrix in iter_verdicts(folder)
        for verdict in matrix.verdicts
        if verdict.correct is not None
    }
