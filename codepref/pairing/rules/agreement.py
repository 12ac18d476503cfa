"""The rule `agreement`: it chooses a solution whose answers many other solutions give too. Pure.

Most self-written tests of a weak model may be wrong, so the number of tests that a solution passes is weak evidence. It
is stronger evidence that many independent solutions give the same answers to many inputs. The evidence grows with the
number of solutions and inputs, and with the variety of the answers. The rule uses the expected values of the tests as
additional evidence. The rule is codepref's own and is not published elsewhere.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from codepref.pairing.rules.base import LATE, Bools, Candidate, Choice, Ints, PairingRule, RuleInput
from codepref.pairing.rules.consensus import why_undecidable

Floats = npt.NDArray[np.float64]

SHARPNESS = 96.0
"""The support from another solution is the share of inputs with equal answers, raised to this power. A solution with
another answer to 1 of 100 inputs counts 0.38, and one with other answers to 5 of 100 inputs counts 0.007. The power is
not higher, because two right solutions may give different answers to inputs that make no sense for the problem.
"""
SUPPORT_TO_CHOOSE = 0.5
"""The exponent of the share in the score, which compares groups of one problem. CodeT's score (arXiv 2207.10397) has
the same square root. The share counts the solution itself, so the tests and the variety decide if no solutions agree.
"""
SUPPORT_TO_TRUST, TESTS_TO_TRUST = 1.5, 0.15
"""The exponents of the support and of the share of tests passed in the trust, which compares problems. The exponent of
the tests is small for two reasons. Solutions are independent draws, but the tests of a model repeat its misreadings of
the problem. The share of right tests also differs from problem to problem.
"""
VARIETY_HALF = 1.0
"""The entropy of a group's answers, in nats, at which its agreement counts half. Agreement counts less if the answers
vary less, because wrong programs also agree if a function has only one or two possible answers.
"""
NONE_RIGHT, FLOOR = 0.1, 0.1
"""NONE_RIGHT: the weight of the case that no solution is right, in the same unit as the trust of a group. FLOOR: the
lowest confidence of a pair."""
MAX_RAISING = 0.2
"""An input is left out if more than this share of the working solutions do not answer it, which means RAISED or LATE in
place of an answer. Such an input is probably outside the problem. All inputs are used if fewer than three would remain.
"""


@dataclass(frozen=True)
class Group:
    """Solutions that gave the same answers to all inputs that are compared.

    rows: the indices of the solutions, those of the most frequent form first. score: compares groups of one problem.
    trust: compares problems. support, tests_passed, variety: the factors of score and trust; see `agreement`.
    """

    rows: Ints
    score: float
    trust: float
    support: float
    tests_passed: float
    variety: float


def agreement(verdicts: RuleInput, *, max_pairs: int = 1) -> Choice:
    """Choose a solution of the group with the highest score, and reject solutions outside this group.

    The inputs are those of the tests and of their probes. Inputs that many working solutions do not answer are left
    out; see MAX_RAISING. A solution works if it answers more than half of the tests' inputs. A group is a set of
    working solutions that give the same answers. RAISED and LATE are compared like answers here. A group has these
    factors:

    - support: the mean over all other solutions of (share of inputs with equal answers)^SHARPNESS. A solution that does
      not work adds 0.
    - share: the same mean, if the solution itself is counted too.
    - tests passed: the share of tests passed, where each test counts as often as the model wrote it.
    - v = variety / (variety + VARIETY_HALF), where variety is the entropy of the group's answers.

    score = share^SUPPORT_TO_CHOOSE x tests passed x v
    trust = support^SUPPORT_TO_TRUST x (tests passed)^TESTS_TO_TRUST x v
    confidence = FLOOR + (1 - FLOOR) x trust of the chosen group / (sum of trust of all groups + NONE_RIGHT)

    The confidence is meant to be calibrated: 80% of the pairs with a confidence of 0.8 should be right.

    `_worst_first` decides which solutions are rejected. It gives most weight to failures in tests that the chosen
    solution passes.
    max_pairs: the largest number of pairs. The pairs have different rejected solutions. They use the
    forms of the chosen group in turn.
    """
    if reason := why_undecidable(verdicts):
        return Choice(reason=reason)
    works_S = (verdicts.answers_SA[:, verdicts.is_test_A] < 0).mean(axis=1) < 0.5
    groups = _groups(verdicts, works_S)
    if not groups or groups[0].score == 0:
        return Choice(reason="no working solution passes a test and answers more than one thing")
    best = groups[0]
    outside = np.setdiff1d(np.arange(len(works_S)), best.rows)
    if len(outside) == 0:
        return Choice(reason="all solutions answer alike")
    rejected = _worst_first(verdicts, int(best.rows[0]), outside)
    if len(rejected) == 0:
        return Choice(reason="no solution was seen to answer otherwise")
    confidence = FLOOR + (1 - FLOOR) * best.trust / (sum(group.trust for group in groups) + NONE_RIGHT)
    evidence = {
        "agreeing_solutions": len(best.rows),
        "solutions": len(works_S),
        "support": round(best.support, 4),
        "tests_passed": round(best.tests_passed, 4),
        "variety": round(best.variety, 4),
        "inputs": int(verdicts.answers_SA.shape[1]),
    }
    chosen = _one_per_form(verdicts, best.rows)
    count = min(max_pairs, len(rejected))
    return Choice(
        tuple(
            Candidate(int(chosen[number % len(chosen)]), int(rejected[number]), confidence, evidence=evidence)
            for number in range(count)
        )
    )


def _groups(verdicts: RuleInput, works_S: Bools) -> list[Group]:
    """Return the groups of working solutions, the group with the highest score first."""
    answers_SA = verdicts.answers_SA[:, _sensible_inputs(verdicts, works_S)]
    count = len(works_S)
    rows = np.flatnonzero(works_S)
    distinct, inverse, copies = np.unique(answers_SA[rows], axis=0, return_inverse=True, return_counts=True)
    tests = max(1, int(verdicts.weight_T.sum()))
    groups = []
    for number, answers in enumerate(distinct):
        alike = (distinct == answers).mean(axis=1) ** SHARPNESS
        support = max(0.0, (float(alike @ copies) - 1) / (count - 1))
        members = rows[inverse.ravel() == number]
        passed = float((verdicts.passed_ST[members] @ verdicts.weight_T).mean()) / tests
        variety = _entropy(answers)
        share = (support * (count - 1) + 1) / count
        score = share**SUPPORT_TO_CHOOSE * passed * variety / (variety + VARIETY_HALF)
        trust = support**SUPPORT_TO_TRUST * passed**TESTS_TO_TRUST * variety / (variety + VARIETY_HALF)
        groups.append(Group(_most_frequent_first(verdicts, members), score, trust, support, passed, variety))
    return sorted(groups, key=lambda group: (-group.score, int(group.rows.min())))


def _sensible_inputs(verdicts: RuleInput, works_S: Bools) -> Bools:
    """Return an array (A,) that is True for the inputs on which solutions are compared.

    Inputs that more than MAX_RAISING of the working solutions do not answer are left out. If fewer than three inputs
    would remain, all inputs are used.
    """
    if not works_S.any():
        return np.ones(verdicts.answers_SA.shape[1], dtype=np.bool_)
    kept_A: Bools = (verdicts.answers_SA[works_S] < 0).mean(axis=0) <= MAX_RAISING
    return kept_A if kept_A.sum() >= 3 else np.ones_like(kept_A)


def _entropy(answers: Ints) -> float:
    _, counts = np.unique(answers, return_counts=True)
    shares = counts / counts.sum()
    return float(-(shares * np.log(shares)).sum())


def _most_frequent_first(verdicts: RuleInput, rows: Ints) -> Ints:
    """Return the rows, those of the most frequent form first, then those of the next most frequent form, and so on."""
    forms = Counter(verdicts.form_S[row] for row in rows)
    order = sorted(rows, key=lambda row: (-forms[verdicts.form_S[row]], verdicts.form_S[row], row))
    return np.array(order, dtype=np.int64)


def _one_per_form(verdicts: RuleInput, rows: Ints) -> list[int]:
    """Return the first row of each form, in the order of `rows`."""
    first: dict[str, int] = {}
    for row in rows:
        first.setdefault(verdicts.form_S[row], int(row))
    return list(first.values())


def _worst_first(verdicts: RuleInput, chosen: int, outside: Ints) -> list[int]:
    """Return the solutions that may be rejected, the worst first, and one for each form.

    chosen: the index of the chosen solution. outside: the indices of the solutions outside its group.
    The solutions are ordered by a sum of 4 x (the share of failed tests among those that the chosen solution passes),
    2 x (the share of tests with another answer) and the share of all inputs with another answer. LATE does not count as
    another answer. Solutions for which the sum is 0 and solutions of the chosen solution's form are left out.
    """
    passed_T = verdicts.passed_ST[chosen]
    weight_T = verdicts.weight_T * passed_T
    failing = verdicts.failed_ST[outside] @ weight_T / max(1, int(weight_T.sum()))
    own, others = verdicts.answers_SA[chosen], verdicts.answers_SA[outside]
    differs = (others != own) & (others != LATE) & (own != LATE)
    in_tests = differs[:, verdicts.is_test_A].mean(axis=1)
    key = 4 * failing + 2 * in_tests + differs.mean(axis=1)
    worse = key > 0
    order = outside[worse][np.argsort(-key[worse], kind="stable")]
    forms = {verdicts.form_S[chosen]}
    kept = []
    for row in order:
        if verdicts.form_S[row] not in forms:
            forms.add(verdicts.form_S[row])
            kept.append(int(row))
    return kept


RULE = PairingRule(agreement, tests="self-written", probes=True)
