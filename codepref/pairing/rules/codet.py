"""The rule `codet`: CodeT's dual execution agreement (arXiv 2207.10397). Pure."""

from __future__ import annotations

import numpy as np

from codepref.pairing.rules.base import Choice, PairingRule, RuleInput
from codepref.pairing.rules.consensus import best_against_worst, consensus_sets, why_undecidable


def codet(verdicts: RuleInput) -> Choice:
    """Choose from the consensus set with the highest score sqrt(solutions) x tests, as in the paper's experiments.

    Solutions that pass the same tests form a consensus set. A test counts as often as the model wrote it. The paper
    ranks solutions and makes no pairs. codepref takes the rejected solution from the set with the lowest score. The
    confidence is the score as a share of its maximum (all solutions, all tests). It is meant for sorting and is not
    calibrated.

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
