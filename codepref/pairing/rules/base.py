"""The types of a pairing rule: its entry in the table, its input and its output. Pure.

Axes in array names: S solutions (or responses), T tests, A inputs (those of the tests, then those of the probes).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

RAISED, LATE = -1, -2
"""Codes in place of an answer. RAISED: an exception, the memory limit or a forbidden action. LATE: a timeout, or a cell
that did not run."""


@dataclass(frozen=True)
class PairingRule:
    """One entry of the table of rules.

    choose: a function from the input of one problem to a Choice. The input is a RatedInput if `ratings` is set, else a
    RuleInput. The function also receives those of the options `max_pairs`, `margin` and `correctness_pairs` that it
    names as keyword arguments; see `codepref.pairing.select.select_pairs` for their meaning.
    tests: which tests the rule relies on. "true": tests that are known to be right. "self-written": tests that a model
    wrote. "none": no tests.
    ratings: whether the rule reads a judge's ratings.
    probes: whether the rule compares answers to probes, which are calls beyond the tests.
    """

    choose: Callable[..., Choice]
    tests: Literal["true", "self-written", "none"]
    ratings: bool = False
    probes: bool = False

    @property
    def several(self) -> bool:
        """Whether the rule proposes several pairs for one problem, up to `max_pairs`."""
        return "max_pairs" in inspect.signature(self.choose).parameters

    def options(self, available: Mapping[str, Any]) -> dict[str, Any]:
        """Those of the `available` options that `choose` takes."""
        names = inspect.signature(self.choose).parameters
        return {name: value for name, value in available.items() if name in names}


def _no_answers() -> Ints:
    return np.empty((0, 0), dtype=np.int64)


def _no_indices() -> Ints:
    return np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class RuleInput:
    """The verdicts of one problem.

    passed_ST: True where solution s passed test t.
    failed_ST: True where solution s failed test t (code F, E, T, M or X). A cell that did not run is False in both
    arrays, so a rule draws no conclusion from it.
    weight_T: how often the model wrote each test.
    form_S: the normal form of each program. Programs with equal forms count as the same answer.
    seed: the seed of every random choice among equals.
    answers_SA: a number for the answer of solution s to input a, or RAISED or LATE. Equal numbers in a column are equal
    answers. test_A: the index of the test that the input belongs to. is_test_A: False for the inputs of probes. Only
    rules that compare answers use these three arrays.
    """

    passed_ST: Bools
    failed_ST: Bools
    weight_T: Ints
    form_S: tuple[str, ...]
    seed: int = 0
    answers_SA: Ints = field(default_factory=_no_answers)
    test_A: Ints = field(default_factory=_no_indices)
    is_test_A: Bools = field(default_factory=lambda: np.empty(0, dtype=np.bool_))

    def part(self, rows: Ints, columns: Ints, *, seed: int, weight_T: Ints | None = None) -> RuleInput:
        """The input for some of the solutions and some of the tests, with the probes of these tests.

        rows: indices of solutions, where an index may occur twice. columns: indices of tests, without repeats.
        weight_T: the weights of `columns`. None keeps the present weights.
        """
        inputs = np.flatnonzero(np.isin(self.test_A, columns))
        new_index = {int(column): index for index, column in enumerate(columns)}
        return replace(
            self,
            passed_ST=self.passed_ST[np.ix_(rows, columns)],
            failed_ST=self.failed_ST[np.ix_(rows, columns)],
            weight_T=self.weight_T[columns] if weight_T is None else weight_T,
            form_S=tuple(self.form_S[row] for row in rows),
            seed=seed,
            answers_SA=self.answers_SA[np.ix_(rows, inputs)] if len(inputs) else _no_answers(),
            test_A=np.array([new_index[int(test)] for test in self.test_A[inputs]], dtype=np.int64),
            is_test_A=self.is_test_A[inputs],
        )


@dataclass(frozen=True, slots=True)
class RatedInput:
    """The ratings of one problem's responses.

    rating_S: the judge's rating of each response, or None.
    correct_S: whether each response is correct by true tests, or None where that is unknown. Empty without tests.
    low, high: the ends of the scale. seed: the seed of every random choice among equals.
    """

    rating_S: tuple[float | None, ...]
    correct_S: tuple[bool | None, ...] = ()
    low: int = 1
    high: int = 5
    seed: int = 0


@dataclass(frozen=True)
class Candidate:
    """A pair that a rule proposes.

    chosen, rejected: rows of the better and the worse solution in the rule's input. confidence: in [0, 1], how sure the
    rule is. chosen_test, rejected_test: the tests that are appended to the two answers, for rules that also train on
    tests. evidence: facts for reports, as plain JSON values.
    """

    chosen: int
    rejected: int
    confidence: float
    chosen_test: int | None = None
    rejected_test: int | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Choice:
    """The output of a rule: candidates, or none and the reason for that."""

    candidates: tuple[Candidate, ...] = ()
    reason: str = ""
