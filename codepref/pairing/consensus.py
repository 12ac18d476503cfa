"""Groups of solutions that pass exactly the same tests: what CodeT and B4 score. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from codepref.pairing.rules import Bools, Candidate, Choice, Ints, RuleInput


@dataclass(frozen=True)
class ConsensusSet:
    """Solutions that pass exactly the same tests. rows: their places. passed_T: the tests that they pass."""

    rows: Ints
    passed_T: Bools


def consensus_sets(passed_ST: Bools) -> list[ConsensusSet]:
    """All consensus sets, by the first of their rows; every solution is in one of them."""
    _, first, inverse = np.unique(passed_ST, axis=0, return_index=True, return_inverse=True)
    members = [np.flatnonzero(inverse.ravel() == number) for number in range(len(first))]
    return [ConsensusSet(rows, passed_ST[rows[0]]) for rows in sorted(members, key=lambda rows: int(rows[0]))]


def unfit(given: RuleInput) -> str:
    """Why no rule of agreement can choose among these solutions; "" when one can."""
    solutions, tests = given.passed_ST.shape
    if tests == 0:
        return "no tests"
    if solutions < 2:
        return "fewer than two solutions"
    if not given.passed_ST.any():
        return "no solution passes a test"
    if not given.failed_ST.any():
        return "no solution fails a test"
    return ""


def best_against_worst(
    given: RuleInput, sets: list[ConsensusSet], score_C: npt.NDArray[np.float64], confidence: float
) -> Choice:
    """A pair of one solution of the best set and one of the worst that was seen to fail one of the best set's tests.

    score_C: a score a set. Ties, and solutions within a set, are drawn with the seed. No pair where no solution was
    seen to fail such a test.
    """
    generator = np.random.default_rng(given.seed)
    best = sets[int(generator.choice(np.flatnonzero(score_C == score_C.max())))]
    if not best.passed_T.any():
        return Choice(reason="the best solutions pass no test")
    seen_S: Bools = np.any(given.failed_ST[:, best.passed_T], axis=1)
    losing = [(score, one.rows[seen_S[one.rows]]) for score, one in zip(score_C, sets, strict=True)]
    losing = [(score, rows) for score, rows in losing if len(rows)]
    if not losing:
        return Choice(reason="no solution fails a test that the best ones pass")
    least = min(score for score, _ in losing)
    rejected = generator.choice(np.concatenate([rows for score, rows in losing if score == least]))
    chosen = generator.choice(best.rows)
    evidence = {
        "agreeing_solutions": len(best.rows),
        "agreeing_tests": int(given.weight_T[best.passed_T].sum()),
        "solutions": len(given.passed_ST),
        "tests": int(given.weight_T.sum()),
    }
    return Choice((Candidate(int(chosen), int(rejected), confidence, evidence=evidence),))
