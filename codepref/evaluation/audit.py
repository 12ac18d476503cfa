"""How right pairs are, given verdicts of true tests. Nothing here feeds back into pairing or training."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from codepref.errors import UserError
from codepref.evaluation.estimators import score
from codepref.evaluation.pair_shape import Shape, pair_shape
from codepref.evaluation.precision import Bin, Judged, Kept, calibration_table, precision_by_share
from codepref.records import INFRASTRUCTURE, PASS, Pair, Score, VerdictMatrix


@dataclass(frozen=True)
class Audit:
    """Counts of pairs by what the true tests say of their two sides.

    right: the chosen passes, the rejected does not. inverted: the other way round. both_pass and both_fail: the tests
    see no difference. judged: the sum of the four. unjudged: pairs whose solutions have no verdict, or an
    infrastructure failure. share_right: mean over problems of a problem's share of right pairs, with its interval over
    problems; None when nothing was judged. inverted_pairs: (task_id, chosen_id, rejected_id).
    kept: precision when only the surest problems are kept. calibration: confidence against what is right, by bins;
    calibration_error: the expected calibration error, None when nothing was judged. shape: what needs no true tests.
    """

    judged: int = 0
    right: int = 0
    inverted: int = 0
    both_pass: int = 0
    both_fail: int = 0
    unjudged: int = 0
    share_right: Score | None = None
    inverted_pairs: list[tuple[str, int, int]] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)
    calibration: list[Bin] = field(default_factory=list)
    calibration_error: float | None = None
    shape: Shape | None = None


def audit_pairs(
    pairs: Sequence[Pair],
    verdicts: Iterable[VerdictMatrix] | None = None,
    *,
    problems_total: int | None = None,
    seed: int = 0,
) -> Audit:
    """Compare pairs with verdicts of true tests, joined by task_id and solution_id; and say what needs no tests.

    verdicts: None leaves the comparison out. problems_total: how many problems could have given a pair, for precision
    against the share of problems kept; None for those that did.
    Raises UserError when no pair's task is among the verdicts (they belong to other problems), and for a confidence
    outside [0, 1].
    """
    if verdicts is None:
        return Audit(unjudged=len(pairs), shape=pair_shape(pairs))
    passed: dict[tuple[str, int], bool | None] = {}
    for matrix in verdicts:
        for verdict in matrix.verdicts:
            unknown = not verdict.letters or INFRASTRUCTURE in verdict.letters
            passed[matrix.task_id, verdict.solution_id] = None if unknown else set(verdict.letters) == {PASS}
    known_tasks = {task_id for task_id, _ in passed}
    if pairs and not any(pair.task_id in known_tasks for pair in pairs):
        raise UserError("the verdicts hold none of the pairs' problems: give the verdicts of the same solutions")
    outcomes: dict[str, list[tuple[str, Pair]]] = {}
    for pair in pairs:
        chosen = passed.get((pair.task_id, pair.chosen_id))
        rejected = passed.get((pair.task_id, pair.rejected_id))
        outcomes.setdefault(pair.task_id, []).append((_outcome(chosen, rejected), pair))
    every = [outcome for found in outcomes.values() for outcome, _ in found]
    judged = [
        Judged(task, pair.confidence, outcome == "right")
        for task, found in outcomes.items()
        for outcome, pair in found
        if outcome != "unjudged"
    ]
    table = calibration_table(judged)
    return Audit(
        judged=sum(outcome != "unjudged" for outcome in every),
        right=every.count("right"),
        inverted=every.count("inverted"),
        both_pass=every.count("both_pass"),
        both_fail=every.count("both_fail"),
        unjudged=every.count("unjudged"),
        share_right=_share_right(outcomes, seed),
        kept=precision_by_share(judged, problems_total, seed=seed),
        calibration=table,
        calibration_error=sum(b.pairs * abs(b.confidence - b.right) for b in table) / len(judged) if judged else None,
        shape=pair_shape(pairs),
        inverted_pairs=[
            (pair.task_id, pair.chosen_id, pair.rejected_id)
            for found in outcomes.values()
            for outcome, pair in found
            if outcome == "inverted"
        ],
    )


def _outcome(chosen: bool | None, rejected: bool | None) -> str:
    if chosen is None or rejected is None:
        return "unjudged"
    if chosen == rejected:
        return "both_pass" if chosen else "both_fail"
    return "right" if chosen else "inverted"


def _share_right(outcomes: dict[str, list[tuple[str, Pair]]], seed: int) -> Score | None:
    shares, counts = [], []
    for found in outcomes.values():
        judged = [outcome for outcome, _ in found if outcome != "unjudged"]
        if judged:
            shares.append(judged.count("right") / len(judged))
            counts.append(len(judged))
    return score("share of right pairs", shares, counts, seed=seed) if shares else None
