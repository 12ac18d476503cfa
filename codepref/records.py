"""The frozen records that the stages exchange. Importing them needs numpy and nothing heavier.

Axes in array names: P problems, S solutions, T tests. `passed_ST` is an array of shape (S, T).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

PASS, FAIL, ERROR, TIMEOUT, MEMORY, FORBIDDEN, SKIPPED, INFRASTRUCTURE = "PFETMXSI"
VERDICT_CODES = "PFETMXSI"
"""The verdict codes. A verdict has one of them for each test.

P, pass: the test ran to its end without a failure. F, fail: an assertion of the test failed, or an output was wrong. E,
error: another exception, a process that ended, or an answer in a wrong form. T, timeout. M, memory: the solution
reached the memory limit, wrote too much to its scratch folder, or had too many threads. X, forbidden: the solution
raised a PermissionError, usually because the sandbox refused an action, or a forbidden system call ended the solution.
S, skipped: the test did not run to its end because the solution had used up its timeouts or its time for loading and
sleeping, or its result does not count because the tests prove nothing about the solution. I, infrastructure: a fault of
codepref, of the machine or of the problem itself.
"""
FAILING_CODES = frozenset("FETMX")
"""The codes that count against a solution."""

ANSWER_DIGEST_BYTES = 4
"""The size in bytes of the digest of a solution's answer in one test."""

Style = Literal["complete", "instruct", "program"]
TestKind = str
"""A name in the table `codepref.problems.kinds.KINDS`."""
Isolation = Literal["separate", "shared"]
VacuousTests = Literal["leave-out", "keep"]
"""What happens to tests that prove nothing (see `codepref.execution.vacuous`). "keep" runs them like other tests."""
Message = dict[str, str]
"""One chat message: {"role": ..., "content": ...}."""


def is_correct(codes: str) -> bool | None:
    """Return whether a solution is correct, or None if that is unknown. codes: one verdict code for each test.

    The first row that applies decides:

    | codes                                       | correct |
    |---------------------------------------------|---------|
    | at least one of F, E, T, M, X               | False   |
    | otherwise, at least one of I, S             | None    |
    | otherwise, at least one code, all of them P | True    |
    | no code, because the task has no test       | None    |

    Examples: "PP" is True. "PF", "FI" and "TS" are False. "PI", "PS", "I" and "" are None.
    """
    if not FAILING_CODES.isdisjoint(codes):
        return False
    if not codes or SKIPPED in codes or INFRASTRUCTURE in codes:
        return None
    return True


@dataclass(frozen=True, slots=True)
class Test:
    """One test of one problem, or a probe.

    kind "asserts": `source` is Python statements that call the entry point by name.
    kind "check": `source` defines `check(candidate)`, as HumanEval does.
    kind "inputs": `source` is a JSON document of inputs for the entry point; see `codepref.problems.inputs`.
    kind "unittest": `source` defines unittest.TestCase classes. They run in the solution's process.
    kind "pytest": `source` defines test functions and test classes, which pytest runs.
    kind "doctest": `source` holds examples (`>>> f(1)`), as text or in strings at the top level of Python.
    kind "calls": `source` is JSON with a call and its expected result; see `codepref.problems.calls`.
    kind "stdio": `source` is JSON with an input and an output; see `codepref.problems.stdio`. The solution is a program
    that reads the input.
    kind "checker": as "stdio", with a program that decides; see `codepref.problems.checkers`.
    kind "run": the solution is a program that only runs. The service uses it, and problems have no such tests.
    count: of a self-written test, the number of completions that hold it, since equal tests are one record. It is 1 for
    a test of the problem, and 0 for a probe. A probe is a call without an expected answer, so its verdict code says
    nothing about correctness.
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

    prompt: the text that a model is shown.
    style: the form of the prompt. "complete": the prompt is code that the completion continues. "instruct": the prompt
    is a request in words, and the completion is code that defines the entry point. "program": the prompt asks for a
    program that reads standard input, and the entry point is not used.
    entry_point: the name of the function or class that tests use.
    helpers: code that tests may use, such as imports or the function `poly` of HumanEval/32. It never comes from a
    solution.
    preamble: code such as imports and the names of types. The parts that a solution uses and lacks are put before it.
    gold: a reference program, which should pass every test. None if the problem's source has no such program.
    meta: further facts about the problem, such as its format and its difficulty.
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
    """One answer of a model to one problem.

    text: the program, or "" if no program was found in the answer. solution_id: a number that no other solution of the
    task has, usually its position among them, from 0. raw: the answer from which `text` was extracted, or "" if it is
    not known.
    """

    task_id: str
    solution_id: int
    text: str
    raw: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The results of one solution in all tests of its task.

    codes: one of VERDICT_CODES for each test, in the order of the tests. solution: the program.
    isolation: "shared" if at least one test ran in the solution's process. cpu_ms: the CPU time of the processes that
    ran the solution, in milliseconds. It includes loading the solution. detail: a description of the first failure, or
    the reason why the solution is unjudged, or "" if neither is known.
    answer_digests: for each test ANSWER_DIGEST_BYTES bytes, the digest of the solution's answer. Known digests of the
    same answer to a test are equal. Zero bytes stand for an unknown answer. b"" means that no answer is known.
    """

    task_id: str
    solution_id: int
    solution: str
    codes: str
    isolation: Isolation = "separate"
    cpu_ms: float = 0.0
    detail: str = ""
    answer_digests: bytes = b""

    @property
    def correct(self) -> bool | None:
        """Whether the solution is correct, or None if that is unknown. `is_correct` has the table."""
        return is_correct(self.codes)


@dataclass(frozen=True, slots=True)
class VerdictMatrix:
    """The verdicts of S solutions of one task in T tests."""

    task_id: str
    tests: tuple[Test, ...]
    verdicts: tuple[Verdict, ...]

    @property
    def codes_ST(self) -> npt.NDArray[np.str_]:
        """Array (S, T) of verdict codes, one character each."""
        if not self.tests:
            return np.empty((len(self.verdicts), 0), dtype="<U1")
        return np.array([list(verdict.codes) for verdict in self.verdicts], dtype="<U1").reshape(
            len(self.verdicts), len(self.tests)
        )

    @property
    def answer_digests_ST(self) -> npt.NDArray[np.uint32]:
        """Array (S, T) of the digests of the solutions' answers in the tests. 0 stands for an unknown answer."""
        unknown = bytes(ANSWER_DIGEST_BYTES * len(self.tests))
        digests = b"".join(verdict.answer_digests or unknown for verdict in self.verdicts)
        return np.frombuffer(digests, dtype="<u4").reshape(len(self.verdicts), len(self.tests))

    @property
    def passed_ST(self) -> npt.NDArray[np.bool_]:
        """Array (S, T): True where the solution passed the test."""
        return np.equal(self.codes_ST, PASS)


@dataclass(frozen=True, slots=True)
class Pair:
    """One preference: for `prompt`, the answer `chosen` is better than the answer `rejected`.

    prompt, chosen, rejected: lists of messages, as TRL expects them. rule: the name of the pairing rule, or ""
    if it is not known. confidence: in [0, 1], how sure the rule is of its choice. chosen_id, rejected_id: the ids of
    the two solutions or responses, or -1 if they are not known. evidence: the facts behind the choice, as plain JSON
    values.
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
class Instruction:
    """A request to a model in words, and the preference by which the answers to it are rated.

    preference: the name of a preference, such as one of `codepref.preferences.PREFERENCES`. system: the text of a
    system turn before the instruction, or "".
    """

    task_id: str
    text: str
    preference: str
    system: str = ""

    @property
    def whole(self) -> str:
        """The system text, a blank line and the instruction as one text. Without a system text, the instruction."""
        return f"{self.system}\n\n{self.text}" if self.system else self.text


@dataclass(frozen=True, slots=True)
class Response:
    """The text that one model wrote for one instruction.

    response_id: a number that no other response of the task has, usually its position among them, from 0. For a
    response that is a sampled solution, it is the solution's id. model: the name of the model or pool member that wrote
    it. finished: False if the response was cut off, usually at the token limit. principle: the sentence of the prompt
    that asked for the preference, or "".
    """

    task_id: str
    response_id: int
    model: str
    text: str
    finished: bool = True
    principle: str = ""


@dataclass(frozen=True, slots=True)
class InstructionResponses:
    """An instruction with its responses, without ratings."""

    instruction: Instruction
    responses: tuple[Response, ...]

    @property
    def task_id(self) -> str:
        """The instruction's task_id."""
        return self.instruction.task_id

    @property
    def preference(self) -> str:
        """The instruction's preference."""
        return self.instruction.preference


@dataclass(frozen=True, slots=True)
class Rating:
    """A judge's rating of one response.

    value: a whole number, or None if the response is unjudged. reason: why the response is unjudged, or "".
    rationale: the judge's words for its rating, or "". second: the value from the second pass, in which the judge reads
    the responses in reversed order, or None if there is none. score: the judge's rating before it was rounded to
    `value`, or None if it is not known.
    """

    response_id: int
    value: int | None
    rationale: str = ""
    reason: str = ""
    second: int | None = None
    score: float | None = None


@dataclass(frozen=True, slots=True)
class Judgment:
    """The responses to one instruction and their ratings by one preference.

    ratings: one rating for each response, in the order of `responses`. judge: the judge's name. order: the response ids
    in the order in which the judge read the responses, or () if it is not known. low, high: the ends of the rating
    scale.
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

    def unrated(self) -> InstructionResponses:
        """Return the instruction and its responses without the ratings."""
        return InstructionResponses(Instruction(self.task_id, self.instruction, self.preference), self.responses)


@dataclass(frozen=True, slots=True)
class Score:
    """A figure with its interval, which has a coverage of 95% by default.

    value: the figure. low, high: the ends of the interval. n: the number of problems. samples: the number of solutions,
    or of other values, in all problems together.
    """

    name: str
    value: float
    low: float
    high: float
    n: int
    samples: int
