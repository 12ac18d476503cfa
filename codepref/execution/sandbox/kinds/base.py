"""What all kinds of tests share. `PreparedTest` holds one test, and the base class `Kind` compiles and runs tests."""

from __future__ import annotations

import ast
import re
import types
from typing import TYPE_CHECKING, Any, Protocol

from ..confinement.allowlist import shareable
from .main_block import as_program
from .sharing import Analysis, helpers_decide
from .static_analysis import Fetched, PlainCall, parsed, plain_call
from .test_text import Surroundings, walk

if TYPE_CHECKING:
    from ..wire.link import Link
    from ..wire.plan import Plan
    from ..wire.status_page import StatusPage
    from .expected_outputs import InputsPlan

PASSED, FAILED, ERROR, REFUSED, OUR_FAULT = map(ord, "PFEXI")

_IDENTIFIER = re.compile(r"[^\W\d]\w*")

SHORT_SLACK, LONG_SLACK = 0.3, 3.0
"""Seconds of CPU time that the test runner may use in a test in addition to the solution's limit.

The test runner needs this time for work of its own, such as encoding the arguments and decoding the answers.
"""


class Runner(Protocol):
    """The attributes and the methods of the test runner that the kinds use.

    Attributes:
        source: the text of the solution, or "" in `Kind.run_shared`.
        bindings: the values that the test runner received from the solution, by name. Empty in `Kind.run_shared`.
        space: the namespace of the problem's helpers. In `Kind.run_shared` it also holds the solution.
    """

    plan: Plan
    page: StatusPage
    link: Link
    source: str
    bindings: dict[str, Any]
    space: dict[str, Any]

    def scope(self, test: PreparedTest) -> dict[str, Any]:
        """Return a new namespace for a test that runs apart from the solution. Names of the helpers have precedence."""

    def code_of(self, error: BaseException, shared: bool = False) -> int:
        """Return the code of a test that ended with `error`. shared: whether test and solution run in one process."""


MALFORMED = (
    SyntaxError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    OverflowError,
    RecursionError,
    MemoryError,
)
"""What compiling a malformed source can raise. The source is Python or JSON, and JSON can hold Python literals."""


class PreparedTest:
    """One test of a task, and what compiling it shows.

    Attributes:
        error: the reason why the test does not compile, or "" if it compiles or has not been compiled.
        names: names that occur in the test. The test runner asks the solution for those that it does not know yet.
        plain: the only call of the test if that call can be sent ahead, otherwise None.
        stateless: whether the test is known to leave nothing behind in its test runner, which may then serve another
        solution. For most kinds `shareable` decides this.
        around: what the test sees of its problem.
        analysis: what the text of the test decides (see `Analysis`), or None if it was not analysed.
        expected: for a test of the kind "calls", a pair: the expected result as a value of JSON, and whether the only
        item of an expected list is right too.
        inputs, oracle: the fields and the compiled oracle of a test of the kind "inputs". None for other kinds.
    """

    __slots__ = (
        "analysis",
        "around",
        "code",
        "error",
        "expected",
        "inputs",
        "kind",
        "names",
        "oracle",
        "plain",
        "source",
        "stateless",
    )

    def __init__(self, kind: Kind, source: Any, around: Surroundings | None = None) -> None:
        self.kind, self.source = kind, source
        self.around = around or Surroundings()
        self.analysis: Analysis | None = None
        self.code: types.CodeType | None = None
        self.oracle: types.CodeType | None = None
        self.expected: tuple[Any, bool] = (None, False)
        self.error = ""
        self.names: set[str] = set()
        self.plain: PlainCall | None = None
        self.stateless = False
        self.inputs: InputsPlan | None = kind.inputs_plan(source)

    @property
    def shared(self) -> str:
        """Why the text of the test shows that it must share a process with the solution, or "" if it does not."""
        return self.analysis.shared if self.analysis is not None else ""

    def compile(self) -> None:
        """Compile the test, unless an earlier call has compiled it or has failed to do so.

        If the test does not compile, store the reason in `error`.
        """
        if self.code is not None or self.oracle is not None or self.plain is not None or self.error:
            return
        try:
            self.kind.compile(self)
        except MALFORMED as error:
            self.error = f"the test does not compile ({type(error).__name__}: {error})"


class Kind:
    """The base class of the kinds of tests. It compiles and runs tests. A subclass overrides what differs.

    Of its methods, only `run`, `run_fetched` and `run_shared` run untrusted code. The test runner calls them after the
    fork. OPERATIONS in `processes/solution.py` holds what the solution's process does for tests.

    Attributes:
        always_shared: whether each test runs in one process with the solution.
        whole_program: whether the solution is a program that each test runs in a new process.
        records_answers: whether the test runner records the digest of the answers that `run` received.
        reports_output: whether the engine gets what the program printed.
    """

    always_shared = False
    whole_program = False
    records_answers = True
    reports_output = False

    def inputs_plan(self, source: Any) -> InputsPlan | None:
        """Return the fields of a test with a reference solution, or None if tests of this kind have no reference."""
        return None

    def compile(self, test: PreparedTest) -> None:
        """Compile `test`. Raises what `ast.parse` and `compile` raise."""
        compile_python(test)

    def names_without_compiling(self, test: PreparedTest) -> set[str]:
        """Return the names in a test without compiling it, since compiling it may kill this process.

        They are all words of the source that look like Python names.
        """
        return identifiers(test.source)

    def prepare_shared(self) -> dict[str, Any] | None:
        """Return the namespace for solution and tests in a shared process. None means the namespace of a new module."""
        return None

    def cpu_limit(self, limits: dict[str, float], test: PreparedTest) -> float:
        """Return the seconds of CPU time that the solution may use in the test.

        After `max_timeouts` timeouts the test runner shortens this limit. Whole programs and tests in a shared process
        keep the full `cpu_seconds`.
        """
        return limits["cpu_seconds"]

    def cpu_slack(self, limits: dict[str, float], test: PreparedTest) -> float:
        """Return the seconds of CPU time that the test runner may use in `run`, in addition to the solution's limit."""
        return LONG_SLACK

    def run(self, runner: Runner, test: PreparedTest) -> int:
        """Run the test against a solution in another process, and return the code.

        The caller turns each exception of this method into a code.
        """
        raise NotImplementedError

    def run_fetched(self, runner: Runner, test: PreparedTest, fetched: Fetched) -> int:
        """Run a test whose only call has been answered already, and return the code.

        fetched: stands for the function of `test.plain`. The caller turns each exception into a code.
        """
        assert test.plain is not None
        assert test.code is not None
        exec(test.code, {**runner.bindings, **runner.space, test.plain.name: fetched})
        return PASSED

    def run_shared(self, runner: Runner, test: PreparedTest) -> int:
        """Run the test with the solution in this process, and return the code.

        The caller turns each exception of this method into a code.
        """
        raise NotImplementedError


def compile_python(test: PreparedTest) -> ast.Module:
    """Compile a test that is Python text, and return its syntax tree.

    Set the attributes `code`, `names`, `stateless` and `analysis` of the test. A test with a plain call is usually not
    analysed, since it reaches nothing but the answer of one function. It is analysed if the function is written like a
    class, or if the helpers evaluate an answer. Raises what `ast.parse` and `compile` raise.
    """
    tree = as_program(parsed(test.source))
    for node in walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level:  # a test is not part of a package
            node.level, node.module = 0, "solution"
    test.code = compiled(tree)
    test.names = names_in(test.code)
    test.stateless = shareable(tree)
    call = plain_call(tree)
    if call is None or call.name[:1].isupper() or helpers_decide(test.around):
        test.analysis = Analysis(tree, test.around)
    return tree


def compiled(source: str | ast.Module, mode: str = "exec") -> types.CodeType:
    """Return the code object of `source`. The `from __future__` import of this module does not apply to it."""
    code: types.CodeType = compile(source, "<test>", mode, dont_inherit=True)
    return code


def names_in(code: types.CodeType) -> set[str]:
    """Return the names in `co_names` of `code` and of all code nested in it. They include all global names."""
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= names_in(constant)
    return names


def identifiers(source: str) -> set[str]:
    """Return all words of a text that look like Python names."""
    return set(_IDENTIFIER.findall(source))
