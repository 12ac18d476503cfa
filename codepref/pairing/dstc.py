"""DSTC's minimax selection over self-written code and tests (arXiv 2411.13611). Pure."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from codepref.pairing.rules import Candidate, Choice, RuleInput


def dstc(given: RuleInput) -> Choice:
    """One pair of (code, test) by DSTC's minimax rule. With r(j, k) = 1 when solution j passes test k:

    chosen solution  j' = argmax_j sum_k r(j, k)
    chosen test      k' = argmin_k sum_j r(j, k)   among the tests that j' passes
    rejected test    k* = argmax_k sum_j r(j, k)   among the tests that not every solution passes
    rejected solution j* = argmin_j sum_k r(j, k)  among the solutions that fail k*

    The rule is the paper's. codepref's choices, where its public text is silent:

    - A test that the model wrote w times counts w times in sums over k; repeated solutions are rows of their own.
    - Ties in an argmax or argmin are broken by the seed among the equals, not by the order of sampling.
    - No pair when j' passes no test, when every solution passes every test, or when j' and j* pass equally many:
      a tie gives no label.
    - j* must have been seen to fail k*; a cell that was not run does not count as failed.
    - confidence = (sum_k r(j', k) - sum_k r(j*, k)) / K: the difference in the share of tests passed. The paper has
      none; this one is for sorting, and is not calibrated.
    """
    passed_ST, weight_T = given.passed_ST, given.weight_T
    solutions, tests = passed_ST.shape
    if tests == 0:
        return Choice(reason="no tests")
    if solutions < 2:
        return Choice(reason="fewer than two solutions")
    generator = np.random.default_rng(given.seed)
    score_S = passed_ST @ weight_T
    popularity_T = passed_ST.sum(axis=0)
    best = _pick(score_S, np.full(solutions, True), generator, largest=True)
    if score_S[best] == 0:
        return Choice(reason="no solution passes a test")
    chosen_test = _pick(popularity_T, passed_ST[best], generator, largest=False)
    contested_T: npt.NDArray[np.bool_] = np.any(given.failed_ST, axis=0)
    if not contested_T.any():
        return Choice(reason="no solution fails a test")
    rejected_test = _pick(popularity_T, contested_T, generator, largest=True)
    worst = _pick(score_S, given.failed_ST[:, rejected_test], generator, largest=False)
    if score_S[worst] == score_S[best]:
        return Choice(reason="chosen and rejected pass equally many tests")
    confidence = float(score_S[best] - score_S[worst]) / float(weight_T.sum())
    evidence = {
        "chosen_passes": int(score_S[best]),
        "rejected_passes": int(score_S[worst]),
        "tests": int(weight_T.sum()),
        "chosen_test_passed_by": int(popularity_T[chosen_test]),
        "rejected_test_passed_by": int(popularity_T[rejected_test]),
        "solutions": solutions,
    }
    return Choice((Candidate(best, worst, confidence, chosen_test, rejected_test, evidence),))


def dstc_code(given: RuleInput) -> Choice:
    """DSTC's solutions without its tests: the same selection, code alone as the answers."""
    choice = dstc(given)
    return Choice(
        tuple(Candidate(c.chosen, c.rejected, c.confidence, evidence=c.evidence) for c in choice.candidates),
        choice.reason,
    )


def _pick(
    values: npt.NDArray[np.int64], allowed: npt.NDArray[np.bool_], generator: np.random.Generator, *, largest: bool
) -> int:
    places = np.flatnonzero(allowed)
    extreme = values[places].max() if largest else values[places].min()
    return int(generator.choice(places[values[places] == extreme]))
