"""What all kinds of tests share: `PreparedTest`, one compiled test, and `Kind`, which compiles and runs tests."""

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
"""Seconds of CPU time that the test runner itself may use in a test, besides the limit of the test.

It needs them to encode and decode, which is not the solution's work. LONG_SLACK is for tests that may make thousands of
calls.
"""


class Runner(Protocol):
    """What a kind needs of the test runner.

    Attributes:
        source: the text of the solution.
        bindings: the names that the solution defines.
        space: the names of the problem's helpers. Where the test shares a process with the solution, also the
        solution's.
    """

    plan: Plan
    page: StatusPage
    link: Link
    source: str
    bindings: dict[str, Any]
    space: dict[str, Any]

    def code_of(self, error: BaseException, shared: bool = False) -> int:
        """Return the code of a test that ended with `error`. shared: test and solution run in one process."""


class PreparedTest:
    """One test, which is compiled once for a task.

    Attributes:
        error: why the test does not compile, or "".
        names: the names that the test may look up in the solution.
        plain: the only call of the test, if it can be sent ahead.
        stateless: whether the test can leave nothing behind in the test runner's process.
        inputs, oracle: the fields and the compiled oracle of a test of the kind "inputs". None for other kinds.
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
        """Compile the test, unless it has been compiled or has failed to compile before.

        If the test does not compile, keep the reason in `error`.
        """
        if self.code is not None or self.oracle is not None or self.error:
            return
        try:
            self.kind.compile(self)
        except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
            self.error = f"the test does not compile ({type(error).__name__}: {error})"


class Kind:
    """How one kind of test is compiled and run. A subclass overrides what differs.

    Of these methods only `run` and `run_shared` run untrusted code. They are called after the fork.

    Attributes:
        always_shared: every test runs in one process with the solution.
        whole_program: the solution is a program, and each test runs it in a new process.
        records_answers: the test runner keeps the digest of the solution's answers.
        operations: further requests that the solution's process answers, by name. Each is a function that gets the
        server and the parts of the request.
    """

    always_shared = False
    whole_program = False
    records_answers = True
    operations: dict[str, Callable[..., Any]] = {}  # noqa: RUF012 - no subclass changes it in place

    def inputs_plan(self, source: Any) -> InputsPlan | None:
        """Return the fields of a test that has a reference solution, or None for a kind without references."""
        return None

    def compile(self, test: PreparedTest) -> None:
        """Compile `test`. Raises what `ast.parse` and `compile` raise."""
        compile_python(test)

    def names_without_compiling(self, test: PreparedTest) -> set[str]:
        """Return all identifiers in a test whose compilation may kill the process."""
        return identifiers(test.source)

    def prepare_shared(self) -> dict[str, Any] | None:
        """Return the namespace for a solution and tests in one process. None means the test runner's usual one."""
        return None

    def cpu_limit(self, limits: dict[str, float], test: PreparedTest) -> float:
        """Return the seconds of CPU time that the solution may use in the test."""
        return limits["cpu_seconds"]

    def cpu_slack(self, limits: dict[str, float], test: PreparedTest) -> float:
        """Return the seconds of CPU time that the test runner may use besides the solution's limit."""
        return LONG_SLACK

    def run(self, runner: Runner, test: PreparedTest) -> int:
        """Run the test against a solution in another process, and return the code.

        The caller turns every exception that this raises into a code.
        """
        raise NotImplementedError

    def run_shared(self, runner: Runner, test: PreparedTest) -> int:
        """Run the test with the solution in this process, and return the code.

        The caller turns every exception that this raises into a code.
        """
        raise NotImplementedError


def compile_python(test: PreparedTest) -> ast.Module:
    """Compile a test that is Python text, and return its syntax tree.

    Set the code, the names and `stateless` of the test. Raises what `ast.parse` and `compile` raise.
    """
    tree = parsed(test.source)
    test.code = compiled(tree)
    test.names = names_in(test.code)
    test.stateless = shareable(tree)
    return tree


def compiled(source: str | ast.Module, mode: str = "exec") -> types.CodeType:
    """Compile `source`, without the `from __future__` imports of this module."""
    code: types.CodeType = compile(source, "<test>", mode, dont_inherit=True)
    return code


def names_in(code: types.CodeType) -> set[str]:
    """Return the names that `code` and its nested functions use: all global names, and also attributes and imports."""
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= names_in(constant)
    return names


def identifiers(source: str) -> set[str]:
    """Return all words of a text that look like Python names."""
    return set(_IDENTIFIER.findall(source))
