"""The rule `agreement`, codepref's own: the solutions that give the same answers most often. Pure.

Most of a weak model's self-written tests are wrong, so the number of tests that a solution passes says little. It says
more that many independent solutions give the same answers, and it says the more, the more inputs they answered and the
more these answers vary. The expected values of the tests are one further piece of evidence.
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
"""The support that another solution gives is the share of inputs with equal answers, to this power. A solution that
differs on 1 of 100 inputs counts 0.38, one that differs on 5 counts 0.007. The power is not higher because right
solutions differ on inputs that make no sense.
"""
SUPPORT_TO_CHOOSE = 0.5
"""The exponent of the share within a problem: sqrt(share) x tests passed, the weights of CodeT (arXiv 2207.10397). The
share counts the solution itself, so that the tests decide where no two solutions agree.
"""
SUPPORT_TO_TRUST, TESTS_TO_TRUST = 1.5, 0.15
"""The exponents of support and of the share of tests passed, for comparing problems. Solutions are independent draws,
whereas the tests of one model repeat its misreadings. The share of right tests differs more between problems than
between solutions of a problem.
"""
VARIETY_HALF = 1.0
"""The entropy of the answers, in nats, at which agreement counts half. Wrong programs also agree on a function that
always gives the same one or two answers.
"""
NONE_RIGHT, FLOOR = 0.1, 0.1
"""NONE_RIGHT: the weight of the case that no solution is right, beside the trust of the groups. FLOOR: the confidence
of a pair without any agreement."""
MAX_RAISING = 0.2
"""An input is left out if more than this share of the working solutions raise on it: the problem does not mean it."""


@dataclass(frozen=True)
class Group:
    """Solutions that gave the same answers to all inputs.

    rows: their indices, those of the most frequent form first. score: for the choice within the problem. trust: for the
    comparison with other problems. support, tests_passed, variety: the factors of both; see `agreement`.
    """

    rows: Ints
    score: float
    trust: float
    support: float
    tests_passed: float
    variety: float


def agreement(verdicts: RuleInput, *, max_pairs: int = 1) -> Choice:
    """Choose from the group that agrees best. Reject solutions that fail most of the tests that the chosen one passes.

    The inputs are those of the tests and of their probes, without those on which many working solutions raise. A
    solution works if it answers more than half of the tests' inputs. A group is a set of working solutions with the
    same answers. Its factors:

    - support: the mean over all other solutions of (share of inputs with equal answers)^SHARPNESS. Without any similar
      solution it is 0. The share used in the score also counts the solution itself.
    - tests passed: the share of tests passed, where each test counts as often as the model wrote it.
    - v = variety / (variety + VARIETY_HALF), where variety is the entropy of the group's answers.

    score = share^SUPPORT_TO_CHOOSE x tests passed x v
    trust = support^SUPPORT_TO_TRUST x (tests passed)^TESTS_TO_TRUST x v
    confidence = FLOOR + (1 - FLOOR) x trust of the chosen group / (sum of trust of all groups + NONE_RIGHT)

    The confidence is meant to be calibrated: of the pairs at 0.8, eight in ten should be right.
    max_pairs: further pairs take other forms of the chosen group and other rejected solutions.
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
    """The groups of working solutions, the highest score first."""
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
    """Array (A,): True for the inputs on which solutions are compared, without those on which many solutions raise.

    If fewer than three inputs would remain, all of them are used.
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
    """The rows by falling frequency of their form: the program that a model writes most often is rarely a slow one."""
    forms = Counter(verdicts.form_S[row] for row in rows)
    order = sorted(rows, key=lambda row: (-forms[verdicts.form_S[row]], verdicts.form_S[row], row))
    return np.array(order, dtype=np.int64)


def _one_per_form(verdicts: RuleInput, rows: Ints) -> list[int]:
    """The first row of each form."""
    first: dict[str, int] = {}
    for row in rows:
        first.setdefault(verdicts.form_S[row], int(row))
    return list(first.values())


def _worst_first(verdicts: RuleInput, chosen: int, outside: Ints) -> list[int]:
    """The solutions that may be rejected, the worst first, one for each form.

    A solution's place depends on 4 x (share of the chosen one's passed tests that it fails) + 2 x (share of tests with
    another answer) + (share of inputs with another answer). Late answers do not count as other answers. Solutions for
    which the sum is 0 are left out.
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
