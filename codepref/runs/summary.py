"""Writes summary.json, which holds the figures of a run. Other modules make the table and the report from this file."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from codepref import __version__
from codepref.evaluation.gate import decide
from codepref.evaluation.ratings import compare_ratings, read_ratings, summarise_ratings
from codepref.evaluation.scores import compare, read_scores, summarise
from codepref.runs.directory import Result, RunDirectory, open_run
from codepref.runs.plan import plan
from codepref.runs.stages.grading import grading_summary
from codepref.storage.files import write_json, write_text
from codepref.training.methods import load_method

LABELS = ("base", "sft", "baseline", "aligned")
"""The labels of the models that a run can measure, in order."""

PACKAGES = (
    "torch",
    "transformers",
    "trl",
    "peft",
    "accelerate",
    "datasets",
    "numpy",
    "pyarrow",
    "sandlock",
    "ruff",
    "radon",
)


def write_summary(run: RunDirectory, stage_names: Sequence[str]) -> dict[str, Any]:
    """Write summary.json of a run from its recipe, its notes and the results of its stages. Return its content.

    If the base and the aligned model are compared, also write the file `promoted` or `not-promoted`.
    stage_names: the names of all stages of the run. The summary leaves out stages that are not finished.
    """
    markers = {name: marker for name in stage_names if (marker := run.done(name)) is not None}
    results: dict[str, Result] = {name: marker["result"] for name, marker in markers.items()}
    recipe = run.recipe
    notes = run.about()
    summary: dict[str, Any] = {
        "recipe": notes["recipe"],
        "description": recipe.description,
        "seed": recipe.seed,
        "codepref": __version__,
        "started": notes["started"],
        "machine": notes.get("machine", {}),
        "versions": notes.get("versions", {}),
        "engine": next((result["engine"] for result in results.values() if "engine" in result), {}),
        "unconfined": notes.get("unconfined", False),
        "stages": [{"name": name, "seconds": marker["seconds"]} for name, marker in markers.items()],
        "funnel": _funnel(results, recipe.training.method),
        "dropped": _dropped(results),
        "verdicts": _verdicts(results, self_tested=recipe.sampling.tests > 0),
        "choice": {key: value for key, value in results.get("choose", {}).items() if key != "dropped"},
        "pairs": _pairs(results),
        "training": {key: value for key, value in results.get("train", {}).items() if key not in ("model", "dropped")},
        "ratings": dict(results.get("judge", {})),
        "scores": _scores(run.path, results, recipe.seed, judged=recipe.judge.model == "rubric"),
        "comparison": [],
        "baseline": {},
        "gate": {},
        "grading": grading_summary(run.path, LABELS, recipe.seed),
        "recipe_resolved": recipe.as_dict(),
    }
    if summary["training"]:
        summary["training"]["method"] = recipe.training.method
    if {"base", "aligned"} <= set(summary["scores"]):
        rubric = recipe.judge.model == "rubric"
        summary["comparison"], by_preference = _compared(run, "base", "aligned", rubric=rubric)
        if rubric:
            summary["ratings"]["by_preference"] = by_preference
        if "baseline" in summary["scores"]:
            summary["baseline"] = _baseline(run, results["baseline"], rubric=rubric)
        summary["gate"] = asdict(
            decide(
                summary["comparison"],
                figures=recipe.gate.figures,
                margin=recipe.gate.margin,
                require_better=recipe.gate.require_better,
                baseline=summary["baseline"].get("comparison", []),
                beat_baseline=recipe.gate.beat_baseline,
            )
        )
        _mark(run.path, summary["gate"])
    write_json(run.path / "summary.json", summary)
    return summary


def _compared(
    run: RunDirectory, base: str, aligned: str, *, rubric: bool
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the comparisons of two evaluated models, and the comparisons of the rubric's ratings by preference.

    Each row holds the fields of `Comparison`. base, aligned: the labels of the models. rubric: whether the rubric rated
    their answers.
    """
    folders = [run.path / "evaluation" / label for label in (base, aligned)]
    rows = [asdict(item) for item in compare(*folders, seed=run.recipe.seed)]
    if not rubric:
        return rows, []
    rated = [asdict(item) for item in compare_ratings(*map(read_ratings, folders), seed=run.recipe.seed)]
    return [*rows, rated[0]], rated[1:]


def _baseline(run: RunDirectory, result: Result, *, rubric: bool) -> dict[str, Any]:
    """Return the facts of the baseline's training, and its paired comparisons.

    `comparison` compares the aligned model with the baseline. The field `base` of its rows is the baseline's value.
    `over_base` compares the baseline with the base model. The field `aligned` of its rows is the baseline's value.
    """
    kept = ("steps", "kept_step", "stopped", "pairs", "dropped", "warnings")
    return {key: result[key] for key in kept if key in result} | {
        "settings": {key: result["settings"][key] for key in ("learning_rate", "epochs") if key in result["settings"]},
        "comparison": _compared(run, "baseline", "aligned", rubric=rubric)[0],
        "over_base": _compared(run, "base", "baseline", rubric=rubric)[0],
    }


def refresh_summary(folder: Path) -> dict[str, Any]:
    """Write summary.json of the run in `folder` again from the results of the finished stages, and return its content.

    Raises UserError if the folder holds no run, or a malformed file.
    """
    run = open_run(folder)
    return write_summary(run, ["problems", *plan(run.recipe)])


def _mark(path: Path, decision: dict[str, Any]) -> None:
    """Write the gate's reasons into `promoted` or `not-promoted` of the run directory, and remove the other file.

    The lines on the baseline follow the reasons.
    """
    names = ("promoted", "not-promoted")
    chosen = names[0] if decision["promoted"] else names[1]
    for name in names:
        if name != chosen:
            (path / name).unlink(missing_ok=True)
    write_text(path / chosen, "\n".join([*decision["reasons"], *decision["baseline"]]) + "\n")


def machine() -> dict[str, Any]:
    """Return facts about this machine: processor, usable cores, memory, platform, Python, and GPU if torch finds it."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    facts = {
        "cpu": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(memory, 1),
        "platform": platform.platform(),
        "python": platform.python_version(),
    }
    import torch

    if torch.cuda.is_available():
        facts["gpu"] = torch.cuda.get_device_name()
    return facts


def versions() -> dict[str, str]:
    """Return the versions of those libraries in PACKAGES that are installed. Figures can depend on them."""
    installed = {}
    for name in PACKAGES:
        try:
            installed[name] = version(name)
        except PackageNotFoundError:
            continue
    return installed


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _funnel(results: dict[str, Result], method: str) -> list[dict[str, Any]]:
    unit = load_method(method).learns_from
    steps = [
        ("training problems", "problems", "train"),
        ("responses of the pool", "respond", "sampled"),
        ("solutions sampled", "sample-solutions", "sampled"),
        ("distinct solutions", "sample-solutions", "distinct"),
        ("tests extracted", "sample-tests", "extracted"),
        ("distinct tests", "sample-tests", "distinct"),
        ("verdicts", "execute", "cells"),
        ("problems chosen", "choose", "kept"),
        ("ratings", "judge", "ratings"),
        ("right solutions whose CPU time was measured", "speed", "solutions"),
        ("pairs before they are balanced", "pair", "selected"),
        ("pairs", "pair", "count"),
        ("repair pairs among them", "pair", "repairs"),
        ("demonstrations trained on", "sft", "pairs"),
        (f"{unit} trained on", "train", "pairs"),
        ("answers sampled while training", "train", "sampled"),
        ("chosen answers that the baseline trained on", "baseline", "pairs"),
    ]
    return [
        {"what": what, "count": results[stage][key]}
        for what, stage, key in steps
        if stage in results and key in results[stage] and (key not in ("sampled", "train") or results[stage][key])
    ]


def _dropped(results: dict[str, Result]) -> dict[str, dict[str, int]]:
    stages = {
        "problems": "problems",
        "responses": "respond",
        "solutions": "sample-solutions",
        "tests": "sample-tests",
        "problems (by the model's solutions)": "choose",
        "pairs": "pair",
        "training": "train",
        "baseline": "baseline",
    }
    return {what: results[stage].get("dropped", {}) for what, stage in stages.items() if stage in results}


def _verdicts(results: dict[str, Result], *, self_tested: bool) -> dict[str, dict[str, int]]:
    tests = "self-written tests" if self_tested else "true tests"
    counts = {f"{tests} on the sampled solutions": results.get("execute", {}).get("verdicts", {})}
    if self_tested:
        counts["true tests on the same solutions (for this report only)"] = results.get("audit", {}).get("verdicts", {})
    return {name: by_code for name, by_code in counts.items() if by_code}


def _pairs(results: dict[str, Result]) -> dict[str, Any]:
    counts = {key: results["pair"][key] for key in ("count", "problems")} if "pair" in results else {}
    return counts | {key: value for key, value in results.get("audit", {}).items() if key != "verdicts"}


def _scores(path: Path, results: dict[str, Result], seed: int, *, judged: bool) -> dict[str, list[dict[str, Any]]]:
    scores = {}
    for label in LABELS:
        if f"evaluate-{label}" in results:
            folder = path / "evaluation" / label
            figures = summarise(read_scores(folder), seed=seed)
            figures += summarise_ratings(read_ratings(folder), seed=seed)[:1] if judged else []
            scores[label] = [asdict(figure) for figure in figures]
    return scores
