"""A run directory read by a person: which stages are done, one problem's answers and verdicts, the summary again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from codepref.errors import UserError
from codepref.runs.directory import RunDirectory
from codepref.runs.plan import plan
from codepref.runs.recipes import load_recipe
from codepref.storage.files import read_jsonl, read_parquet

PARTS = {
    "sample-solutions": "samples/solutions.jsonl.parts",
    "sample-tests": "samples/tests.jsonl.parts",
}


def status_lines(folder: Path) -> list[str]:
    """One line a stage: done and its seconds, begun, or owed. Raises UserError when the folder is no run."""
    run = _open(folder)
    name = run.about()
    lines = [f"{name['recipe']}, seed {run.recipe.seed}, started {name['started']}"]
    for stage in ["problems", *plan(run.recipe)]:
        marker = run.done(stage)
        if marker:
            lines.append(f"  {stage:<18} done in {marker['seconds']:.1f} s")
        elif stage in PARTS and (folder / PARTS[stage]).exists():
            batches = len(list((folder / PARTS[stage]).glob("*.jsonl")))
            lines.append(f"  {stage:<18} begun ({batches} batches kept)")
        else:
            lines.append(f"  {stage:<18} owed")
    if (folder / "report.html").exists():
        lines.append(str(folder / "report.html"))
    return lines


def show_lines(folder: Path, task_id: str) -> list[str]:
    """One problem: its solutions with their verdict codes, its tests, its pairs. Raises UserError if unknown."""
    _open(folder)
    verdicts = _rows(folder / "verdicts" / "verdicts.parquet", task_id)
    answers = [row for _, row in _lines(folder / "samples" / "solutions.jsonl") if row["task_id"] == task_id]
    if not verdicts and not answers:
        raise UserError(f"{folder}: no answers for task {task_id!r} yet, or no such task")
    lines = [f"{task_id}: {len(answers)} solutions sampled"]
    for test in _rows(folder / "verdicts" / "tests.parquet", task_id):
        lines.append(f"  test {test['test_id']}: {test['test'].strip()}")
    codes = {row["solution_id"]: row["verdicts"] for row in verdicts}
    for number, row in enumerate(answers):
        lines += ["", f"solution {number}  {codes.get(number, '(not run)')}"]
        lines += ["    " + line for line in (row["solution"] or "(no code)").splitlines()]
    for pair in _rows(folder / "pairs.parquet", task_id):
        lines += [
            "",
            f"pair by {pair['rule']}: solution {pair['chosen_id']} over {pair['rejected_id']}, "
            f"confidence {pair['confidence']:.2f}",
        ]
    return lines


def refresh_summary(folder: Path) -> dict[str, Any]:
    """Write summary.json again from what the finished stages left."""
    from codepref.runs.summary import write_summary

    run = _open(folder)
    return write_summary(run, ["problems", *plan(run.recipe)])


def _open(folder: Path) -> RunDirectory:
    recipe = folder / "recipe.toml"
    if not recipe.exists():
        raise UserError(f"{folder}: is no run directory (it has no recipe.toml)")
    run = RunDirectory(folder, load_recipe(recipe))
    return run


def _rows(path: Path, task_id: str) -> list[dict[str, Any]]:
    return [row for row in read_parquet(path) if row["task_id"] == task_id] if path.exists() else []


def _lines(path: Path) -> list[tuple[int, dict[str, Any]]]:
    return list(read_jsonl(path)) if path.exists() else []
