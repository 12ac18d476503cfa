"""Compares the verdicts of several systems, or of several runs, on the same samples. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

Verdict = dict[str, Any]
"""A verdict in the form that `benchmarks.systems` defines."""
Verdicts = Mapping[str, Sequence[Verdict]]
"""System -> one verdict for each sample."""


def disagreeing(verdicts: Verdicts) -> list[int]:
    """Return the indices of the samples that one system passes and another does not.

    Raises ValueError if the systems have different numbers of verdicts, since a verdict is then missing.
    """
    counts = {name: len(rows) for name, rows in verdicts.items()}
    if len(set(counts.values())) != 1:
        raise ValueError(f"the systems judged different samples: {counts}")
    rows = zip(*verdicts.values(), strict=True)
    return [index for index, row in enumerate(rows) if len({bool(verdict["passed"]) for verdict in row}) > 1]


def timed_out(verdicts: Verdicts) -> dict[int, list[str]]:
    """Return index of a sample -> the systems in which it times out. Samples that never time out are left out."""
    systems: dict[int, list[str]] = {}
    for name, rows in verdicts.items():
        for index, verdict in enumerate(rows):
            if verdict["timed_out"]:
                systems.setdefault(index, []).append(name)
    return dict(sorted(systems.items()))


def changed(before: Sequence[Verdict], after: Sequence[Verdict]) -> dict[str, Any]:
    """Count the samples that one system judges differently in a second run. The result has:

    status: the number of samples whose status changed.
    passed: the number of samples that passed in only one of the runs.
    moves: old and new status (each cut to 20 characters) -> number of samples, for the 12 most frequent changes.
    Raises ValueError if the runs have different numbers of verdicts.
    """
    if len(before) != len(after):
        raise ValueError("the two runs judged different samples")
    pairs = list(zip(before, after, strict=True))
    moves = Counter(f"{_short(a)} -> {_short(b)}" for a, b in pairs if a["status"] != b["status"])
    passed = sum(bool(a["passed"]) != bool(b["passed"]) for a, b in pairs)
    return {"status": sum(moves.values()), "passed": passed, "moves": dict(moves.most_common(12))}


def _short(verdict: Verdict) -> str:
    status = str(verdict["status"])
    return status if len(status) <= 20 else f"{status[:17]}..."


def agreement(verdicts: Verdicts) -> dict[str, int]:
    """Return the number of samples, of those on which all systems agree, and of those that pass in each system."""
    disagreements = disagreeing(verdicts)
    samples = len(next(iter(verdicts.values())))
    passed = {f"passed by {name}": sum(bool(verdict["passed"]) for verdict in rows) for name, rows in verdicts.items()}
    return {"samples": samples, "agree": samples - len(disagreements), **passed}
