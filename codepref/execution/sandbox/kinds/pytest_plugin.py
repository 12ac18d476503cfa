"""Runs pytest on a module object, and keeps the results of its tests. Importing this module imports pytest."""

from __future__ import annotations

import asyncio
import functools
import inspect
import types
from collections.abc import Callable, Generator, Mapping, Set
from pathlib import Path
from typing import Any

import pytest

from .base import ERROR, FAILED
from .suites import worst_code

CANDIDATES = frozenset({"candidate", "f", "fn", "func", "function", "implementation", "impl", "solution", "target"})
"""Names of parameters that get the entry point if the test has no fixture of that name."""

_OFF = """
    assertion cacheprovider doctest faulthandler junitxml legacypath pastebin setuponly setupplan stepwise terminal
    threadexception unraisableexception
"""
_OPTIONS = ["-c", "/dev/null", "--rootdir=/", "-s", "--noconftest", "--disable-plugin-autoload"]
ARGUMENTS = (*_OPTIONS, *(part for name in _OFF.split() for part in ("-p", f"no:{name}")))

_RAN = (0, 1, 5)
"""Exit statuses of pytest after which all collected tests have run: all passed, some failed, and no test was found."""

_main = pytest.main

CodeOf = Callable[[BaseException], int]
Describe = Callable[[str], None]


def run(
    module: types.ModuleType,
    defined: Set[str],
    candidate: tuple[str, Mapping[str, Any]],
    code_of: CodeOf,
    describe: Describe,
    *,
    all_must_run: bool = False,
) -> int:
    """Run the tests that a module object holds, and return the code of all of them together.

    defined: the names that the text of the test defines. Other names, such as those of the solution, are not collected.
    candidate: the entry point's name, and the values of the solution by name.
    code_of: returns the code of an exception. describe: called with each failure in words.
    all_must_run: whether a test that a decorator skips, or that fails as a decorator expects, is an error. A test that
        skips itself by an exception while it runs is an error in both cases, and so is a test with an empty list of
        parameters.
    """
    plugin = _Plugin(module, defined, code_of, describe)
    plugin.all_must_run = all_must_run
    status = int(_main(list(ARGUMENTS), plugins=[plugin, _candidates(*candidate)]))
    if status not in _RAN or plugin.ran != plugin.collected:
        plugin.note(f"pytest ended with status {status}, after {plugin.ran} of {plugin.collected} tests", ERROR)
    return worst_code(plugin.passed, plugin.codes, describe)


@functools.cache
def warm_up() -> None:
    """Run pytest once without a test. The first run in a process takes longer than later ones."""
    run(types.ModuleType("empty"), frozenset(), ("candidate", {}), lambda error: ERROR, lambda text: None)


def _test_case() -> Any:
    """Return a TestCase, which is the `self` of a test function that is written like a method outside a class."""
    import unittest

    return unittest.TestCase()


def _candidates(entry_point: str, solution: Mapping[str, Any]) -> types.ModuleType:
    """Return a plugin with fixtures that give the entry point, under the names in CANDIDATES and its own name.

    It also has a fixture `self` (see `_test_case`).
    """

    def candidate() -> Any:
        if entry_point not in solution:
            raise NameError(f"name {entry_point!r} is not defined")
        return solution[entry_point]

    plugin = types.ModuleType("candidates")
    for name in {*CANDIDATES, entry_point}:
        setattr(plugin, f"fixture_{name}", pytest.fixture(scope="session", name=name)(candidate))
    plugin.__dict__["fixture_self"] = pytest.fixture(name="self")(_test_case)
    return plugin


def _is_without_parameters(item: pytest.Item) -> bool:
    """Return whether pytest skips a test because the list of its parameters is empty."""
    reasons = (str(mark.kwargs.get("reason", "")) for mark in item.iter_markers("skip"))
    return any(reason.startswith("got empty parameter set") for reason in reasons)


class _Plugin:
    """The plugin that collects the tests of a module object, and keeps their results.

    Attributes:
        passed: the number of tests that passed.
        codes: the codes of all failures.
        ran, collected: the numbers of tests that ran and that were collected.
        all_must_run: as in `run`.
    """

    all_must_run = False

    def __init__(self, module: types.ModuleType, defined: Set[str], code_of: CodeOf, describe: Describe) -> None:
        self._module, self._defined, self._code_of, self._describe = module, defined, code_of, describe
        self.passed, self.codes = 0, set[int]()
        self.ran = self.collected = 0

    def note(self, text: str, code: int) -> None:
        """Keep and describe a failure."""
        self._describe(text)
        self.codes.add(code)

    def pytest_collection(self, session: pytest.Session) -> bool:
        """Collect from the module object instead of files."""
        module = self._module

        class Module(pytest.Module):
            def _getobj(self) -> Any:
                return module

        collector = Module.from_parent(session, path=Path(f"/{module.__name__}.py"))
        session.items = list(session.genitems(collector))
        session.testscollected = self.collected = len(session.items)
        session.config.hook.pytest_collection_modifyitems(session=session, config=session.config, items=session.items)
        return True

    @pytest.hookimpl(tryfirst=True)
    def pytest_pycollect_makeitem(self, collector: Any, name: str, obj: Any) -> list[Any] | None:
        """Collect nothing under a name that the text of the test does not define."""
        return [] if collector.obj is self._module and name not in self._defined else None

    @pytest.hookimpl(tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> bool:
        """Run a test function, which may be a coroutine function. Let it fail if it returns False."""
        arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
        result = pyfuncitem.obj(**arguments)
        if inspect.iscoroutine(result):
            result = asyncio.run(result)
        if result is False:
            raise AssertionError("the test returned False")
        return True

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Keep an error if `pytest.exit` or KeyboardInterrupt ends the session, since tests may then be missing."""
        self.note(f"the session ended early: {excinfo.typename}: {str(excinfo.value)[:300]}", ERROR)

    def pytest_runtest_logfinish(self) -> None:
        """Count the tests that ran."""
        self.ran += 1

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Keep the failure of a collection, such as that of a wrong `parametrize`."""
        if not report.passed:
            self.note(f"{report.nodeid}: {str(report.longrepr)[:300]}", ERROR)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Keep the result of one phase of a test: setup, call or teardown."""
        report = yield
        error = call.excinfo.value if call.excinfo else None
        expected = hasattr(report, "wasxfail")
        if report.failed:
            self._failed(item.name, error)
        elif report.skipped:
            mark = ("xfail",) if expected else ("skip", "skipif")
            marked = any(item.get_closest_marker(name) for name in mark) and not self.all_must_run
            if not marked or _is_without_parameters(item) or (call.when == "call" and not expected):
                # A decorator may skip a test. An exception may not, since the solution could raise it. Nor may a list
                # of parameters that is empty, since the solution may have made it.
                how = "failed as expected" if expected else "skipped"
                self.note(f"{item.name}: {how}, which counts as an error here: {str(error)[:300]}", ERROR)
        elif call.when == "call" and not expected:
            self.passed += 1
        return report

    def _failed(self, name: str, error: BaseException | None) -> None:
        if error is None:
            self.note(f"{name}: passed, although it is expected to fail", FAILED)
            return
        code = FAILED if isinstance(error, pytest.fail.Exception) else self._code_of(error)
        self.note(f"{name}: {type(error).__name__}: {str(error)[:300]}", code)
