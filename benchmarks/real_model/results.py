"""Collects what the finished stages wrote into one document, from which the tables are made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.real_model.journal import Journal
from benchmarks.real_model.plan import Stage, samplers, stages_of
from benchmarks.real_model.settings import Row
from codepref.evaluation.scores import Kind, ProblemScore, Scores, read_scores

Document = dict[str, Any]
KINDS: tuple[Kind, ...] = ("greedy", "sampled")
TRAINED = ("pairs", "steps", "kept_step", "stopped", "warnings", "tokens_read", "settings", "probes")
"""What a row keeps of the result of its training."""


def collect(folder: Path, rows: Mapping[str, Row], heldout: Sequence[str]) -> Document:
    """Return the rows that are scored, the stages that failed, and the results of sampling and execution.

    folder: the folder of all seeds. heldout: the ids of the held-out problems, in the order of the counts.
    """
    done = Journal(folder).done()
    scored = sorted((stage.seed, stage.owner) for stage in done if stage.step == "score" and not _failed(done[stage]))
    order = list(rows)
    found = [
        _row(folder, done, rows, rows[owner], seed, heldout)
        for seed, owner in sorted(scored, key=lambda one: (order.index(one[1]), one[0]))
    ]
    failed = [
        {"row": stage.owner, "seed": stage.seed, "step": stage.step, "reason": result["failed"]}
        for stage, result in sorted(done.items())
        if _failed(result)
    ]
    shared = [
        {"seed": stage.seed, "stage": stage.name, **result}
        for stage, result in sorted(done.items())
        if stage.step in ("sample", "tests", "execute", "own") and not _failed(result)
    ]
    return {"heldout": " ".join(heldout), "rows": found, "failed": failed, "shared": shared}


def _failed(result: Mapping[str, Any]) -> bool:
    return "failed" in result


def _row(
    folder: Path,
    done: Mapping[Stage, Document],
    rows: Mapping[str, Row],
    row: Row,
    seed: int,
    heldout: Sequence[str],
) -> Document:
    def result(name: str) -> Document:
        return done.get(Stage(seed, name), {})

    trained, pairs = result(f"{row.name}/train"), result(f"{row.name}/pairs")
    names = stages_of(row, rows)
    learning = [name for name in names if not name.endswith(("/train", "/score"))]
    earlier = [name for name in names if name.endswith("/train") and not name.startswith(f"{row.name}/")]
    seconds = {
        part: {
            "seconds": round(sum(result(name).get("seconds", 0.0) for name in chosen), 1),
            "cpu_seconds": round(sum(result(name).get("cpu_seconds", 0.0) for name in chosen), 1),
        }
        for part, chosen in {
            "answers": learning,
            "training": [*earlier, f"{row.name}/train"],
            "scores": [f"{row.name}/score"],
        }.items()
    }
    return {
        "row": row.name,
        "seed": seed,
        "text": row.text,
        "tokens_written": sum(result(name).get("tokens", 0) for name in samplers(row, rows)),
        **{name: trained[name] for name in TRAINED if name in trained},
        "share_right": pairs.get("share_right"),
        "seconds": seconds,
        **counts(read_scores(folder / f"seed-{seed}" / row.name / "scores"), heldout),
    }


def counts(scores: Scores, heldout: Sequence[str]) -> Document:
    """Return the numbers of correct and of all answers to each held-out problem, for each kind of scores.

    Example with two held-out problems: {"greedy": {"correct": "0 1", "n": "1 1"}, ...}.
    """
    found: Document = {}
    for kind in KINDS:
        problems = scores.of_kind(kind)
        found[kind] = {
            name: " ".join(str(getattr(problems[task], name)) if task in problems else "0" for task in heldout)
            for name in ("correct", "n")
        }
    return found


def read_counts(row: Mapping[str, Any], heldout: Sequence[str]) -> Scores:
    """Return the scores from a row of the document, which holds what `counts` returned."""
    problems = []
    for kind in KINDS:
        numbers = [list(map(int, row[kind][name].split())) for name in ("n", "correct")]
        for task, n, correct in zip(heldout, *numbers, strict=True):
            problems.append(ProblemScore(task, kind, n, correct))
    return Scores(row["row"], tuple(problems), (1,))
