"""Lays out what a run keeps about one problem, for `codepref show`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from codepref.errors import UserError
from codepref.runs.directory import RunDirectory, open_run
from codepref.runs.plan import labels
from codepref.storage.files import read_jsonl, read_parquet
from codepref.training.methods import load_method

KINDS = ("greedy", "sampled")
"""The kinds of answers in an evaluation. There is one file for each kind."""


def show_lines(folder: Path, task_id: str) -> list[str]:
    """Return lines on one problem: its answers with verdict codes and ratings, its tests and its pairs, for each round.

    For a held-out problem, return lines on the answers of each evaluated model. Raises UserError if there is
    nothing to show for the task, and what `open_run` raises.
    """
    run = open_run(folder)
    rounds = run.recipe.training.rounds
    lines: list[str] = []
    for number in range(1, rounds + 1):
        if block := _round_lines(run.round_folder(number), task_id):
            lines += [*_gap(lines), *([f"round {number}"] if rounds > 1 else []), *block]
    for label in labels(run.recipe):
        if block := _evaluation_lines(run.path / "evaluation" / label, task_id, label):
            lines += [*_gap(lines), *block]
    if not lines:
        raise UserError(_nothing_kept(run, task_id))
    return lines


def _round_lines(folder: Path, task_id: str) -> list[str]:
    """Return the lines on a training problem in one round: solutions or responses, tests, ratings and pairs."""
    solutions = _answers(folder / "samples" / "solutions.jsonl", task_id)
    verdicts = {row["solution_id"]: row["verdicts"] for row in _rows(folder / "verdicts" / "verdicts.parquet", task_id)}
    judged = _answers(folder / "judgments.jsonl", task_id) or _answers(folder / "responses.jsonl", task_id)
    lines = [f"{task_id}: {len(solutions)} solutions sampled"] if solutions or verdicts else []
    for test in _rows(folder / "verdicts" / "tests.parquet", task_id):
        lines.append(f"  test {test['test_id']}: {test['test'].strip()}")
    ratings = _ratings(judged[0]) if judged else {}
    for place, row in enumerate(solutions):
        state = [verdicts.get(place, "(not run)"), *([ratings[place]] if place in ratings else [])]
        lines += ["", f"solution {place}  {'  '.join(state)}", *_indented(row["solution"] or "(no code)")]
    if judged and not solutions:
        lines += _response_lines(task_id, judged[0], ratings)
    noun = "solution" if solutions or verdicts else "response"
    for pair in _rows(folder / "pairs.parquet", task_id):
        lines += [
            "",
            f"pair by {pair['rule']}: {noun} {pair['chosen_id']} over {pair['rejected_id']}, "
            f"confidence {pair['confidence']:.2f}",
        ]
    return lines


def _response_lines(task_id: str, row: dict[str, Any], ratings: dict[int, str]) -> Iterator[str]:
    """Yield the lines on a pool's responses. Each is shown with its model, and with its rating or "(not rated)"."""
    yield f"{task_id}: {len(row['responses'])} responses, preference {row['preference']}"
    yield from _indented(row["instruction"])
    for place, response_id in enumerate(_response_ids(row)):
        rating = f"  {ratings[response_id]}" if response_id in ratings else "  (not rated)"
        yield from ("", f"response {response_id} by {row['responses'][place]['model']}{rating}")
        yield from _indented(row["responses"][place]["response"])
        if place < len(row.get("annotations") or []) and (rationale := row["annotations"][place].get("rationale")):
            yield from (f"    rationale: {' '.join(rationale.split())}",)


def _ratings(row: dict[str, Any]) -> dict[int, str]:
    """Return the ratings in a line of judgments.jsonl as texts, by response id. A line of responses.jsonl has none."""
    reasons = row.get("unjudged") or []
    ratings = {}
    for place, (response_id, annotation) in enumerate(
        zip(_response_ids(row), row.get("annotations") or [], strict=False)
    ):
        reason = reasons[place] if place < len(reasons) else ""
        ratings[response_id] = f"rating {annotation['rating']}" + (f" ({reason})" if reason else "")
    return ratings


def _response_ids(row: dict[str, Any]) -> list[int]:
    return list(row.get("response_ids") or range(len(row["responses"])))


def _evaluation_lines(folder: Path, task_id: str, label: str) -> list[str]:
    """Return the lines on a model's answers to a held-out problem, with the verdict codes of the problem's tests."""
    lines: list[str] = []
    for kind in KINDS:
        answers = _answers(folder / f"{kind}.jsonl", task_id)
        verdicts = _rows(folder / f"{kind}-verdicts" / "verdicts.parquet", task_id)
        codes = {row["solution_id"]: row["verdicts"] for row in verdicts}
        for place, row in enumerate(answers):
            name = f"{kind} answer" if kind == "greedy" else f"{kind} answer {place}"
            lines += ["", f"{name}  {codes.get(place, '(not run)')}", *_indented(row["solution"] or "(no code)")]
    return [f"{task_id}: answers of the {label} model in its evaluation", *lines] if lines else []


def _nothing_kept(run: RunDirectory, task_id: str) -> str:
    """Return a message that says why there is nothing to show. It names another task if the run keeps answers."""
    method = run.recipe.training.method
    evaluated = run.path / "evaluation" / "base" / "greedy.jsonl"
    other = next(_all_rows(evaluated), None)
    hint = f", such as {other['task_id']}" if other else ""
    if load_method(method).online:
        return (
            f"{run.path}: no answers to task {task_id!r} are kept. Method {method} samples answers while it trains and "
            f"does not keep them. The run keeps answers to held-out problems{hint}"
        )
    sources = [run.round_folder(1) / name for name in ("samples/solutions.jsonl", "responses.jsonl")]
    other = next((row for source in sources for row in _all_rows(source)), other)
    hint = f"; a task of this run is {other['task_id']}" if other else ""
    return (
        f"{run.path}: holds no answers to task {task_id!r}. The run has no such task, or has not sampled answers to it "
        f"yet{hint}"
    )


def _gap(lines: list[str]) -> list[str]:
    return [""] if lines else []


def _indented(text: str) -> list[str]:
    return ["    " + line for line in text.splitlines()]


def _rows(path: Path, task_id: str) -> list[dict[str, Any]]:
    return [row for row in read_parquet(path) if row["task_id"] == task_id] if path.exists() else []


def _answers(path: Path, task_id: str) -> list[dict[str, Any]]:
    return [row for row in _all_rows(path) if row["task_id"] == task_id]


def _all_rows(path: Path) -> Iterator[dict[str, Any]]:
    return (row for _, row in read_jsonl(path)) if path.exists() else iter(())
