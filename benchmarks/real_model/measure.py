"""Does the pending stages of a folder one after the other."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.common.results import log
from benchmarks.real_model.bench import Bench
from benchmarks.real_model.journal import Journal
from benchmarks.real_model.plan import STEPS, Stage, expected_seconds, pending, plan
from benchmarks.real_model.settings import BASE, ROWS, Row, Sizes
from benchmarks.real_model.split import Split, split
from codepref.config.engine import EngineSection
from codepref.config.scale import ScaleSection
from codepref.config.sections import TrainingSection
from codepref.errors import GateError, UserError
from codepref.models import fingerprint, public_name, resolve_model
from codepref.problems.load import load_problems
from codepref.storage.files import content_hash, read_json, write_json, write_text

SETTINGS = "settings.json"


def open_bench(options: argparse.Namespace, sizes: Sizes, rows: Mapping[str, Row] = ROWS) -> Bench:
    """Return the bench of the folder --out, and write the settings that all its results share into it.

    Raises UserError if the folder holds results with other problems, sizes, another model or another engine. Raises the
    errors of `load_problems`, `split` and `resolve_model`.
    """
    folder, data, model = options.out, options.data, options.model
    engine = EngineSection(preset=options.engine, python=options.engine_python, options=options.engine_options)
    scale = ScaleSection(replicas=options.processes) if options.processes else None
    mbpp, humaneval = (load_problems(data / "evalplus" / f"{name}Plus.jsonl.gz") for name in ("Mbpp", "HumanEval"))
    found = split(mbpp, humaneval, sizes)
    bench = Bench(folder, rows, found, sizes, resolve_model(model), engine, scale)
    check_same(folder / SETTINGS, identity(found, sizes, model, engine), f"{folder} holds results with other settings")
    return bench


def identity(found: Split, sizes: Sizes, model: str, engine: EngineSection) -> dict[str, Any]:
    """Return the settings that all results of a folder share, which are also facts for the results file."""
    parts = {name: getattr(found, name) for name in ("train", "validation", "heldout")}
    starts = {name: f"{name}/" for name in ("Mbpp", "HumanEval")}
    held = {name: sum(one.task_id.startswith(start) for one in found.heldout) for name, start in starts.items()}
    return {
        "model": public_name(model),
        "weights": fingerprint(model),
        "engine": " ".join(filter(None, (engine.preset, engine.options))) or "codepref's own engine",
        "sizes": asdict(sizes),
        "problems": {
            "train": len(found.train),
            "validation": len(found.validation),
            "MBPP+": held["Mbpp"],
            "HumanEval+": held["HumanEval"],
            "contaminated": found.contaminated,
        },
        "hashes": {name: content_hash([[p.task_id, p.prompt] for p in part]) for name, part in parts.items()},
        "heldout": " ".join(one.task_id for one in found.heldout),
    }


def check_same(file: Path, settings: dict[str, Any], what: str) -> None:
    """Write the settings to `file` if it does not exist.

    Raises UserError if it holds other settings. what: the beginning of the message.
    """
    if not file.exists():
        write_json(file, settings)
        return
    kept = read_json(file)
    names = sorted({*kept, *settings})
    if different := [name for name in names if kept.get(name) != settings.get(name)]:
        raise UserError(f"{what}: {', '.join(different)}. Use the same settings, or another folder (--out)")


def measure(
    bench: Bench, names: Collection[str], seeds: Collection[int], on_score: Callable[[], Any] = lambda: None
) -> int:
    """Do the pending stages of the named rows. Returns the number of stages that failed or were left out.

    on_score: called after the score stage of each row, so that the results hold the row at once.

    A stage whose input or result is refused, such as a training that diverges, is kept as failed. The later stages of
    the row, and those of a row that starts from it, are left out. Other errors end the work. The next call then does
    the stage again. Raises UserError if another process works in the folder, or a row was measured there with other
    settings.
    """
    journal = Journal(bench.folder)
    stages = plan(bench.rows, names, seeds)
    with journal.alone():
        for stage in stages:
            if stage.owner != BASE:
                file = bench.place(stage.seed, stage.owner) / "row" / SETTINGS
                what = f"seed {stage.seed}, {stage.owner}: its results were made with other settings"
                check_same(file, row_settings(bench.rows[stage.owner]), what)
            if journal.result(stage) is None and not blocked(journal, bench.rows, stage):
                log(f"seed {stage.seed}, {stage.name}: starts")
                journal.run(stage, partial(_tried, bench, stage))
                log(state(journal, stages, stage))
                if stage.step == "score":
                    on_score()
    failed = [stage for stage in stages if not _is_good(journal.result(stage))]
    for stage in failed:
        reason = (journal.result(stage) or {"failed": "an earlier stage failed"})["failed"]
        log(f"seed {stage.seed}, {stage.name}: not done ({reason})")
    return len(failed)


def row_settings(row: Row) -> dict[str, Any]:
    """Return what decides the results of a row. Of its training, default values do not count."""
    defaults = asdict(TrainingSection())
    training = {key: value for key, value in asdict(row.training).items() if value != defaults[key]}
    training.pop("checkpoint_minutes", None)
    return {"data": row.data, "training": training, "pairing": dict(row.pairing), "start": row.start}


def blocked(journal: Journal, rows: Mapping[str, Row], stage: Stage) -> bool:
    """Return whether a stage of the stage's row has failed, or a stage of the row from which this row starts."""
    owners = filter(None, (stage.owner, rows[stage.owner].start))
    names = [f"{owner}/{step}" for owner in owners for step in STEPS]
    return any("failed" in (journal.result(Stage(stage.seed, name)) or {}) for name in names)


def _is_good(result: Mapping[str, Any] | None) -> bool:
    return result is not None and "failed" not in result


def _tried(bench: Bench, stage: Stage) -> dict[str, Any]:
    try:
        return bench.do(stage)
    except (GateError, UserError) as error:
        return {"failed": str(error)}


def state(journal: Journal, stages: Sequence[Stage], last: Stage) -> str:
    """Return a line that says how long the last stage took, how much is done, and how long the rest may take."""
    seconds = {stage: float(result["seconds"]) for stage, result in journal.done().items()}
    left = pending(stages, seconds)
    rest, unknown = expected_seconds(left, seconds)
    text = f"seed {last.seed}, {last.name}: {seconds[last] / 60:.1f} min; {len(stages) - len(left)} of {len(stages)} "
    text += f"stages done, about {rest / 3600:.1f} h left"
    return text + (f", and {unknown} stages of unknown length" if unknown else "")


def plan_lines(folder: Path, names: Collection[str], seeds: Collection[int]) -> list[str]:
    """Return a line for each stage: its minutes, or that it failed or is pending."""
    done = Journal(folder).done()
    lines = []
    for stage in plan(ROWS, names, seeds):
        result = done.get(stage)
        text = "pending" if result is None else f"{result['seconds'] / 60:.1f} min"
        lines.append(f"seed {stage.seed}  {stage.name:28} {'failed' if result and 'failed' in result else text}")
    return lines


def write_results(folder: Path, results: Path) -> str:
    """Write real_model.json and real_model.md into `results` from what `folder` holds, and return the Markdown."""
    from benchmarks.real_model.results import collect
    from benchmarks.real_model.table import table

    common = read_json(folder / SETTINGS)
    facts = read_json(folder / "facts.json")
    document = {**facts, **common, **collect(folder, ROWS, common["heldout"].split())}
    write_json(results / "real_model.json", document)
    text = table(document)
    write_text(results / "real_model.md", text)
    return text
