"""The rule `max-pass`: it pairs a solution that passes the most tests with one that fails the most tests. Pure."""

from __future__ import annotations

import numpy as np

from codepref.pairing.rules.base import Candidate, Choice, PairingRule, RuleInput


def max_pass(verdicts: RuleInput) -> Choice:
    """Choose a solution that passes the most tests, and reject a solution that fails the most tests.

    This is the usual baseline for choosing by self-written tests. A test counts as often as the model wrote it. The
    seed breaks ties. The confidence is the share of tests that the chosen solution passes. It is not calibrated. A cell
    that did not run might have been a pass. There is no pair if the rejected solution could have passed at least as
    many tests as the chosen solution did.
    """
    if verdicts.passed_ST.shape[1] == 0:
        return Choice(reason="no tests")
    if len(verdicts.passed_ST) < 2:
        return Choice(reason="fewer than two solutions")
    score_S = verdicts.passed_ST @ verdicts.weight_T
    # the largest possible number of passes, since a cell that did not run might have been a pass
    at_most_S = verdicts.weight_T.sum() - verdicts.failed_ST @ verdicts.weight_T
    best, worst = score_S.max(), at_most_S.min()
    if best == 0:
        return Choice(reason="no solution passes a test")
    if worst >= best:
        return Choice(reason="no solution is known to pass fewer tests than the best one")
    generator = np.random.default_rng(verdicts.seed)
    chosen = int(generator.choice(np.flatnonzero(score_S == best)))
    rejected = int(generator.choice(np.flatnonzero(at_most_S == worst)))
    tests = int(verdicts.weight_T.sum())
    evidence = {"chosen_passes": int(best), "rejected_passes": int(score_S[rejected]), "tests": tests}
    return Choice((Candidate(chosen, rejected, float(best) / tests, evidence=evidence),))


RULE = PairingRule(max_pass, tests="self-written")
