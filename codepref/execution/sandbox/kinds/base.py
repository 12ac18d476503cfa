"""What every kind of test has in common: a test that is compiled once a task, and how a kind runs it."""

from __future__ import annotations

import ast
import re
import types
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from ..confinement.allowlist import shareable
from .static_analysis import PlainCall, parsed

if TYPE_CHECKING:
    from ..wire.link import Link
    from ..wire.plan import Plan
    from ..wire.status_page import StatusPage
    from .expected_outputs import InputsPlan

PASSED, FAILED, ERROR, REFUSED, OUR_FAULT = map(ord, "PFEXI")

_IDENTIFIER = re.compile(r"[^\W\d]\w*")

SHORT_SLACK, LONG_SLACK = 0.3, 3.0
"""Seconds of CPU that the test runner may use in a test beyond the test's limit, since encoding and decoding are not
the solution's work. LONG_SLACK is for tests that may make thousands of calls.
"""


class Runner(Protocol):
    """What a kind needs of the test runner.

    source: the solution. bindings: names that the solution defines. space: names of the problem's helpers; for tests
    that share a process with the solution, of the solution too. code_of(error, shared): the code of an exception.
    """

    plan: Plan
    page: StatusPage
    link: Link
    source: str
    bindings: dict[str, Any]
    space: dict[str, Any]

    def code_of(self, error: BaseException, shared: bool = False) -> int:
        """The code of a test that ended with `error`."""


class PreparedTest:
    """One test, compiled once a task.

    error: why it does not compile, or "". names: the names that the test may look up in the solution. plain: its one
    call, where it can be sent ahead. stateless: whether it leaves nothing behind in the runner's process. inputs and
    oracle: of the kind "inputs" only.
    """

    __slots__ = ("code", "error", "inputs", "kind", "names", "oracle", "plain", "source", "stateless")

    def __init__(self, kind: Kind, source: Any) -> None:
        self.kind, self.source = kind, source
        self.code: types.CodeType | None = None
        self.oracle: types.CodeType | None = None
        self.error = ""
        self.names: set[str] = set()
        self.plain: PlainCall | None = None
        self.stateless = False
        self.inputs: InputsPlan | None = kind.inputs_plan(source)

    def compile(self) -> None:
        """Compile unless that was done or has failed already. Keeps the reason of a failure in `error`."""
        if self.code is not None or self.oracle is not None or self.error:
            return
        try:
            self.kind.compile(self)
        except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
            self.error = f"the test does not compile ({type(error).__name__}: {error})"


class Kind:
    """How one kind of test is compiled and run. A subclass overrides what differs. Its methods run after the fork.

    always_shared: every test runs in one process with the solution. whole_program: the solution is a program, and each
    test runs it in a process of its own. records_answers: the digest of the solution's answers is kept.
    operations: further requests that the solution's process answers, by name, as functions of its server and the
    request's parts.
    """

    always_shared = False
    whole_program = False
    records_answers = True
    operations: dict[str, Callable[..., Any]] = {}  # noqa: RUF012 - no subclass changes it in place

    def inputs_plan(self, source: Any) -> InputsPlan | None:
        """The fields of a test that has a reference solution; None for other kinds."""
        return None

    def compile(self, test: PreparedTest) -> None:
        """Compile `test`. Raises what `ast.parse` and `compile` raise."""
        compile_python(test)

    def names_without_compiling(self, test: PreparedTest) -> set[str]:
        """All identifiers in the test, for a test whose compilation may kill the process."""
        return identifiers(test.source)

    def prepare_shared(self) -> dict[str, Any] | None:
        """The names of the module in which solution and tests run when they share a process. None: the usual ones."""
        return None

    def cpu_limit(self, limits: dict[str, float], test: PreparedTest) -> float:
        """Seconds of CPU that the solution may use in the test."""
        return limits["cpu_seconds"]

    def cpu_slack(self, limits: dict[str, float], test: PreparedTest) -> float:
        """Seconds of CPU that the test runner may use beyond that limit."""
        return LONG_SLACK

    def run(self, runner: Runner, test: PreparedTest) -> int:
        """Run the test with the solution in a process of its own; the code. Whatever this raises becomes a code."""
        raise NotImplementedError

    def run_shared(self, runner: Runner, test: PreparedTest) -> int:
        """Run the test with the solution in this process; the code. Whatever this raises becomes a code."""
        raise NotImplementedError


def compile_python(test: PreparedTest) -> ast.Module:
    """Compile a test that is Python text, and return its syntax tree. Raises what `ast.parse` and `compile` raise."""
    tree = parsed(test.source)
    test.code = compiled(tree)
    test.names = names_in(test.code)
    test.stateless = shareable(tree)
    return tree


def compiled(source: str | ast.Module, mode: str = "exec") -> types.CodeType:
    """Compile without the future features of this module."""
    code: types.CodeType = compile(source, "<test>", mode, dont_inherit=True)
    return code


def names_in(code: types.CodeType) -> set[str]:
    """The names that code and its nested functions use. Attributes are among them, so this holds all global names."""
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= names_in(constant)
    return names


def identifiers(source: str) -> set[str]:
    """All words of a text that look like names."""
    return set(_IDENTIFIER.findall(source))
