"""What every rule takes and gives: a matrix that is safe to reason on in, candidate pairs or a reason for none out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class RuleInput:
    """One problem's verdicts.

    passed_ST: True where solution s passed test t. failed_ST: True where it was seen to fail (F, E, T, M, X). A cell
    that was not run is neither, so nothing rests on it.
    weight_T: how often the model wrote each distinct test.
    form_S: the programs' normal forms, equal for the same answer.
    seed: for every choice among equals.
    """

    passed_ST: Bools
    failed_ST: Bools
    weight_T: Ints
    form_S: tuple[str, ...]
    seed: int = 0


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
