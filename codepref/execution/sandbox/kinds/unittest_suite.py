"""The kind "unittest". A suite of TestCase classes shares a process with the solution, so that mocks work.

A solution that patches `unittest` can forge the code of a suite. A verdict on a solution whose tests include a suite
is therefore marked as "shared".
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .base import ERROR, FAILED, REFUSED, Kind, PreparedTest, Runner, compile_python
from .static_analysis import parsed
from .suites import import_as_solution, main_calls_do_nothing, worst_code

if TYPE_CHECKING:
    import unittest

MODULE = "__test__"
"""The name of the module that holds solution and suite."""

NO_SCRATCH = "No usable temporary directory"


class UnittestSuite(Kind):
    """Tests that are suites.

    A suite passes if at least one test method passes, and nothing in the suite fails, raises an error, passes
    unexpectedly, or is skipped by an exception. A test that is expected to fail and fails does not count.
    """

    always_shared = True

    def compile(self, test: PreparedTest) -> None:
        """Import `unittest.mock` and compile the test.

        The import takes long, since it loads asyncio. A test is usually compiled before the fork, so that the
        import happens once for all test runners of a task.
        """
        import unittest.mock  # noqa: F401

        compile_python(test)

    def prepare_shared(self) -> dict[str, Any]:
        """Create the module `__test__`, in which mocks and `pickle` find names, and return its namespace."""
        module = types.ModuleType(MODULE)
        sys.modules[MODULE] = module
        return module.__dict__

    def run_shared(self, runner: Runner, test: PreparedTest) -> int:
        """Run the suite in the module that holds the solution, and return its code."""
        assert test.code is not None
        import_as_solution(parsed(test.source), runner.space, runner.plan.entry_point)
        return verdict_code(test.code, runner.space, runner.code_of, runner.page.describe)


def verdict_code(
    program: types.CodeType,
    space: dict[str, Any],
    code_of: Callable[[BaseException, bool], int],
    describe: Callable[[str], None],
) -> int:
    """Run all TestCase classes that `program` adds to `space`, and return the code of the suite.

    `worst_code` says what the code is. Tests that a decorator skips do not count. Raises what `program` raises outside
    its tests.
    code_of: returns the code of an exception.
    describe: called with each failure in words.
    """
    import unittest

    before = {
        id(value): value for value in space.values()
    }  # keeps old values alive, so that a new class cannot get the id of an old one
    with main_calls_do_nothing():
        exec(program, space)
    cases = [
        value
        for value in space.values()
        if isinstance(value, type) and issubclass(value, unittest.TestCase) and id(value) not in before
    ]
    # `from unittest import TestCase` binds the base class, which holds no test.
    loader = unittest.TestLoader()
    suite = unittest.TestSuite(loader.loadTestsFromTestCase(case) for case in dict.fromkeys(cases))
    return worst_code(*_run(suite, code_of, describe), describe)


def _run(
    suite: unittest.TestSuite, code_of: Callable[[BaseException, bool], int], describe: Callable[[str], None]
) -> tuple[int, set[int]]:
    """Run the suite. Return the number of tests that passed, and the codes of all failures."""
    import unittest

    class Result(unittest.TestResult):
        passed = 0

        def __init__(self) -> None:
            super().__init__()
            self.codes: set[int] = set()

        def note(self, test: Any, error: BaseException | None, code: int) -> None:
            text = "" if error is None else f": {type(error).__name__}: {str(error)[:300]}"
            describe(f"{str(test)[:100]}{text}")
            self.codes.add(code)

        def addSuccess(self, test: Any) -> None:
            self.passed += 1

        def addExpectedFailure(self, test: Any, err: Any) -> None:
            pass  # any solution that fails gives this result

        def addSkip(self, test: Any, reason: str) -> None:
            method = getattr(test, getattr(test, "_testMethodName", ""), None)
            if not any(getattr(part, "__unittest_skip__", False) for part in (type(test), method)):
                # A decorator of the suite may skip a test. An exception may not, since the solution could raise it.
                self.note(test, None, ERROR)

        def addUnexpectedSuccess(self, test: Any) -> None:
            self.note(test, None, FAILED)

        def addFailure(self, test: Any, err: Any) -> None:
            self.note(test, err[1], FAILED)

        def addError(self, test: Any, err: Any) -> None:
            self.note(test, err[1], self.of_error(err[1]))

        def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:
            if err is not None:
                failed = isinstance(err[1], test.failureException)
                self.note(subtest, err[1], FAILED if failed else self.of_error(err[1]))

        def of_error(self, error: BaseException) -> int:
            if isinstance(error, FileNotFoundError) and NO_SCRATCH in str(error):
                return REFUSED  # `tempfile` swallows the refusals that led to this
            code = code_of(error, True)  # in one process, solution or test may have raised it
            # An AssertionError from setUpClass or the like is an error, as unittest itself counts it.
            return ERROR if code == FAILED else code

    result = Result()
    suite.run(result)
    return result.passed, result.codes
