"""The rule `codet`: it chooses solutions by CodeT's dual execution agreement (arXiv 2207.10397). Pure."""

from __future__ import annotations

import numpy as np

from codepref.pairing.rules.base import Choice, PairingRule, RuleInput
from codepref.pairing.rules.consensus import best_against_worst, consensus_sets, why_undecidable


def codet(verdicts: RuleInput) -> Choice:
    """Choose a solution of the consensus set with the highest score sqrt(solutions) x tests.

    Solutions that pass exactly the same tests form a consensus set. A test counts as often as the model wrote it. The
    authors' code uses the same score. The paper ranks solutions and makes no pairs. The rejected solution fails a test
    that the best set passes, and comes from the set with the lowest score that holds such a solution. The confidence is
    the score of the best set as a share of the score of a set with all solutions and all tests. The confidence is meant
    for sorting and is not calibrated.

    Example: of 9 solutions, 4 pass the same 6 of 10 tests. Their score is sqrt(4) x 6 = 12. The maximum is
    sqrt(9) x 10 = 30, so the confidence is 0.4.
    """
    if reason := why_undecidable(verdicts):
        return Choice(reason=reason)
    sets = consensus_sets(verdicts.passed_ST)
    score_C = np.array([np.sqrt(len(one.rows)) * verdicts.weight_T[one.passed_T].sum() for one in sets])
    maximum = np.sqrt(len(verdicts.passed_ST)) * verdicts.weight_T.sum()
    return best_against_worst(verdicts, sets, score_C, float(score_C.max() / maximum))


RULE = PairingRule(codet, tests="self-written")
