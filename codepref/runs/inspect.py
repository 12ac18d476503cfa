"""The functions of `codepref status`: which stages of a run are done, and how far unfinished work has come."""

from __future__ import annotations

import time
from pathlib import Path

from codepref.errors import UserError
from codepref.execution.artifacts import SUMMARY, VERDICTS
from codepref.execution.parts import PARTS, Parts
from codepref.runs.directory import RunDirectory, open_run
from codepref.runs.plan import plan, split_stage
from codepref.sampling.sample import parts_folder
from codepref.servers.journal import JOURNAL, read_journal
from codepref.storage.files import read_json
from codepref.storage.progress_file import read_progress
from codepref.training.staging import WHOLE

WIDTH = 18
"""The least width of the column of stage names, in characters."""


def status_lines(path: Path) -> list[str]:
    """Return lines that say how far a run, an execution or a sampling has come.

    path: a run directory, the folder of `codepref execute --out`, or the file of `codepref sample --out`. Any file
    without unfinished answers beside it counts as finished. Raises UserError for any other folder, for a path that does
    not exist, and for a file that is no JSON or TOML.
    """
    if path.name and (answers := parts_folder(path)).is_dir():  # the names "." and "/" are those of no file
        return [f"{path}: {_answers(path, 'answer') or 'no answer yet'}", *_progress(answers)]
    if path.is_file():
        return [f"{path}: finished"]
    if (path / "recipe.toml").exists():
        return _run_lines(path)
    if (path / PARTS).is_dir():
        return [f"{path}: {_judged_solutions(path) or 'no judged solution yet'}", *_progress(path / PARTS)]
    if (path / SUMMARY).exists() and (path / VERDICTS).exists():
        return [f"{path}: finished in {read_json(path / SUMMARY)['seconds']:.1f} s"]
    if path.exists():
        raise UserError(
            f"{path}: is neither a run directory nor the folder of `codepref execute --out`, since it holds neither "
            "recipe.toml nor verdicts"
        )
    raise UserError(f"{path}: no such file or folder")


def _progress(folder: Path) -> list[str]:
    """Return the lines of the progress file in a folder of unfinished work, or [] without one."""
    progress = read_progress(folder)
    return [] if progress is None else [f"    {line}" for line in progress.lines(time.time())]


def _run_lines(folder: Path) -> list[str]:
    """Return one line about the run, one for each stage, and the path of the report if there is one.

    The line of a stage says that the stage is done (with its seconds), begun (with what it keeps), or pending. A stage
    that has begun and keeps nothing yet is usually shown as pending. Raises UserError if the folder holds no run, or a
    malformed file.
    """
    run = open_run(folder)
    notes = run.about()
    stages = ["problems", *plan(run.recipe)]
    width = max(WIDTH, *map(len, stages))
    lines = [f"{notes['recipe']}, seed {run.recipe.seed}, started {notes['started']}"]
    for stage in stages:
        if marker := run.done(stage):
            state = f"done in {marker['seconds']:.1f} s"
        else:
            kept = kept_work(run, stage)
            state = f"begun, keeps {', '.join(kept)}" if kept else "pending"
        lines.append(f"  {stage:<{width}} {state}")
        if not marker:
            lines += [line for folder in _work_folders(run, stage) for line in _progress(folder)]
    if (folder / "report.html").exists():
        lines.append(str(folder / "report.html"))
    return lines


def kept_work(run: RunDirectory, stage: str) -> list[str]:
    """Return what an unfinished stage keeps so far, such as ["3 answers"] or ["no checkpoint yet"].

    Return [] if no such work is found.
    """
    number, name = split_stage(run.recipe, stage)
    folder = run.round_folder(number)
    kind, _, label = name.partition("-")
    match kind:
        case "sample":
            kept = [_answers(folder / "samples" / f"{label}.jsonl", "answer")]
        case "execute":
            kept = [_judged_solutions(folder / "verdicts")]
        case "audit":
            kept = [_judged_solutions(folder / "audit")]
        case "respond":
            kept = [_answered_calls(folder / "responses.jsonl.calls")]
        case "judge":
            kept = [_answered_calls(folder / "judgments.jsonl.calls")]
        case "sft" | "baseline":
            kept = [_training_step(run.path / name)]
        case "train":
            kept = [_training_step(folder / "checkpoint")]
        case "evaluate":
            kept = _evaluation(run.path / "evaluation" / label)
        case "grade":
            graded = run.path / "grading" / label
            kept = [_answered_calls(graded / "responses.jsonl.calls"), _answered_calls(graded / "calls")]
        case _:
            kept = []
    return [text for text in kept if text]


def _work_folders(run: RunDirectory, stage: str) -> list[Path]:
    """Return the folders in which an unfinished stage may keep answers and verdicts."""
    number, name = split_stage(run.recipe, stage)
    folder = run.round_folder(number)
    kind, _, label = name.partition("-")
    match kind:
        case "sample":
            return [parts_folder(folder / "samples" / f"{label}.jsonl")]
        case "execute":
            return [folder / "verdicts" / PARTS]
        case "audit":
            return [folder / "audit" / PARTS]
        case "evaluate":
            kinds = [run.path / "evaluation" / label / kind for kind in ("greedy", "sampled")]
            answers = [parts_folder(path.with_name(f"{path.name}.jsonl")) for path in kinds]
            return answers + [path.with_name(f"{path.name}-verdicts") / PARTS for path in kinds]
    return []


def _evaluation(folder: Path) -> list[str]:
    kept = []
    for kind in ("greedy", "sampled"):
        answers = folder / f"{kind}.jsonl"
        kept.append(f"all {kind} answers" if answers.exists() else _answers(answers, f"{kind} answer"))
        verdicts = folder / f"{kind}-verdicts"
        done = (verdicts / "verdicts.parquet").exists()
        kept.append(f"all verdicts on {kind} answers" if done else _judged_solutions(verdicts))
    return kept


def _answers(samples: Path, what: str) -> str:
    number = 0
    for spool in parts_folder(samples).glob("*.rows"):
        with spool.open("rb") as stream:
            number += sum(1 for line in stream if line.endswith(b"\n"))
    return _amount(number, what, f"{what}s")


def _judged_solutions(verdicts: Path) -> str:
    judged = sum(len(verdicts_of_task) for _, verdicts_of_task in Parts(verdicts).read())
    return _amount(judged, "judged solution", "judged solutions")


def _answered_calls(calls: Path) -> str:
    _, answers = read_journal(calls / JOURNAL)
    return _amount(len(answers), "answered call", "answered calls")


def _training_step(model: Path) -> str:
    """Return the last complete checkpoint of an unfinished training, as text.

    A training writes into a hidden folder, and renames it to the model's folder at the end. Return "" if there is no
    hidden folder, and "no checkpoint yet" if it holds no complete checkpoint.
    """
    staging = model.with_name(f".{model.name}.partial")
    whole = [path for path in staging.glob("checkpoint-*") if (path / WHOLE).exists()]
    steps = [int(path.name.rpartition("-")[2]) for path in whole]
    if steps:
        return f"the checkpoint of step {max(steps):,}"
    return "no checkpoint yet" if staging.exists() else ""


def _amount(number: int, singular: str, plural: str) -> str:
    """Return the number with its noun, such as "1 answered call", or "" for 0."""
    return f"{number:,} {singular if number == 1 else plural}" if number else ""
