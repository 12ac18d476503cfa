"""The rules `dstc` and `dstc-code`: minimax selection of code and self-written tests (arXiv 2411.13611). Pure."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from codepref.pairing.rules.base import Candidate, Choice, PairingRule, RuleInput


def dstc(verdicts: RuleInput) -> Choice:
    """Choose a solution and a test, and reject a solution and a test, by DSTC's minimax rule.

    r(j, k) is 1 if solution j passes test k, and 0 otherwise.

    chosen solution  j' = argmax_j sum_k r(j, k)
    chosen test      k' = argmin_k sum_j r(j, k)   among the tests that j' passes
    rejected test    k* = argmax_k sum_j r(j, k)   among the tests that at least one solution fails
    rejected solution j* = argmin_j sum_k r(j, k)  among the solutions that fail k*

    The rule is the paper's. codepref decides what the published text leaves open:

    - A test that the model wrote w times counts w times in a sum over k. Repeated solutions are separate rows.
    - The seed breaks ties in an argmax or argmin, so the order of sampling gives no solution an advantage.
    - There is no pair if there are no tests or fewer than two solutions, if j' passes no test, if no solution fails a
      test, or if j' and j* pass equally many tests.
    - A cell that did not run is neither a pass nor a failure, so j* has failed k* in a cell that ran.
    - The confidence is the difference in the share of tests passed, (sum_k r(j', k) - sum_k r(j*, k)) / K. K is the
      number of tests, and counts a test w times too. The paper has no confidence. This one is meant for sorting and is
      not calibrated.
    """
    passed_ST, weight_T = verdicts.passed_ST, verdicts.weight_T
    solutions, tests = passed_ST.shape
    if tests == 0:
        return Choice(reason="no tests")
    if solutions < 2:
        return Choice(reason="fewer than two solutions")
    generator = np.random.default_rng(verdicts.seed)
    score_S = passed_ST @ weight_T
    popularity_T = passed_ST.sum(axis=0)
    best = _pick(score_S, np.full(solutions, True), generator, largest=True)
    if score_S[best] == 0:
        return Choice(reason="no solution passes a test")
    chosen_test = _pick(popularity_T, passed_ST[best], generator, largest=False)
    contested_T: npt.NDArray[np.bool_] = np.any(verdicts.failed_ST, axis=0)
    if not contested_T.any():
        return Choice(reason="no solution fails a test")
    rejected_test = _pick(popularity_T, contested_T, generator, largest=True)
    worst = _pick(score_S, verdicts.failed_ST[:, rejected_test], generator, largest=False)
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


def dstc_code(verdicts: RuleInput) -> Choice:
    """Choose and reject the same solutions as `dstc`. The answers of a pair hold these solutions and no tests."""
    choice = dstc(verdicts)
    return Choice(
        tuple(Candidate(c.chosen, c.rejected, c.confidence, evidence=c.evidence) for c in choice.candidates),
        choice.reason,
    )


def _pick(
    values: npt.NDArray[np.int64], allowed: npt.NDArray[np.bool_], generator: np.random.Generator, *, largest: bool
) -> int:
    """Return the index of the largest or smallest of the allowed values. The generator decides between equal values."""
    indices = np.flatnonzero(allowed)
    extreme = values[indices].max() if largest else values[indices].min()
    return int(generator.choice(indices[values[indices] == extreme]))


RULE = PairingRule(dstc, tests="self-written")
CODE_RULE = PairingRule(dstc_code, tests="self-written")
