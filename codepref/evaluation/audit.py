"""Compares pairs with verdicts of true tests, and counts the pairs that are right.

The result does not influence pairing or training.
"""

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
from codepref.records import Message, Pair, Score, Verdict, VerdictMatrix


@dataclass(frozen=True, slots=True)
class RuleFigures:
    """The figures of the pairs of one rule.

    rule: the name of the rule, or "" for pairs without a rule. pairs: the number of its pairs. `Audit` describes the
    other figures.
    """

    rule: str
    pairs: int
    judged: int
    right: int
    inverted: int
    share_right: Score | None
    calibration_error: float | None


@dataclass(frozen=True)
class Audit:
    """Counts of pairs by the correctness of their two sides, and figures from them.

    right: the number of pairs whose chosen solution is correct and whose rejected solution is wrong. inverted: the
    number of pairs whose chosen solution is wrong and whose rejected solution is correct. both_pass, both_fail: the
    numbers of pairs with two correct solutions and with two wrong solutions. judged: the sum of these four numbers.
    unjudged: the number of pairs with a solution that has no verdict or whose correctness is unknown.
    share_right: the mean over problems of the share of right pairs among the judged ones, with an interval over
    problems. None if no pair was judged.
    inverted_pairs: (task_id, chosen_id, rejected_id) of each inverted pair. inverted_confidence: the confidences of
    these pairs, in the same order.
    kept: for several shares of the problems, the share of right pairs if only the problems with the highest confidence
    are kept; see `codepref.evaluation.precision.precision_by_share`.
    calibration: the confidence and the share of right pairs in each bin of confidence that holds a judged pair.
    calibration_error: the expected calibration error, or None if no pair was judged.
    shape: the figures that need no true tests.
    other_text: the number of pairs with an answer that does not contain the program of its verdict. The verdicts of
    such a pair may belong to other solutions. White space at the ends of the program does not count.
    rules: the figures for each rule, in the order of the rules' names. Empty without verdicts, and if the pairs come
    from fewer than two rules.
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
    rules: list[RuleFigures] = field(default_factory=list)


def audit_pairs(
    pairs: Sequence[Pair],
    verdicts: Iterable[VerdictMatrix] | None = None,
    *,
    problems_total: int | None = None,
    seed: int = 0,
) -> Audit:
    """Compare pairs with verdicts of true tests, and compute the figures that need no tests.

    verdicts: verdicts of the solutions in the pairs. They are matched by task_id and solution_id. None leaves the
    comparison out, and all pairs are unjudged. problems_total: the number of problems that could have given a pair. The
    shares in `Audit.kept` are shares of this number. None stands for the number of problems with a judged pair. seed:
    the seed of the bootstrap.
    Raises UserError for a confidence outside [0, 1]. With verdicts, raises UserError also for a `problems_total` below
    the number of problems with a judged pair. With verdicts and pairs, raises UserError also if the verdicts hold no
    task of the pairs, and if no pair has verdicts of both its solutions.
    """
    shape = pair_shape(pairs)
    if verdicts is None:
        return Audit(unjudged=len(pairs), shape=shape)
    results = _results(pairs, verdicts)
    counts = Counter(one.result for one in results)
    judged = _judged(results)
    inverted = [one.pair for one in results if one.result == "inverted"]
    rules = sorted({pair.rule for pair in pairs})
    return Audit(
        judged=len(judged),
        right=counts["right"],
        inverted=counts["inverted"],
        both_pass=counts["both_pass"],
        both_fail=counts["both_fail"],
        unjudged=counts["unjudged"],
        share_right=_share_right(judged, seed),
        inverted_pairs=[(pair.task_id, pair.chosen_id, pair.rejected_id) for pair in inverted],
        inverted_confidence=[pair.confidence for pair in inverted],
        other_text=sum(one.other_text for one in results),
        kept=precision_by_share(judged, problems_total, seed=seed),
        calibration=calibration_table(judged),
        calibration_error=_calibration_error(judged),
        shape=shape,
        rules=[_rule_figures(rule, [one for one in results if one.pair.rule == rule], seed) for rule in rules]
        if len(rules) > 1
        else [],
    )


@dataclass(frozen=True, slots=True)
class _Result:
    """A pair with its result by the verdicts.

    result: "right", "inverted", "both_pass", "both_fail" or "unjudged". other_text: whether an answer of the pair does
    not contain the program of its verdict.
    """

    pair: Pair
    result: str
    other_text: bool


def _results(pairs: Sequence[Pair], verdicts: Iterable[VerdictMatrix]) -> list[_Result]:
    """Return the result of each pair.

    With pairs, raises UserError if the verdicts hold no task of the pairs, or if no pair has verdicts of both its
    solutions.
    """
    by_solution: dict[tuple[str, int], Verdict] = {}
    for matrix in verdicts:
        by_solution |= {(matrix.task_id, verdict.solution_id): verdict for verdict in matrix.verdicts}
    tasks = {task_id for task_id, _ in by_solution}
    if pairs and not any(pair.task_id in tasks for pair in pairs):
        raise UserError("the verdicts hold none of the pairs' problems. Give verdicts of the solutions in the pairs")
    results, joined = [], 0
    for pair in pairs:
        chosen, rejected = (by_solution.get((pair.task_id, number)) for number in (pair.chosen_id, pair.rejected_id))
        joined += chosen is not None and rejected is not None
        other = not (_contains(pair.chosen, chosen) and _contains(pair.rejected, rejected))
        correct = (verdict.correct if verdict else None for verdict in (chosen, rejected))
        results.append(_Result(pair, _compare(*correct), other))
    if pairs and not joined:
        raise UserError(
            "the verdicts hold problems of the pairs, but no pair has verdicts of both its solutions. The chosen_id "
            "and the rejected_id of a pair must each be the solution_id of a verdict. Give verdicts of the solutions "
            "in the pairs"
        )
    return results


def _contains(answer: Iterable[Message], verdict: Verdict | None) -> bool:
    """Return whether an answer contains the program of its verdict. An answer without a verdict gives True."""
    return verdict is None or verdict.solution.strip() in "".join(message["content"] for message in answer)


def _compare(chosen: bool | None, rejected: bool | None) -> str:
    """Return the result of a pair from the correctness of its chosen and its rejected solution."""
    if chosen is None or rejected is None:
        return "unjudged"
    if chosen == rejected:
        return "both_pass" if chosen else "both_fail"
    return "right" if chosen else "inverted"


def _judged(results: Iterable[_Result]) -> list[Judged]:
    """Return the pairs whose result is not "unjudged"."""
    return [
        Judged(one.pair.task_id, one.pair.confidence, one.result == "right")
        for one in results
        if one.result != "unjudged"
    ]


def _rule_figures(rule: str, results: Sequence[_Result], seed: int) -> RuleFigures:
    counts = Counter(one.result for one in results)
    judged = _judged(results)
    return RuleFigures(
        rule,
        pairs=len(results),
        judged=len(judged),
        right=counts["right"],
        inverted=counts["inverted"],
        share_right=_share_right(judged, seed),
        calibration_error=_calibration_error(judged),
    )


def _calibration_error(judged: Sequence[Judged]) -> float | None:
    if not judged:
        return None
    confidence_N = np.array([one.confidence for one in judged])
    return expected_calibration_error(confidence_N, np.array([one.right for one in judged]))


def _share_right(judged: Iterable[Judged], seed: int) -> Score | None:
    by_task: dict[str, list[bool]] = {}
    for one in judged:
        by_task.setdefault(one.task_id, []).append(one.right)
    shares = [sum(right) / len(right) for right in by_task.values()]
    counts = [len(right) for right in by_task.values()]
    return score("share of right pairs", shares, counts, seed=seed) if shares else None
