"""The types of a pairing rule: its entry in the table, its input and its output. Pure.

Axes in array names: S solutions (or responses), T tests, A inputs (those of the tests, then those of the probes), R
repeats of a measurement.
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
Floats = npt.NDArray[np.float64]

RAISED, LATE = -1, -2
"""The numbers that replace a missing answer. RAISED: the verdict code of the cell is E, M or X, as after an exception.
LATE: the code is T, S or I, so that nothing is known of the answer."""


@dataclass(frozen=True)
class PairingRule:
    """One entry of the table of rules.

    choose: a function that takes the input of one problem and returns a Choice. The input is a RatedInput if `ratings`
    is True, else a RuleInput. If the function has a keyword argument `max_pairs`, it receives the limit of pairs for
    one problem. A function that takes a RuleInput also receives the options `max_edit_share`, `speed_factor`,
    `min_cpu_ms` and `correctness_pairs` if it has keyword arguments of these names. A function that takes a RatedInput
    receives `margin` and `correctness_pairs` in the same way. `codepref.pairing.pair.pair` and
    `codepref.pairing.pair_rated.pair_rated` describe these options.
    tests: the tests that the rule relies on. "true": tests that come with the problem. "self-written": tests that a
    model wrote. "none": no tests.
    ratings: whether the rule reads a judge's ratings.
    probes: whether the rule compares answers to probes, which are calls beyond the tests.
    speed: whether the rule compares measured CPU times.
    """

    choose: Callable[..., Choice]
    tests: Literal["true", "self-written", "none"]
    ratings: bool = False
    probes: bool = False
    speed: bool = False

    @property
    def several(self) -> bool:
        """Whether `choose` has a parameter `max_pairs`, so that the rule may propose several pairs for one problem."""
        return "max_pairs" in inspect.signature(self.choose).parameters

    def options(self, available: Mapping[str, Any]) -> dict[str, Any]:
        """Return those of the `available` options whose names are parameters of `choose`."""
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
    failed_ST: True where solution s failed test t (code F, E, T, M or X). A cell with the code S or I is False in both
    arrays, since it says nothing about the solution.
    weight_T: how often the model wrote each test. It is 1 for a true test.
    form_S: the normal form of each program; see `codepref.problems.normalise.normal_form`.
    program_S: the text of each program. It may be empty for a rule that does not read it.
    cpu_SR: the CPU milliseconds of each solution in each repeat of a measurement, or NaN for a solution that was not
    measured. It is empty if nothing was measured.
    seed: the seed of every random choice.

    The three other arrays are for rules that compare answers.
    answers_SA: a number for the answer of solution s to input a, or RAISED or LATE. Answers with equal numbers in a
    column count as equal. test_A: the index of the test to which each input belongs, or -1 if this RuleInput lacks the
    test. is_test_A: True for the inputs of tests, False for those of probes.
    """

    passed_ST: Bools
    failed_ST: Bools
    weight_T: Ints
    form_S: tuple[str, ...]
    seed: int = 0
    answers_SA: Ints = field(default_factory=_no_answers)
    test_A: Ints = field(default_factory=_no_indices)
    is_test_A: Bools = field(default_factory=lambda: np.empty(0, dtype=np.bool_))
    program_S: tuple[str, ...] = ()
    cpu_SR: Floats = field(default_factory=lambda: np.empty((0, 0), dtype=np.float64))

    def part(self, rows: Ints, columns: Ints, *, seed: int, weight_T: Ints | None = None) -> RuleInput:
        """Return the input for some of the solutions and some of the tests, with the probes of these tests.

        rows: indices of solutions. An index may occur more than once. columns: indices of tests, without repeats.
        weight_T: new weights for the tests in `columns`. None keeps their present weights.
        """
        inputs = np.flatnonzero(np.isin(self.test_A, columns))
        new_index = {int(column): index for index, column in enumerate(columns)}
        return replace(
            self,
            passed_ST=self.passed_ST[np.ix_(rows, columns)],
            failed_ST=self.failed_ST[np.ix_(rows, columns)],
            weight_T=self.weight_T[columns] if weight_T is None else weight_T,
            form_S=tuple(self.form_S[row] for row in rows),
            program_S=tuple(self.program_S[row] for row in rows) if self.program_S else (),
            cpu_SR=self.cpu_SR[rows] if self.cpu_SR.size else self.cpu_SR,
            seed=seed,
            answers_SA=self.answers_SA[np.ix_(rows, inputs)] if len(inputs) else _no_answers(),
            test_A=np.array([new_index[int(test)] for test in self.test_A[inputs]], dtype=np.int64),
            is_test_A=self.is_test_A[inputs],
        )


@dataclass(frozen=True, slots=True)
class RatedInput:
    """The ratings of one problem's responses.

    rating_S: the value of each response by the judge's ratings, or None for an unjudged response. The value is a score,
    a rating, or the mean of two ratings; see `codepref.pairing.pair_rated.pair_rated`.
    correct_S: whether each response is correct by true tests, or None where that is unknown. It may be empty for a rule
    that uses no tests.
    low, high: the ends of the rating scale. seed: the seed of every random choice.
    """

    rating_S: tuple[float | None, ...]
    correct_S: tuple[bool | None, ...] = ()
    low: int = 1
    high: int = 5
    seed: int = 0


@dataclass(frozen=True)
class Candidate:
    """A pair that a rule proposes.

    chosen, rejected: the rows of the better and of the worse solution in the rule's input. confidence: in [0, 1], how
    sure the rule is of the pair. chosen_test, rejected_test: the indices of the tests that are appended to the two
    answers, or None for answers without a test. evidence: facts for reports, as plain JSON values.
    """

    chosen: int
    rejected: int
    confidence: float
    chosen_test: int | None = None
    rejected_test: int | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Choice:
    """The output of a rule for one problem.

    reason: why there is no candidate, or "". A rule that makes two sorts of pairs may give candidates of one sort and
    the reason why there are none of the other sort.
    """

    candidates: tuple[Candidate, ...] = ()
    reason: str = ""
