"""Verdicts of two systems on the same samples, side by side. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

Verdict = dict[str, Any]
Verdicts = Mapping[str, Sequence[Verdict]]


def disagreeing(verdicts: Verdicts) -> list[int]:
    """The places of samples that one system passes and another does not.

    Raises ValueError when the systems judged different numbers of samples: a lost sample is no agreement.
    """
    if len({len(told) for told in verdicts.values()}) != 1:
        raise ValueError(f"the systems judged different samples: { ({k: len(v) for k, v in verdicts.items()}) }")
    rows = zip(*verdicts.values(), strict=True)
    return [at for at, row in enumerate(rows) if len({bool(verdict["passed"]) for verdict in row}) > 1]


def timed_out(verdicts: Verdicts) -> dict[int, list[str]]:
    """Place of a sample -> the systems whose own word is that it timed out."""
    found: dict[int, list[str]] = {}
    for name, told in verdicts.items():
        for at, verdict in enumerate(told):
            if verdict["timed_out"]:
                found.setdefault(at, []).append(name)
    return dict(sorted(found.items()))


def changed(before: Sequence[Verdict], after: Sequence[Verdict]) -> dict[str, Any]:
    """How many samples one system judges otherwise than before. `word`: its own word changed (a code of codepref's).
    `passed`: passing became not passing or the reverse. `moves`: from which word to which, the most frequent first.
    """
    if len(before) != len(after):
        raise ValueError("the two runs judged different samples")
    pairs = list(zip(before, after, strict=True))
    moves = Counter(f"{_short(a)} -> {_short(b)}" for a, b in pairs if a["word"] != b["word"])
    passed = sum(bool(a["passed"]) != bool(b["passed"]) for a, b in pairs)
    return {"word": sum(moves.values()), "passed": passed, "moves": dict(moves.most_common(12))}


def _short(verdict: Verdict) -> str:
    word = str(verdict["word"])
    return word if len(word) <= 20 else f"{word[:17]}..."


def agreement(verdicts: Verdicts) -> dict[str, int]:
    """Counts: samples, those on which all systems agree, and those that each system passes."""
    apart = disagreeing(verdicts)
    samples = len(next(iter(verdicts.values())))
    passed = {name: sum(bool(verdict["passed"]) for verdict in told) for name, told in verdicts.items()}
    return {"samples": samples, "agree": samples - len(apart), **{f"passed by {k}": v for k, v in passed.items()}}
