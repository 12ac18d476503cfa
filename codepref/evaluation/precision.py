"""Right pairs against the share of problems kept, and against what the confidence promised. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from codepref.errors import UserError
from codepref.evaluation.calibration import bin_of
from codepref.evaluation.estimators import score, wilson_interval
from codepref.records import Score

TENTHS = 10


@dataclass(frozen=True, slots=True)
class Judged:
    """A pair that true tests have judged. right: the chosen passes them all and the rejected does not."""

    task_id: str
    confidence: float
    right: bool


@dataclass(frozen=True, slots=True)
class Kept:
    """The surest problems and their pairs. precision: the mean over problems of a problem's share of right pairs."""

    share: float
    problems: int
    pairs: int
    precision: Score


@dataclass(frozen=True, slots=True)
class Bin:
    """The pairs with a confidence in [low, high), the last bin with its end. interval: Wilson's, of `right`."""

    low: float
    high: float
    pairs: int
    confidence: float
    right: float
    interval: tuple[float, float]


def precision_by_share(judged: Sequence[Judged], problems_total: int | None = None, *, seed: int = 0) -> list[Kept]:
    """Precision when only the surest 10%, 20%, ... 100% of the problems are kept.

    A problem is as sure as its surest pair; equals keep the order given. problems_total: how many problems could have
    given a pair; None for those in `judged`. Shares of less than one problem, or of more problems than have a judged
    pair, have no row. The interval is over problems: see `codepref.evaluation.estimators.score`.
    Raises UserError for a confidence outside [0, 1] and for a total below the number of problems judged.
    """
    by_task: dict[str, list[Judged]] = {}
    for one in judged:
        _check(one)
        by_task.setdefault(one.task_id, []).append(one)
    total = len(by_task) if problems_total is None else problems_total
    if total < len(by_task):
        raise UserError(f"the pairs are of {len(by_task)} problems, which is more than the {total} given in all")
    surest = sorted(by_task.values(), key=lambda found: -max(one.confidence for one in found))
    rows = []
    for tenth in range(1, TENTHS + 1):
        count = math.floor(tenth * total / TENTHS)
        if 0 < count <= len(surest):
            kept = surest[:count]
            shares = [sum(one.right for one in found) / len(found) for found in kept]
            counts = [len(found) for found in kept]
            precision = score("precision", shares, counts, seed=seed)
            rows.append(Kept(tenth / TENTHS, count, sum(counts), precision))
    return rows


def calibration_table(judged: Sequence[Judged], bins: int = 10) -> list[Bin]:
    """The bins of equal width that hold a pair, the lowest confidence first.

    Wilson's interval takes pairs as independent; where a problem has many pairs it is too narrow.
    Raises UserError for a confidence outside [0, 1].
    """
    for one in judged:
        _check(one)
    confidence_N = np.array([one.confidence for one in judged], dtype=np.float64)
    right_N = np.array([one.right for one in judged], dtype=np.bool_)
    places_N = bin_of(confidence_N, bins)
    table = []
    for place in np.unique(places_N):
        mine = places_N == place
        pairs, right = int(mine.sum()), float(right_N[mine].mean())
        mean = float(confidence_N[mine].mean())
        low, high = float(place) / bins, float(place + 1) / bins
        table.append(Bin(low, high, pairs, mean, right, wilson_interval(right, pairs)))
    return table


def _check(one: Judged) -> None:
    if not 0 <= one.confidence <= 1:
        raise UserError(f"a pair of {one.task_id!r} has confidence {one.confidence}: it must lie between 0 and 1")
