"""What every rule takes and gives: a matrix that is safe to reason on in, candidate pairs or a reason for none out.

Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

RAISED, LATE = -1, -2
"""Answers that are none: an exception or a death; a time-out or a cell that was not run."""


def _no_answers() -> Ints:
    return np.empty((0, 0), dtype=np.int64)


def _no_places() -> Ints:
    return np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class RuleInput:
    """One problem's verdicts.

    passed_ST: True where solution s passed test t. failed_ST: True where it was seen to fail (F, E, T, M, X). A cell
    that was not run is neither, so nothing rests on it.
    weight_T: how often the model wrote each distinct test.
    form_S: the programs' normal forms, equal for the same answer.
    seed: for every choice among equals.
    answers_SA: what the solutions answered to A inputs, those of the tests and of the probes that come from them: equal
    numbers in a column for equal answers, RAISED, LATE. test_A: the place of the test that an input comes from;
    is_test_A: False for probes. A rule that knows verdicts alone does not look at them.
    """

    passed_ST: Bools
    failed_ST: Bools
    weight_T: Ints
    form_S: tuple[str, ...]
    seed: int = 0
    answers_SA: Ints = field(default_factory=_no_answers)
    test_A: Ints = field(default_factory=_no_places)
    is_test_A: Bools = field(default_factory=lambda: np.empty(0, dtype=np.bool_))

    def part(self, rows: Ints, columns: Ints, *, seed: int, weight_T: Ints | None = None) -> RuleInput:
        """Some solutions (a row may come twice) and some tests (each once) with their probes.

        weight_T: how often each of `columns` counts; None keeps the weights.
        """
        inputs = np.flatnonzero(np.isin(self.test_A, columns))
        place = {int(column): at for at, column in enumerate(columns)}
        return replace(
            self,
            passed_ST=self.passed_ST[np.ix_(rows, columns)],
            failed_ST=self.failed_ST[np.ix_(rows, columns)],
            weight_T=self.weight_T[columns] if weight_T is None else weight_T,
            form_S=tuple(self.form_S[row] for row in rows),
            seed=seed,
            answers_SA=self.answers_SA[np.ix_(rows, inputs)] if len(inputs) else _no_answers(),
            test_A=np.array([place[int(test)] for test in self.test_A[inputs]], dtype=np.int64),
            is_test_A=self.is_test_A[inputs],
        )


@dataclass(frozen=True)
class Candidate:
    """Rows (into RuleInput) of the better and the worse solution, and the tests to go with them, if the rule has any.

    confidence: in [0, 1], the rule's own belief; evidence: plain JSON values for reports.
    """

    chosen: int
    rejected: int
    confidence: float
    chosen_test: int | None = None
    rejected_test: int | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Choice:
    """A rule's answer: candidates, the most confident first, or none and the reason why."""

    candidates: tuple[Candidate, ...] = ()
    reason: str = ""


Rule = Callable[[RuleInput], Choice]
