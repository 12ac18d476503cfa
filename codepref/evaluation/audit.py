"""How right pairs are, given verdicts of true tests. Nothing here feeds back into pairing or training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from codepref.errors import UserError
from codepref.evaluation.calibration import expected_calibration_error
from codepref.evaluation.estimators import score
from codepref.evaluation.pair_shape import Shape, pair_shape
from codepref.evaluation.precision import Bin, Judged, Kept, calibration_table, precision_by_share
from codepref.records import INFRASTRUCTURE, PASS, Message, Pair, Score, Verdict, VerdictMatrix


@dataclass(frozen=True, slots=True)
class OfRule:
    """Figures of the pairs of one rule ("" where a pair names none); see Audit for their meaning."""

    rule: str
    pairs: int
    judged: int
    right: int
    inverted: int
    share_right: Score | None
    calibration_error: float | None


@dataclass(frozen=True)
class Audit:
    """Counts of pairs by what the true tests say of their two sides.

    right: the chosen passes, the rejected does not. inverted: the other way round. both_pass and both_fail: the tests
    see no difference. judged: the sum of the four. unjudged: pairs whose solutions have no verdict, or an
    infrastructure failure. share_right: mean over problems of a problem's share of right pairs, with its interval over
    problems; None when nothing was judged. inverted_pairs: (task_id, chosen_id, rejected_id).
    kept: precision when only the surest problems are kept. calibration: confidence against what is right, by bins;
    calibration_error: the expected calibration error, None when nothing was judged. shape: what needs no true tests.
    inverted_confidence: of `inverted_pairs`, in their order. other_text: pairs with an answer that does not hold the
    program that the verdicts judged: they may belong to other solutions. rules: figures by rule, by its name, when the
    pairs are of more than one.
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
    inverted_confidence: list[float] = field(default_factory=list)
    other_text: int = 0
    rules: list[OfRule] = field(default_factory=list)


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
    Raises UserError when no pair's task is among the verdicts (they belong to other problems) or no pair's two
    solutions are, for a confidence outside [0, 1], and for a `problems_total` below the number of problems judged.
    """
    shape = pair_shape(pairs)
    if verdicts is None:
        return Audit(unjudged=len(pairs), shape=shape)
    found = _judge(pairs, verdicts)
    outcomes = Counter(one.outcome for one in found)
    judged = [Judged(one.pair.task_id, one.pair.confidence, one.outcome == "right") for one in _known(found)]
    inverted = [one.pair for one in found if one.outcome == "inverted"]
    rules = sorted({pair.rule for pair in pairs})
    return Audit(
        judged=len(judged),
        right=outcomes["right"],
        inverted=outcomes["inverted"],
        both_pass=outcomes["both_pass"],
        both_fail=outcomes["both_fail"],
        unjudged=outcomes["unjudged"],
        share_right=_share_right(found, seed),
        inverted_pairs=[(pair.task_id, pair.chosen_id, pair.rejected_id) for pair in inverted],
        inverted_confidence=[pair.confidence for pair in inverted],
        other_text=sum(one.other_text for one in found),
        kept=precision_by_share(judged, problems_total, seed=seed),
        calibration=calibration_table(judged),
        calibration_error=_calibration_error(judged),
        shape=shape,
        rules=[_of_rule(rule, [one for one in found if one.pair.rule == rule], seed) for rule in rules]
        if len(rules) > 1
        else [],
    )


@dataclass(frozen=True, slots=True)
class _Found:
    pair: Pair
    outcome: str
    other_text: bool


def _judge(pairs: Sequence[Pair], verdicts: Iterable[VerdictMatrix]) -> list[_Found]:
    known: dict[tuple[str, int], Verdict] = {}
    for matrix in verdicts:
        known |= {(matrix.task_id, verdict.solution_id): verdict for verdict in matrix.verdicts}
    tasks = {task_id for task_id, _ in known}
    if pairs and not any(pair.task_id in tasks for pair in pairs):
        raise UserError("the verdicts hold none of the pairs' problems: give the verdicts of the same solutions")
    found, joined = [], 0
    for pair in pairs:
        chosen, rejected = (known.get((pair.task_id, at)) for at in (pair.chosen_id, pair.rejected_id))
        joined += chosen is not None and rejected is not None
        other = not (_holds(pair.chosen, chosen) and _holds(pair.rejected, rejected))
        found.append(_Found(pair, _outcome(_passes(chosen), _passes(rejected)), other))
    if pairs and not joined:
        raise UserError(
            "the verdicts hold the pairs' problems but none of their solutions: pairs are joined by chosen_id and "
            "rejected_id with solution_id, so give pairs that hold them and the verdicts of the same solutions"
        )
    return found


def _passes(verdict: Verdict | None) -> bool | None:
    if verdict is None or not verdict.codes or INFRASTRUCTURE in verdict.codes:
        return None
    return set(verdict.codes) == {PASS}


def _holds(answer: Iterable[Message], verdict: Verdict | None) -> bool:
    return verdict is None or verdict.solution.strip() in "".join(message["content"] for message in answer)


def _known(found: Iterable[_Found]) -> list[_Found]:
    return [one for one in found if one.outcome != "unjudged"]


def _of_rule(rule: str, found: Sequence[_Found], seed: int) -> OfRule:
    outcomes = Counter(one.outcome for one in found)
    judged = [Judged(one.pair.task_id, one.pair.confidence, one.outcome == "right") for one in _known(found)]
    return OfRule(
        rule,
        pairs=len(found),
        judged=len(judged),
        right=outcomes["right"],
        inverted=outcomes["inverted"],
        share_right=_share_right(found, seed),
        calibration_error=_calibration_error(judged),
    )


def _calibration_error(judged: Sequence[Judged]) -> float | None:
    if not judged:
        return None
    confidence_N = np.array([one.confidence for one in judged])
    return expected_calibration_error(confidence_N, np.array([one.right for one in judged]))


def _outcome(chosen: bool | None, rejected: bool | None) -> str:
    if chosen is None or rejected is None:
        return "unjudged"
    if chosen == rejected:
        return "both_pass" if chosen else "both_fail"
    return "right" if chosen else "inverted"


def _share_right(found: Iterable[_Found], seed: int) -> Score | None:
    by_task: dict[str, list[bool]] = {}
    for one in _known(found):
        by_task.setdefault(one.pair.task_id, []).append(one.outcome == "right")
    shares = [sum(right) / len(right) for right in by_task.values()]
    counts = [len(right) for right in by_task.values()]
    return score("share of right pairs", shares, counts, seed=seed) if shares else None
