"""The rule `b4`: it chooses solutions by the Bayesian posterior of B4 (arXiv 2409.08692). Pure."""

from __future__ import annotations

import math

import numpy as np

from codepref.pairing.rules.base import Choice, PairingRule, RuleInput
from codepref.pairing.rules.consensus import ConsensusSet, best_against_worst, consensus_sets, why_undecidable

BETA_0, ALPHA_XY = 1e4, 1e3
"""Parameters of the priors. The published command of the paper has beta_0 from 1e4 to 1e6, and alpha_xy = 1e3."""


def b4(verdicts: RuleInput) -> Choice:
    """Choose a solution of the consensus set with the highest posterior, in the paper's approximation.

    The posterior of a set is that of the assumption that exactly its solutions, and the tests that they pass, are
    right. It is a product of four Beta integrals: over the share of right solutions, over the share of right tests,
    over how often wrong solutions pass right tests, and over how often wrong solutions pass wrong tests. A test counts
    as often as the model wrote it. The rejected solution is selected as in `codet`, by the posterior. The confidence is
    CodeT's score of the best set (the first of several with the same posterior) as a share of the largest possible
    score. The confidence is meant for sorting and is not calibrated.
    """
    if reason := why_undecidable(verdicts):
        return Choice(reason=reason)
    sets = consensus_sets(verdicts.passed_ST)
    score_C = np.array([log_posterior(verdicts, one) for one in sets])
    best = sets[int(score_C.argmax())]
    agreement = math.sqrt(len(best.rows)) * float(verdicts.weight_T[best.passed_T].sum())
    maximum = math.sqrt(len(verdicts.passed_ST)) * float(verdicts.weight_T.sum())
    return best_against_worst(verdicts, sets, score_C, agreement / maximum)


def log_posterior(verdicts: RuleInput, candidate: ConsensusSet) -> float:
    """Return the logarithm of the posterior of a consensus set, without a constant that all sets of a problem share."""
    solutions, tests = len(verdicts.passed_ST), int(verdicts.weight_T.sum())
    right_tests = int(verdicts.weight_T[candidate.passed_T].sum())
    others = np.delete(verdicts.passed_ST, candidate.rows, axis=0)
    on_right = int((others[:, candidate.passed_T] @ verdicts.weight_T[candidate.passed_T]).sum())
    on_wrong = int((others[:, ~candidate.passed_T] @ verdicts.weight_T[~candidate.passed_T]).sum())
    return (
        _log_beta(len(candidate.rows) + ALPHA_XY, solutions - len(candidate.rows) + 1)
        + _log_beta(right_tests + ALPHA_XY, tests - right_tests + 1)
        + _log_beta(on_right + 1, len(others) * right_tests - on_right + 1)
        + _log_beta(on_wrong + 1, len(others) * (tests - right_tests) - on_wrong + BETA_0)
    )


def _log_beta(first: float, second: float) -> float:
    return math.lgamma(first) + math.lgamma(second) - math.lgamma(first + second)


RULE = PairingRule(b4, tests="self-written")
