"""codepref's own rule: solutions that answer alike, in the tests and far beyond what these expect.

Most self-written tests of a weak model are wrong, so how many of them a solution passes says little. That many
solutions, written apart from each other, answer alike says more, the more so the more inputs they were asked and the
more the answers differ from input to input. The tests' expectations are a further voice, not the judge.

Pure.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from codepref.pairing.consensus import unfit
from codepref.pairing.rules import LATE, Bools, Candidate, Choice, Ints, RuleInput

Floats = npt.NDArray[np.float64]

SHARPNESS = 96.0
"""Another solution counts by the share of inputs on which it answers alike, to this power: one that differs on one
input of a hundred counts 0.38, one that differs on five 0.007. Right solutions differ on inputs that make no sense.
"""
SUPPORT_TO_CHOOSE = 0.5
"""Within a problem: the root of the share that answers alike times the share of tests passed, CodeT's weights
(arXiv 2207.10397). Here a solution counts for itself: where none agree, the tests decide.
"""
SUPPORT_TO_TRUST, TESTS_TO_TRUST = 1.5, 0.15
"""Across problems: support is evidence of independent draws, while the tests of one model repeat its misreadings, and
what share of them is right differs more by problem than by solution.
"""
VARIETY_HALF = 1.0
"""Entropy of the answers, in nats, at which agreement counts half: on a function that always answers the same, or one
of two things, wrong programs agree as well.
"""
NONE_RIGHT, FLOOR = 0.1, 0.1
"""The weight of no solution being right, beside the groups' trust; and what a pair without any agreement is worth."""
MOST_RAISING = 0.2
"""An input on which more than this share of the solutions that work raise is none that the problem means."""


@dataclass(frozen=True)
class Group:
    """Solutions that answered alike. rows: their places, of the most frequent form first.

    score: by which one is chosen within the problem; trust: by which it is compared with other problems'.
    """

    rows: Ints
    score: float
    trust: float
    support: float
    tests_passed: float
    variety: float


def agreement(given: RuleInput, *, max_pairs: int = 1) -> Choice:
    """Choose from the solutions that agree best; reject those that fail most of the tests that these pass.

    With v = variety / (variety + VARIETY_HALF), the score of a group is share^SUPPORT_TO_CHOOSE x tests passed x v
    and its trust support^SUPPORT_TO_TRUST x (share of tests passed)^TESTS_TO_TRUST x v. The confidence is the chosen
    group's trust over the sum of all groups' and NONE_RIGHT, scaled to begin at FLOOR. Support is the mean over all
    other solutions of (share of inputs answered alike)^SHARPNESS, of which a solution alone has none; share counts
    the solution itself too. Inputs are those of the
    tests and their probes, without those that working solutions raise on. A solution that raises or ends late in half
    of the tests is no candidate. max_pairs: the further pairs take other forms of the same group and further rejected
    solutions.

    The confidence is meant to be calibrated: of pairs at 0.8, eight in ten are right.
    """
    if reason := unfit(given):
        return Choice(reason=reason)
    works_S = (given.answers_SA[:, given.is_test_A] < 0).mean(axis=1) < 0.5
    groups = _groups(given, works_S)
    if not groups or groups[0].score == 0:
        return Choice(reason="no working solution passes a test and answers more than one thing")
    best = groups[0]
    outside = np.setdiff1d(np.arange(len(works_S)), best.rows)
    if len(outside) == 0:
        return Choice(reason="all solutions answer alike")
    rejected = _worst_first(given, int(best.rows[0]), outside)
    if len(rejected) == 0:
        return Choice(reason="no solution was seen to answer otherwise")
    confidence = FLOOR + (1 - FLOOR) * best.trust / (sum(group.trust for group in groups) + NONE_RIGHT)
    evidence = {
        "agreeing_solutions": len(best.rows),
        "solutions": len(works_S),
        "support": round(best.support, 4),
        "tests_passed": round(best.tests_passed, 4),
        "variety": round(best.variety, 4),
        "inputs": int(given.answers_SA.shape[1]),
    }
    chosen = _one_a_form(given, best.rows)
    count = min(max_pairs, len(rejected))
    return Choice(
        tuple(
            Candidate(int(chosen[at % len(chosen)]), int(rejected[at]), confidence, evidence=evidence)
            for at in range(count)
        )
    )


def _groups(given: RuleInput, works_S: Bools) -> list[Group]:
    """The groups of working solutions, the best first."""
    answers_SA = given.answers_SA[:, _sensible(given, works_S)]
    count = len(works_S)
    rows = np.flatnonzero(works_S)
    distinct, inverse, copies = np.unique(answers_SA[rows], axis=0, return_inverse=True, return_counts=True)
    tests = max(1, int(given.weight_T.sum()))
    groups = []
    for number, answers in enumerate(distinct):
        alike = (distinct == answers).mean(axis=1) ** SHARPNESS
        support = max(0.0, (float(alike @ copies) - 1) / (count - 1))
        mine = rows[inverse.ravel() == number]
        passed = float((given.passed_ST[mine] @ given.weight_T).mean()) / tests
        variety = _entropy(answers)
        share = (support * (count - 1) + 1) / count
        score = share**SUPPORT_TO_CHOOSE * passed * variety / (variety + VARIETY_HALF)
        trust = support**SUPPORT_TO_TRUST * passed**TESTS_TO_TRUST * variety / (variety + VARIETY_HALF)
        groups.append(Group(_common_first(given, mine), score, trust, support, passed, variety))
    return sorted(groups, key=lambda group: (-group.score, int(group.rows.min())))


def _sensible(given: RuleInput, works_S: Bools) -> Bools:
    """Which inputs solutions are compared on: all, where leaving some out would leave next to nothing."""
    if not works_S.any():
        return np.ones(given.answers_SA.shape[1], dtype=np.bool_)
    kept_A: Bools = (given.answers_SA[works_S] < 0).mean(axis=0) <= MOST_RAISING
    return kept_A if kept_A.sum() >= 3 else np.ones_like(kept_A)


def _entropy(answers: Ints) -> float:
    _, counts = np.unique(answers, return_counts=True)
    shares = counts / counts.sum()
    return float(-(shares * np.log(shares)).sum())


def _common_first(given: RuleInput, rows: Ints) -> Ints:
    """Rows of the most frequent form first: what the model writes most is what it means, and seldom the slow way."""
    forms = Counter(given.form_S[row] for row in rows)
    order = sorted(rows, key=lambda row: (-forms[given.form_S[row]], given.form_S[row], row))
    return np.array(order, dtype=np.int64)


def _one_a_form(given: RuleInput, rows: Ints) -> list[int]:
    first: dict[str, int] = {}
    for row in rows:
        first.setdefault(given.form_S[row], int(row))
    return list(first.values())


def _worst_first(given: RuleInput, chosen: int, outside: Ints) -> list[int]:
    """Solutions that answered otherwise, one a form, those first that fail most of the tests that the chosen passes,
    then those that differ most in the tests and in all inputs. What differs by lateness alone proves nothing.
    """
    passed_T = given.passed_ST[chosen]
    weight_T = given.weight_T * passed_T
    failing = given.failed_ST[outside] @ weight_T / max(1, int(weight_T.sum()))
    mine, others = given.answers_SA[chosen], given.answers_SA[outside]
    differs = (others != mine) & (others != LATE) & (mine != LATE)
    in_tests = differs[:, given.is_test_A].mean(axis=1)
    key = 4 * failing + 2 * in_tests + differs.mean(axis=1)
    seen = key > 0
    order = outside[seen][np.argsort(-key[seen], kind="stable")]
    forms = {given.form_S[chosen]}
    kept = []
    for row in order:
        if given.form_S[row] not in forms:
            forms.add(given.form_S[row])
            kept.append(int(row))
    return kept
