"""The records that the stages hand to each other. Frozen, plain, importable without numpy-heavy or torch-heavy code.

Codes of axes in names: P problems, S solutions, T tests.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

PASS, FAIL, ERROR, TIMEOUT, MEMORY, FORBIDDEN, SKIPPED, INFRASTRUCTURE = "PFETMXSI"
VERDICT_CODES = "PFETMXSI"
"""Pass, fail (the test's assertion), error (an exception), timeout, memory, forbidden (the sandbox refused),
skipped (not run), infrastructure (our fault)."""

ANSWER_DIGEST_BYTES = 4
"""Bytes of the digest of what a solution answered in one test."""

Style = Literal["complete", "instruct", "program"]
TestKind = str
"""A name of the table `codepref.problems.kinds.KINDS`."""
Isolation = Literal["separate", "shared"]
Message = dict[str, str]
"""One chat message: {"role": ..., "content": ...}."""


@dataclass(frozen=True, slots=True)
class Test:
    """One test of one problem.

    kind "asserts": `source` is Python statements that call the entry point by name.
    kind "check": `source` defines `check(candidate)`, as HumanEval does.
    kind "inputs": `source` is a JSON document of inputs for the entry point; see `codepref.problems.inputs`.
    kind "unittest": `source` defines unittest.TestCase classes; they run in one process with the solution.
    kind "stdio": `source` is JSON, {"input": text, "output": text}; the solution is a program that reads the input.
    count: how often the model wrote it; tests that are alike are one test with their number.
    """

    __test__ = False  # keeps pytest from collecting a class of this name

    task_id: str
    test_id: str
    source: str
    kind: TestKind = "asserts"
    count: int = 1


@dataclass(frozen=True, slots=True)
class Problem:
    """A programming problem.

    prompt: what a model is shown. style "complete": code that a completion continues; style "instruct": a request in
    words, and a completion is code that defines the entry point; style "program": a request for a program that reads
    its standard input, without an entry point that counts.
    helpers: code from the problem statement that tests may call (HumanEval/32 `poly`); never taken from a solution.
    preamble: code put before a solution that leaves it out (imports, the signature's type names).
    gold: a whole program that must pass every test, or None when the source has none.
    """

    task_id: str
    prompt: str
    entry_point: str
    tests: tuple[Test, ...] = ()
    gold: str | None = None
    style: Style = "instruct"
    helpers: str = ""
    preamble: str = ""
    meta: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Solution:
    """One answer of a model to one problem. `text` is the whole program, "" when no code could be extracted.

    solution_id: the place among the task's lines, from 0. raw: the model's own text, when it was sampled.
    """

    task_id: str
    solution_id: int
    text: str
    raw: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One solution against all tests of its task. `codes` has one of VERDICT_CODES a test, in the task's order.

    answer_digests: ANSWER_DIGEST_BYTES a test, a digest of what the solution answered in it. Two solutions of the task
    that answer alike have equal digests. Zeros stand for an unknown answer, and b"" where none is known.
    """

    task_id: str
    solution_id: int
    solution: str
    codes: str
    isolation: Isolation = "separate"
    cpu_ms: float = 0.0
    detail: str = ""
    answer_digests: bytes = b""


@dataclass(frozen=True, slots=True)
class VerdictMatrix:
    """All solutions of one task against all its tests: S rows of T codes."""

    task_id: str
    tests: tuple[Test, ...]
    verdicts: tuple[Verdict, ...]

    @property
    def codes_ST(self) -> npt.NDArray[np.str_]:
        """Array (S, T) of single codes."""
        if not self.tests:
            return np.empty((len(self.verdicts), 0), dtype="<U1")
        return np.array([list(verdict.codes) for verdict in self.verdicts], dtype="<U1").reshape(
            len(self.verdicts), len(self.tests)
        )

    @property
    def answer_digests_ST(self) -> npt.NDArray[np.uint32]:
        """Array (S, T) of digests of what the solutions answered in the tests; 0 where it is not known."""
        unknown = bytes(ANSWER_DIGEST_BYTES * len(self.tests))
        told = b"".join(verdict.answer_digests or unknown for verdict in self.verdicts)
        return np.frombuffer(told, dtype="<u4").reshape(len(self.verdicts), len(self.tests))

    @property
    def passed_ST(self) -> npt.NDArray[np.bool_]:
        """Array (S, T): True where the solution passed the test."""
        return np.equal(self.codes_ST, PASS)


@dataclass(frozen=True, slots=True)
class Pair:
    """One preference: `chosen` is held to be better than `rejected` for `prompt`. Message lists, as TRL takes them.

    confidence: in [0, 1], what the rule believes of its own choice. chosen_id, rejected_id: solution ids.
    evidence: what the rule saw, in plain JSON values.
    """

    task_id: str
    prompt: Sequence[Message]
    chosen: Sequence[Message]
    rejected: Sequence[Message]
    rule: str
    confidence: float
    chosen_id: int
    rejected_id: int
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Response:
    """One model's answer to one instruction, as it wrote it. `finished` is False when it was cut at the token limit.

    response_id: the place among the task's responses, from 0; for sampled solutions it is the solution's id. model: the
    name of the pool member that wrote it. principle: what the system prompt asked of it, "" when nothing.
    """

    task_id: str
    response_id: int
    model: str
    text: str
    finished: bool = True
    principle: str = ""


@dataclass(frozen=True, slots=True)
class Rating:
    """What a judge said of one response. `value` is None when it is unjudged; `reason` then says why.

    second: the value of a second look in reversed order, where there was one. score: on the same scale, finer than
    `value`, where the judge tells it; `value` is then its rounding.
    """

    response_id: int
    value: int | None
    rationale: str = ""
    reason: str = ""
    second: int | None = None
    score: float | None = None


@dataclass(frozen=True, slots=True)
class Judgment:
    """One problem's responses and their ratings by one preference: one rating a response, in the same order.

    judge: the judge's name. order: response ids in the order in which the judge saw them. low, high: the scale's ends.
    """

    task_id: str
    instruction: str
    preference: str
    responses: tuple[Response, ...]
    ratings: tuple[Rating, ...]
    judge: str = ""
    order: tuple[int, ...] = ()
    low: int = 1
    high: int = 5


@dataclass(frozen=True, slots=True)
class Score:
    """A figure with its 95% interval and its counts: `n` problems, `samples` solutions in all."""

    name: str
    value: float
    low: float
    high: float
    n: int
    samples: int
