"""Tests of kind "unittest": a suite that runs in one process with the solution, as mocks need it.

What runs here can be forged by a solution that patches `unittest`; the verdict says `shared` for that reason.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import unittest

MODULE = "__test__"
"""The name of the module that holds solution and suite. Not "__main__": a suite's own `unittest.main()` must rest."""

NO_SCRATCH = "No usable temporary directory"
_WORST_FIRST = b"MXEF"


def prepare() -> None:
    """Import what every suite needs, before the fork: mocks load asyncio, a hundred modules."""
    import unittest.mock  # noqa: F401


def home() -> dict[str, Any]:
    """The names of a new module, which mocks find as `__test__`, and pickled objects too."""
    module = types.ModuleType(MODULE)
    sys.modules[MODULE] = module
    return module.__dict__


def verdict_code(
    program: types.CodeType,
    space: dict[str, Any],
    code_of: Callable[[BaseException, bool], int],
    describe: Callable[[str], None],
) -> int:
    """Run all TestCase classes that `program` defines: P when at least one test passed and none failed.

    Else the worst code is given. code_of: the code of an exception. describe: is told the first failure.
    """
    import unittest

    before = {id(value): value for value in space.values()}  # kept alive, so that no new class gets an old one's id
    exec(program, space)
    cases = [
        value
        for value in space.values()
        if isinstance(value, type) and issubclass(value, unittest.TestCase) and id(value) not in before
    ]
    # `from unittest import TestCase` binds the base itself, which holds no test
    loader = unittest.TestLoader()
    suite = unittest.TestSuite(loader.loadTestsFromTestCase(case) for case in dict.fromkeys(cases))
    passed, codes = _run(suite, code_of, describe)
    for found in _WORST_FIRST:
        if found in codes:
            return found
    if not passed:
        describe("no test of the suite ran")
        return ord("E")
    return ord("P")


def _run(
    suite: unittest.TestSuite, code_of: Callable[[BaseException, bool], int], describe: Callable[[str], None]
) -> tuple[int, set[int]]:
    """How many tests of the suite passed, and the codes of those that did not."""
    import unittest

    class Result(unittest.TestResult):
        passed = 0

        def __init__(self) -> None:
            super().__init__()
            self.codes: set[int] = set()

        def note(self, test: Any, error: BaseException | None, found: int) -> None:
            text = "" if error is None else f": {type(error).__name__}: {str(error)[:300]}"
            describe(f"{str(test)[:100]}{text}")
            self.codes.add(found)

        def addSuccess(self, test: Any) -> None:
            self.passed += 1

        def addExpectedFailure(self, test: Any, err: Any) -> None:
            self.passed += 1

        def addUnexpectedSuccess(self, test: Any) -> None:
            self.note(test, None, ord("F"))

        def addFailure(self, test: Any, err: Any) -> None:
            self.note(test, err[1], ord("F"))

        def addError(self, test: Any, err: Any) -> None:
            self.note(test, err[1], self.of_error(err[1]))

        def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:
            if err is not None:
                failed = isinstance(err[1], test.failureException)
                self.note(subtest, err[1], ord("F") if failed else self.of_error(err[1]))

        def of_error(self, error: BaseException) -> int:
            # an AssertionError that is no failure comes from setUpClass or the like: an error, as unittest counts it
            if isinstance(error, FileNotFoundError) and NO_SCRATCH in str(error):
                return ord("X")  # `tempfile` swallows the refusals that led to this
            found = code_of(error, True)  # in one process, whose error it is cannot be told
            return ord("E") if found == ord("F") else found

    result = Result()
    suite.run(result)
    return result.passed, result.codes
