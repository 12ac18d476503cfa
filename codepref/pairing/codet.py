"""CodeT's dual execution agreement (arXiv 2207.10397). Pure."""

from __future__ import annotations

import numpy as np

from codepref.pairing.consensus import best_against_worst, consensus_sets, unfit
from codepref.pairing.rules import Choice, RuleInput


def codet(given: RuleInput) -> Choice:
    """Solutions that pass the same tests form a set; its score is the square root of its solutions times its tests, as
    in the paper's experiments.

    A test counts as often as it was written. The paper ranks solutions; that the rejected one comes from the set of the
    lowest score is codepref's choice, and so is the confidence, the score's share of its maximum (all solutions, all
    tests), which is for sorting and not calibrated.

    Worked example: of 9 solutions 4 pass the same 6 of 10 tests: score sqrt(4) x 6 = 12 of sqrt(9) x 10 = 30, 0.4.
    """
    if reason := unfit(given):
        return Choice(reason=reason)
    sets = consensus_sets(given.passed_ST)
    score_C = np.array([np.sqrt(len(one.rows)) * given.weight_T[one.passed_T].sum() for one in sets])
    most = np.sqrt(len(given.passed_ST)) * given.weight_T.sum()
    return best_against_worst(given, sets, score_C, float(score_C.max() / most))
