"""Consensus sets, which are groups of solutions that pass the same tests. `codet` and `b4` score them. Pure.

The axis C in array names stands for consensus sets.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from codepref.pairing.rules.base import Bools, Candidate, Choice, Ints, RuleInput


@dataclass(frozen=True)
class ConsensusSet:
    """All solutions that pass exactly the same tests.

    rows: the indices of the solutions. passed_T: True for the tests that the solutions pass.
    """

    rows: Ints
    passed_T: Bools


def consensus_sets(passed_ST: Bools) -> list[ConsensusSet]:
    """Return all consensus sets, in the order of their first rows. Every solution belongs to exactly one set."""
    _, first, inverse = np.unique(passed_ST, axis=0, return_index=True, return_inverse=True)
    members = [np.flatnonzero(inverse.ravel() == number) for number in range(len(first))]
    return [ConsensusSet(rows, passed_ST[rows[0]]) for rows in sorted(members, key=lambda rows: int(rows[0]))]


def why_undecidable(verdicts: RuleInput) -> str:
    """Return the reason why `codet`, `b4` and `agreement` cannot make a pair of these solutions.

    The reason is "" if at least two solutions, a passed test and a failed test are present.
    """
    solutions, tests = verdicts.passed_ST.shape
    if tests == 0:
        return "no tests"
    if solutions < 2:
        return "fewer than two solutions"
    if not verdicts.passed_ST.any():
        return "no solution passes a test"
    if not verdicts.failed_ST.any():
        return "no solution fails a test"
    return ""


def best_against_worst(
    verdicts: RuleInput, sets: list[ConsensusSet], score_C: npt.NDArray[np.float64], confidence: float
) -> Choice:
    """Pair a solution of the best set with a solution that failed at least one of the tests that this set passes.

    The rejected solution comes from the set with the lowest score that has such a solution. The seed decides between
    sets with equal scores and between the solutions of a set. There is no pair if the best set passes no test, or
    if no solution failed a test that it passes.
    score_C: the score of each set. confidence: the confidence of the pair.
    """
    generator = np.random.default_rng(verdicts.seed)
    best = sets[int(generator.choice(np.flatnonzero(score_C == score_C.max())))]
    if not best.passed_T.any():
        return Choice(reason="the best solutions pass no test")
    fails_S: Bools = np.any(verdicts.failed_ST[:, best.passed_T], axis=1)
    failing = [(score, one.rows[fails_S[one.rows]]) for score, one in zip(score_C, sets, strict=True)]
    failing = [(score, rows) for score, rows in failing if len(rows)]
    if not failing:
        return Choice(reason="no solution fails a test that the best ones pass")
    lowest = min(score for score, _ in failing)
    rejected = generator.choice(np.concatenate([rows for score, rows in failing if score == lowest]))
    chosen = generator.choice(best.rows)
    evidence = {
        "agreeing_solutions": len(best.rows),
        "agreeing_tests": int(verdicts.weight_T[best.passed_T].sum()),
        "solutions": len(verdicts.passed_ST),
        "tests": int(verdicts.weight_T.sum()),
    }
    return Choice((Candidate(int(chosen), int(rejected), confidence, evidence=evidence),))
