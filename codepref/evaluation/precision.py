"""Computes the share of right pairs for each share of problems kept, and for each bin of confidence. Pure."""

from __future__ import annotations

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
    """A pair that was judged by true tests.

    right: whether the chosen solution is correct and the rejected solution is wrong.
    """

    task_id: str
    confidence: float
    right: bool


@dataclass(frozen=True, slots=True)
class Kept:
    """The precision if only a share of the problems is kept, those with the highest confidence.

    share: a multiple of 0.1. problems: this share of the number of all problems, rounded down. pairs: the number of
    judged pairs of the kept problems. precision: the mean over the kept problems of the share of right pairs.
    """

    share: float
    problems: int
    pairs: int
    precision: Score


@dataclass(frozen=True, slots=True)
class Bin:
    """The pairs with a confidence in [low, high). The last bin includes its upper end.

    pairs: the number of these pairs. confidence: their mean confidence. right: the share of right pairs among them.
    interval: Wilson's interval of `right`.
    """

    low: float
    high: float
    pairs: int
    confidence: float
    right: float
    interval: tuple[float, float]


def precision_by_share(judged: Sequence[Judged], problems_total: int | None = None, *, seed: int = 0) -> list[Kept]:
    """Return the precision if only 10%, 20%, ... 100% of the problems are kept, those with the highest confidence.

    The confidence of a problem is the highest confidence of its pairs. Of problems with equal confidence, the problem
    that comes first in `judged` is kept first. problems_total: the number of problems that could have given a pair.
    None stands for the number of problems in `judged`. A share has no row if it amounts to less than one problem, or to
    more problems than the number with a judged pair. The interval is over problems; see
    `codepref.evaluation.estimators.score`. Raises UserError for a confidence outside [0, 1] and for a total below the
    number of problems in `judged`.
    """
    by_task: dict[str, list[Judged]] = {}
    for one in judged:
        _check(one)
        by_task.setdefault(one.task_id, []).append(one)
    total = len(by_task) if problems_total is None else problems_total
    if total < len(by_task):
        raise UserError(
            f"{len(by_task)} problems have a judged pair, which is more than problems_total = {total}. Give the number "
            "of all problems that could have given a pair"
        )
    ranked = sorted(by_task.values(), key=lambda pairs: -max(one.confidence for one in pairs))
    rows = []
    for tenth in range(1, TENTHS + 1):
        count = tenth * total // TENTHS
        if 0 < count <= len(ranked):
            kept = ranked[:count]
            shares = [sum(one.right for one in pairs) / len(pairs) for pairs in kept]
            counts = [len(pairs) for pairs in kept]
            precision = score("precision", shares, counts, seed=seed)
            rows.append(Kept(tenth / TENTHS, count, sum(counts), precision))
    return rows


def calibration_table(judged: Sequence[Judged], bins: int = 10) -> list[Bin]:
    """Return the bins of confidence that contain a pair, in order of confidence. All bins have equal width.

    Wilson's interval assumes that pairs are independent. It is too narrow if problems have many pairs.
    Raises UserError for a confidence outside [0, 1].
    """
    for one in judged:
        _check(one)
    confidence_N = np.array([one.confidence for one in judged], dtype=np.float64)
    right_N = np.array([one.right for one in judged], dtype=np.bool_)
    bin_N = bin_of(confidence_N, bins)
    table = []
    for number in np.unique(bin_N):
        inside_N = bin_N == number
        pairs, right = int(inside_N.sum()), float(right_N[inside_N].mean())
        mean = float(confidence_N[inside_N].mean())
        low, high = float(number) / bins, float(number + 1) / bins
        table.append(Bin(low, high, pairs, mean, right, wilson_interval(right, pairs)))
    return table


def _check(one: Judged) -> None:
    if not 0 <= one.confidence <= 1:
        raise UserError(
            f"a pair of {one.task_id!r} has the confidence {one.confidence}. A confidence must be between 0 and 1"
        )
