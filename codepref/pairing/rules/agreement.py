"""The rule `agreement`: it chooses a solution whose answers many other solutions give too. Pure.

Most self-written tests of a weak model may be wrong, so the number of tests that a solution passes is weak evidence. It
is stronger evidence if many independent solutions give the same answers to many inputs. The number of tests that a
solution passes is compared only with that of other solutions of the problem, because the share of right tests differs
much between problems.
The rule is codepref's own and is not published elsewhere.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from codepref.pairing.rules.base import LATE, Bools, Candidate, Choice, Ints, PairingRule, RuleInput
from codepref.pairing.rules.consensus import why_undecidable

ODDS = 2.5
"""The factor `odds` of `confidence_of`. It was fitted to data; see `benchmarks/pairs/leave_out.py`. It changes the
confidence, but neither the pairs that this rule chooses nor their order by confidence."""
MAX_RAISING = 0.2
"""An input is left out if more than this share of the working solutions have RAISED or LATE in place of an answer.
Such an input is probably outside the problem. All inputs are used if fewer than three would remain."""


@dataclass(frozen=True)
class Group:
    """Solutions that gave the same answers to all inputs that are compared.

    rows: the indices of the solutions, those of the most frequent form first. share: their share of all solutions.
    tests_passed: the share of the tests that they pass on average, where each test counts as often as the model wrote
    it. relative_tests: tests_passed, divided by the largest share of tests that any solution of the problem passes.
    answers: their answers to these inputs, an array (A,).
    """

    rows: Ints
    share: float
    tests_passed: float
    relative_tests: float
    answers: Ints

    @property
    def score(self) -> float:
        """The value that compares groups: share x relative tests. It is 0 if all answers are the same."""
        return self.share * self.relative_tests if len(np.unique(self.answers)) > 1 else 0.0


def agreement(verdicts: RuleInput, *, max_pairs: int = 1) -> Choice:
    """Choose a solution of the group with the highest score, and reject solutions outside this group.

    The inputs are those of the tests and of their probes. Inputs that many working solutions do not answer are left
    out; see MAX_RAISING. A solution works if it answers more than half of the tests' inputs. A group is a set of
    working solutions that give the same answers. RAISED and LATE are compared like answers here.

    score of a group = its share of all solutions x the mean number of tests that its solutions pass / the largest
    number of tests that any solution passes

    A group that gives the same answer to all inputs has the score 0, because wrong programs often agree in one answer.

    The confidence rests on the same two factors; see `confidence_of`. It is meant to be calibrated: 80% of the pairs
    with a confidence of 0.8 should be right.

    `worst_first` decides which solutions are rejected.
    max_pairs: the largest number of pairs. The pairs have different rejected solutions. They use the forms of the
    chosen group in turn.
    """
    if reason := why_undecidable(verdicts):
        return Choice(reason=reason)
    works_S = working(verdicts)
    groups = groups_of(verdicts, works_S)
    if not groups or groups[0].score == 0:
        return Choice(reason="no working solution passes a test and gives more than one answer")
    best = groups[0]
    if len(best.rows) == len(works_S):
        return Choice(reason="all solutions give the same answers")
    rejected = worst_first(verdicts, best)
    if len(rejected) == 0:
        return Choice(reason="no solution is known to give other answers")
    confidence = confidence_of(len(best.rows), len(works_S), best.relative_tests)
    evidence = {
        "agreeing_solutions": len(best.rows),
        "solutions": len(works_S),
        "tests_passed": round(best.tests_passed, 4),
        "relative_tests": round(best.relative_tests, 4),
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


def confidence_of(members: int, solutions: int, relative_tests: float, odds: float = ODDS) -> float:
    """Return the confidence of a pair whose chosen solution belongs to a group of `members` of all `solutions`.

    share = (members - 1/2) / solutions estimates the chance that another solution of the model belongs to the group. It
    is the mean of a Beta posterior with the prior Beta(1/2, 1/2) of Jeffreys. The chosen solution is not counted, so
    members - 1 of solutions - 1 solutions belong to the group. With x = share x relative_tests:

    confidence / (1 - confidence) = odds x x / (1 - x)

    Example: 3 of 10 solutions that pass as many tests as any give x = 1/4, the odds 2.5 x 1/3 and the confidence 5/11.
    """
    x = (members - 0.5) / solutions * relative_tests
    return odds * x / (1 + (odds - 1) * x)


def working(verdicts: RuleInput) -> Bools:
    """Return an array (S,) that is True for the solutions that answer more than half of the tests' inputs."""
    works_S: Bools = (verdicts.answers_SA[:, verdicts.is_test_A] < 0).mean(axis=1) < 0.5
    return works_S


def groups_of(verdicts: RuleInput, works_S: Bools) -> list[Group]:
    """Return the groups of working solutions, the group with the highest score first."""
    answers_SA = verdicts.answers_SA[:, _sensible_inputs(verdicts, works_S)]
    rows = np.flatnonzero(works_S)
    distinct, inverse = np.unique(answers_SA[rows], axis=0, return_inverse=True)
    tests = max(1, int(verdicts.weight_T.sum()))
    most = max(1, int((verdicts.passed_ST @ verdicts.weight_T).max()))
    groups = []
    for number, answers in enumerate(distinct):
        members = rows[inverse.ravel() == number]
        passed = float((verdicts.passed_ST[members] @ verdicts.weight_T).mean())
        ordered = _most_frequent_first(verdicts, members)
        groups.append(Group(ordered, len(members) / len(works_S), passed / tests, passed / most, answers))
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


def worst_first(verdicts: RuleInput, group: Group) -> list[int]:
    """Return the solutions that may be rejected if the group is chosen: the worst first, and one for each form.

    The solutions outside the group are compared with the group's first solution. They are ordered by the share of tests
    that they fail, among the tests that the first solution passes. Among equals, the share of all inputs to which they
    give another answer decides. LATE does not count as another answer. Solutions for which both shares are 0 are left
    out, and so are solutions of the same form as the first solution.
    """
    chosen = group.rows[0]
    outside = np.setdiff1d(np.arange(len(verdicts.passed_ST)), group.rows)
    weight_T = verdicts.weight_T * verdicts.passed_ST[chosen]
    failing = verdicts.failed_ST[outside] @ weight_T / max(1, int(weight_T.sum()))
    own, others = verdicts.answers_SA[chosen], verdicts.answers_SA[outside]
    differing = ((others != own) & (others != LATE) & (own != LATE)).mean(axis=1)
    forms = {verdicts.form_S[chosen]}
    kept = []
    for place in np.lexsort((-differing, -failing)):
        row = int(outside[place])
        if verdicts.form_S[row] not in forms and failing[place] + differing[place] > 0:
            forms.add(verdicts.form_S[row])
            kept.append(row)
    return kept


RULE = PairingRule(agreement, tests="self-written", probes=True)
