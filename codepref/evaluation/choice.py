"""Chooses problems by the verdicts of a model's own solutions. Pure.

Bounds on the share of right solutions and on the number of different verdicts decide. A problem that the model always
or never solves teaches little.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from codepref.records import INFRASTRUCTURE, SKIPPED, Problem, VerdictMatrix

BINS = 10
"""The number of bars of the histogram for pass rates between 0 and 1. The pass rates 0 and 1 have bars of their own."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What the verdicts of one problem's solutions show, and whether the problem is chosen.

    Attributes:
        pass_rate: the share of right solutions among those whose correctness is known, or None if there are none.
        distinct: the number of different strings of verdict codes among the solutions, without those that hold a code
            S or I.
        reason: why the problem is not chosen, or "" if it is chosen.
    """

    task_id: str
    pass_rate: float | None
    distinct: int
    reason: str


def choose_problems(
    problems: Sequence[Problem],
    matrices: Iterable[VerdictMatrix],
    *,
    min_pass_rate: float = 0.0,
    max_pass_rate: float = 1.0,
    min_distinct: int = 1,
) -> list[Choice]:
    """Return one Choice for each problem, in order.

    A problem is chosen if its pass rate is at least `min_pass_rate` and at most `max_pass_rate`, and if its solutions
    have at least `min_distinct` different verdicts, as `Choice.distinct` counts them. A problem without a pass rate is
    not chosen.
    """
    known = {matrix.task_id: matrix for matrix in matrices}
    choices = []
    for problem in problems:
        verdicts = known[problem.task_id].verdicts if problem.task_id in known else ()
        correct = [verdict.correct for verdict in verdicts if verdict.correct is not None]
        rate = sum(correct) / len(correct) if correct else None
        distinct = len({one.codes for one in verdicts if not {SKIPPED, INFRASTRUCTURE} & set(one.codes)})
        reason = ""
        if rate is None:
            reason = "no solution is known to be right or wrong"
        elif rate < min_pass_rate:
            reason = f"pass rate below {min_pass_rate:g}"
        elif rate > max_pass_rate:
            reason = f"pass rate above {max_pass_rate:g}"
        elif distinct < min_distinct:
            reason = f"fewer than {min_distinct} different verdicts"
        choices.append(Choice(problem.task_id, rate, distinct, reason))
    return choices


def histogram(choices: Iterable[Choice]) -> dict[str, int]:
    """Return the number of problems by their pass rate: 0, 1, and BINS equal intervals between them.

    An interval includes its lower end, but the first one excludes 0. Entries for no problem are missing. Problems
    without a pass rate are not counted.

    >>> histogram([Choice("a", 0.0, 1, ""), Choice("b", 0.25, 2, ""), Choice("c", 1.0, 1, "")])
    {'0': 1, '0.2 to 0.3': 1, '1': 1}
    """
    counts: Counter[int] = Counter()
    for choice in choices:
        if choice.pass_rate is not None:
            counts[_bin(choice.pass_rate)] += 1
    return {_label(at): counts[at] for at in sorted(counts)}


def _bin(rate: float) -> int:
    return -1 if rate == 0 else BINS if rate == 1 else min(int(rate * BINS), BINS - 1)


def _label(at: int) -> str:
    return "0" if at < 0 else "1" if at == BINS else f"{at / BINS:g} to {(at + 1) / BINS:g}"
