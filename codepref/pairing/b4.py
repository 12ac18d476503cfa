"""B4: the Bayesian choice among plausible solutions with plausible tests (arXiv 2409.08692). Pure."""

from __future__ import annotations

import math

import numpy as np

from codepref.pairing.consensus import ConsensusSet, best_against_worst, consensus_sets, unfit
from codepref.pairing.rules import Choice, RuleInput

BETA_0, ALPHA_XY = 1e4, 1e3
"""Priors in the middle of the ranges of the paper's published command (beta_0 of 1e4 to 1e6, alpha_xy of 1e3)."""


def b4(given: RuleInput) -> Choice:
    """The consensus set that the paper's approximate posterior favours: taking its solutions and the tests that they
    pass for the right ones, four Beta integrals over what is then known of the share of right solutions, of right
    tests, and of how often wrong solutions pass right and wrong tests.

    A test counts as often as it was written. As in `codet`, the rejected solution is from the set of the lowest score,
    and the confidence, which is for sorting only, is the agreement's share of its maximum.
    """
    if reason := unfit(given):
        return Choice(reason=reason)
    sets = consensus_sets(given.passed_ST)
    score_C = np.array([log_posterior(given, one) for one in sets])
    best = sets[int(score_C.argmax())]
    agreement = math.sqrt(len(best.rows)) * float(given.weight_T[best.passed_T].sum())
    most = math.sqrt(len(given.passed_ST)) * float(given.weight_T.sum())
    return best_against_worst(given, sets, score_C, agreement / most)


def log_posterior(given: RuleInput, one: ConsensusSet) -> float:
    """The logarithm of the posterior of a consensus set, up to a constant of the problem."""
    solutions, tests = len(given.passed_ST), int(given.weight_T.sum())
    right_tests = int(given.weight_T[one.passed_T].sum())
    others = np.delete(given.passed_ST, one.rows, axis=0)
    on_right = int((others[:, one.passed_T] @ given.weight_T[one.passed_T]).sum())
    on_wrong = int((others[:, ~one.passed_T] @ given.weight_T[~one.passed_T]).sum())
    return (
        _log_beta(len(one.rows) + ALPHA_XY, solutions - len(one.rows) + 1)
        + _log_beta(right_tests + ALPHA_XY, tests - right_tests + 1)
        + _log_beta(on_right + 1, len(others) * right_tests - on_right + 1)
        + _log_beta(on_wrong + 1, len(others) * (tests - right_tests) - on_wrong + BETA_0)
    )


def _log_beta(first: float, second: float) -> float:
    return math.lgamma(first) + math.lgamma(second) - math.lgamma(first + second)
