"""Forms that the rule `agreement` could have. The last one resembles its earlier form, which had the most constants.

A form says how the groups of one problem are compared, and what the confidence grows with.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from benchmarks.pairs.measure import draws_of
from benchmarks.pairs.sources import Setting, Source
from codepref.pairing.rules.agreement import Group, groups_of, working, worst_first
from codepref.pairing.rules.base import RuleInput
from codepref.pairing.rules.consensus import why_undecidable


class Facts(NamedTuple):
    """What the forms know of a group.

    share: the group's share of all solutions. tests: the share of the tests that its solutions pass on average.
    relative: `tests` divided by the largest share of tests that any solution passes. variety: e / (e + 1), where e is
    the entropy, in nats, of the frequencies of the group's answers. others: (members - 1) / (solutions - 1), or 0 for a
    single solution. members: the number of solutions in the group. solutions: the number of all solutions.
    """

    share: float
    tests: float
    relative: float
    variety: float
    others: float
    members: int
    solutions: int


@dataclass(frozen=True)
class Form:
    """One form of the rule.

    constants: the number of constants that were fitted to data, without those that turn the sorting into a confidence.
    score: compares groups of one problem. The group with the highest positive score is chosen. trust: sorts the pairs
    of all problems.
    """

    name: str
    constants: int
    score: Callable[[Facts], float]
    trust: Callable[[Facts], float]


def _share(one: Facts) -> float:
    return one.share


FORMS = (
    Form("majority: share", 0, lambda one: one.share * (one.tests > 0), _share),
    Form("share x tests", 0, lambda one: one.share * one.tests, lambda one: one.share * one.tests),
    Form("share x relative tests", 0, lambda one: one.share * one.relative, lambda one: one.share * one.relative),
    Form("share x tests; share", 0, lambda one: one.share * one.tests, _share),
    Form("share x root of tests", 1, lambda one: one.share * one.tests**0.5, lambda one: one.share * one.tests**0.5),
    Form(
        "share x tests x variety; share x variety",
        1,
        lambda one: one.share * one.tests * one.variety,
        lambda one: one.share * one.variety,
    ),
    Form(
        "root of share x tests x variety; others^1.5 x tests^0.15 x variety",
        4,
        lambda one: one.share**0.5 * one.tests * one.variety,
        lambda one: one.others**1.5 * one.tests**0.15 * one.variety,
    ),
)
"""The forms, the simplest first. The last one resembles the rule as it was before this comparison."""


COLUMNS = 5
TRUST, RIGHT, MEMBERS, SOLUTIONS, RELATIVE = range(COLUMNS)
"""The columns of the answers of a form: what sorts the pairs, or -1 for no pair; whether the pair is right; the size of
the chosen group; the number of solutions; the relative tests of the group."""
Answers = dict[str, npt.NDArray[np.float64]]
"""For each form, an array (problems, draws, columns)."""


def form_answers(source: Source, setting: Setting) -> Answers:
    """Return what each form chooses for each problem and draw (see Answers). All forms get the same draws."""
    none = (-1.0, 0.0, 0.0, 0.0, 0.0)
    chosen = [_chosen(*drawn) if drawn else {} for drawn in draws_of(source, setting)]
    rows = {form.name: [one.get(form.name, none) for one in chosen] for form in FORMS}
    return {name: np.array(answers).reshape(-1, setting[2], len(none)) for name, answers in rows.items()}


def _chosen(verdicts: RuleInput, right_S: npt.NDArray[np.bool_]) -> dict[str, tuple[float, ...]]:
    """Return the columns of each form that makes a pair from one draw."""
    if why_undecidable(verdicts):
        return {}
    groups = [group for group in groups_of(verdicts, working(verdicts)) if len(np.unique(group.answers)) > 1]
    facts = [_facts(group, len(right_S)) for group in groups]
    right: dict[int, bool | None] = {}
    answers = {}
    for form in FORMS:
        scores = [form.score(one) for one in facts]
        if not scores or max(scores) <= 0:
            continue
        best = int(np.argmax(scores))
        if best not in right:
            right[best] = _is_right(verdicts, groups[best], right_S)
        pair_right = right[best]
        if pair_right is not None:
            one = facts[best]
            answers[form.name] = (form.trust(one), float(pair_right), one.members, one.solutions, one.relative)
    return answers


def _facts(group: Group, solutions: int) -> Facts:
    members = len(group.rows)
    others = (members - 1) / max(1, solutions - 1)
    variety = _variety(group.answers)
    return Facts(group.share, group.tests_passed, group.relative_tests, variety, others, members, solutions)


def _variety(answers: npt.NDArray[np.int64]) -> float:
    _, counts = np.unique(answers, return_counts=True)
    shares = counts / counts.sum()
    entropy = float(-(shares * np.log(shares)).sum())
    return entropy / (entropy + 1)


def _is_right(verdicts: RuleInput, group: Group, right_S: npt.NDArray[np.bool_]) -> bool | None:
    """Return whether the pair of a chosen group is right, or None if the group gives no pair."""
    rejected = worst_first(verdicts, group)
    return bool(right_S[group.rows[0]] and not right_S[rejected[0]]) if rejected else None
