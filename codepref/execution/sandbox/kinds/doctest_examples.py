"""The kind "doctest": examples as in an interactive session, such as `>>> f(1)` and the expected text `2`."""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ..wire.status_page import CALL_BY_REFERENCE
from .base import ERROR, FAILED, Kind, PreparedTest, Runner, compiled, identifiers, names_in
from .main_block import as_program
from .sharing import Analysis
from .static_analysis import parsed
from .suites import SOLUTION, import_as_solution, worst_code

if TYPE_CHECKING:
    import doctest

_NAME = "examples"


class DoctestExamples(Kind):
    """Tests that are examples. The examples of a text run in turn, in one namespace. Each must give its expected text.

    The text is Python that holds the examples in strings at its top level, or it is the examples themselves. If none of
    the examples has an expected text and none fails, the code is E, since nothing was compared.
    """

    def compile(self, test: PreparedTest) -> None:
        """Import doctest, and compile the Python part of the text."""
        import doctest  # noqa: F401

        tree, _ = _parts(test.source)
        tree = as_program(tree)
        test.code = compiled(tree)
        test.names = names_in(test.code) | identifiers(test.source)
        test.stateless = False
        test.analysis = Analysis(ast.Module([*tree.body, *_statements(test.source)], []), test.around)

    def run(self, runner: Runner, test: PreparedTest) -> int:
        """Run the examples with proxies of the solution's functions, and return the code.

        If an expected text is not a Python literal, the solution may print it. Return CALL_BY_REFERENCE in this case,
        so that all examples run in the solution's process.
        """
        if _may_print(test.source):
            return CALL_BY_REFERENCE
        return _run(runner, test, runner.scope(test), runner.bindings, shared=False)

    def run_shared(self, runner: Runner, test: PreparedTest) -> int:
        """Run the examples in the process that holds the solution, and return the code."""
        return _run(runner, test, dict(runner.space), runner.space, shared=True)


def _parts(source: str) -> tuple[ast.Module, list[str]]:
    """Return the Python part of a text, and the strings that hold its examples."""
    try:
        tree = parsed(source)
    except SyntaxError:
        return ast.Module([], []), [source]
    strings = [node.value for node in tree.body if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)]
    return tree, [node.value for node in strings if isinstance(node.value, str) and ">>>" in node.value]


def _examples(source: str) -> list[doctest.Example]:
    """Return the examples of a text. Raises ValueError for examples in a wrong form."""
    import doctest

    parser = doctest.DocTestParser()
    return [example for text in _parts(source)[1] for example in parser.get_examples(text, _NAME)]


def _statements(source: str) -> list[ast.stmt]:
    """Return the statements of all examples of a text. An example that is not valid Python has none."""
    found: list[ast.stmt] = []
    for example in _examples(source):
        with contextlib.suppress(SyntaxError, ValueError):
            found += parsed(example.source).body
    return found


def _may_print(source: str) -> bool:
    for example in _examples(source):
        if example.exc_msg is None and example.want:
            try:
                ast.literal_eval(example.want.strip())
            except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
                return True
    return False


def _run(
    runner: Runner, test: PreparedTest, space: dict[str, Any], solution: Mapping[str, Any], *, shared: bool
) -> int:
    import doctest

    assert test.code is not None
    passed, codes = 0, set[int]()

    def note(example: doctest.Example, text: str, code: int) -> None:
        runner.page.describe(f"{example.source.strip()[:200]}: {text[:300]}")
        codes.add(code)

    class ExampleRunner(doctest.DocTestRunner):
        def report_start(self, out: Any, test: Any, example: doctest.Example) -> None:
            pass

        def report_success(self, out: Any, test: Any, example: doctest.Example, got: str) -> None:
            nonlocal passed
            passed += bool(example.want)

        def report_failure(self, out: Any, test: Any, example: doctest.Example, got: str) -> None:
            note(example, f"gave {got.strip()!r}", FAILED)

        def report_unexpected_exception(self, out: Any, test: Any, example: doctest.Example, exc_info: Any) -> None:
            error = exc_info[1]
            note(example, f"{type(error).__name__}: {error}", runner.code_of(error, shared))

    class Checker(doctest.OutputChecker):
        def check_output(self, want: str, got: str, optionflags: int) -> bool:
            # A traceback names the module of the solution's own exception, which examples do not know.
            return super().check_output(want, got.removeprefix(f"{SOLUTION}."), optionflags)

    tree, _ = _parts(test.source)
    import_as_solution(tree, solution, runner.plan.entry_point)
    exec(test.code, space)
    examples = _examples(test.source)
    silent: Callable[[str], Any] = lambda text: None  # noqa: E731
    document = doctest.DocTest(examples, {}, _NAME, None, 0, test.source)
    document.globs = space  # not a copy of it, which would not read names anew
    ExampleRunner(Checker(), verbose=False).run(document, out=silent, clear_globs=False)
    return worst_code(passed, codes, runner.page.describe) if examples else ERROR
