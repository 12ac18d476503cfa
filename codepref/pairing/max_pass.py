"""The solution that passes most tests against the one that passes fewest."""

from __future__ import annotations

import numpy as np

from codepref.pairing.rules import Candidate, Choice, RuleInput


def max_pass(given: RuleInput) -> Choice:
    """The baseline of the papers on choosing by self-written tests: the count of tests passed, each as often as it was
    written. Ties are drawn with the seed; confidence is the share of tests that the chosen one passes. No pair where
    both pass equally many.
    """
    if given.passed_ST.shape[1] == 0:
        return Choice(reason="no tests")
    if len(given.passed_ST) < 2:
        return Choice(reason="fewer than two solutions")
    score_S = given.passed_ST @ given.weight_T
    # of a cell that was not run it is not known whether it would count against the rejected one
    most_S = given.weight_T.sum() - given.failed_ST @ given.weight_T
    best, worst = score_S.max(), most_S.min()
    if best == 0:
        return Choice(reason="no solution passes a test")
    if worst >= best:
        return Choice(reason="chosen and rejected pass equally many tests")
    generator = np.random.default_rng(given.seed)
    chosen = int(generator.choice(np.flatnonzero(score_S == best)))
    rejected = int(generator.choice(np.flatnonzero(most_S == worst)))
    tests = int(given.weight_T.sum())
    evidence = {"chosen_passes": int(best), "rejected_passes": int(score_S[rejected]), "tests": tests}
    return Choice((Candidate(chosen, rejected, float(best) / tests, evidence=evidence),))
