"""The kind "pytest": test functions and test classes that the package pytest runs.

pytest runs without files, configuration, plugins of other packages or a terminal. It collects from a module object
that holds the test's names. In a test that runs apart from the solution, the solution's functions are proxies there.
"""

from __future__ import annotations

import ast
import sys
import types
from collections.abc import Mapping
from typing import Any

from ..wire.status_page import CALL_BY_REFERENCE
from .base import Kind, PreparedTest, Runner, compile_python
from .static_analysis import parsed
from .suites import (
    SOLUTION,
    defined_names,
    import_as_solution,
    main_calls_do_nothing,
    skips_by_answer,
)

MODULE = "test_solution"
"""The name of the module that holds the test."""

SHARED_FIXTURES = frozenset({"capfd", "capfdbinary", "caplog", "capsys", "capsysbinary", "capteesys", "monkeypatch"})
"""Fixtures that see or change the process in which the solution runs.

A test with such a fixture shares a process with the solution.
"""

SHARED_FIXTURES |= {"mocker", "recwarn", "testdir", "tmp_path", "tmp_path_factory", "tmpdir", "tmpdir_factory"}


class _Module(types.ModuleType):
    """A module whose functions have another namespace than the module. A name that is set in the module is set in both.

    Names of the solution that are read anew need such a namespace.
    """

    def __init__(self, space: dict[str, Any]) -> None:
        super().__init__(MODULE)
        self.__dict__["_space"] = space

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        self._space[name] = value


class PytestSuite(Kind):
    """Tests that are files for pytest. A file passes if at least one test in it passes and none fails.

    Otherwise its code is the worst code of all failures (see `worst_code`). Tests that a decorator skips, or that fail
    as a decorator expects, do not count. If the condition of any decorator in the file may depend on the solution, each
    such test is an error. A test with an empty list of parameters is always an error.
    """

    def compile(self, test: PreparedTest) -> None:
        """Import pytest, run it once without a test, and compile the text.

        The first run of pytest in a process takes longer than later ones. A test is usually compiled before the fork,
        so that this happens once for all test runners of a task.
        """
        from .pytest_plugin import warm_up

        warm_up()
        tree = compile_python(test)
        arguments = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
        test.names |= arguments & SHARED_FIXTURES
        test.stateless = False

    def run(self, runner: Runner, test: PreparedTest) -> int:
        """Run the tests with proxies of the solution's functions, and return the code.

        A test with one of SHARED_FIXTURES runs in the solution's process instead.
        """
        if test.names & SHARED_FIXTURES:
            return CALL_BY_REFERENCE
        import pytest

        space = runner.scope(test)
        if "pytest" not in runner.space:
            space["pytest"] = pytest  # a text without the import means the package, and never a name of the solution
        return self._run(runner, test, space, runner.bindings, shared=False)

    def prepare_shared(self) -> dict[str, Any]:
        """Create the module `solution`, and return its namespace."""
        module = types.ModuleType(SOLUTION)
        sys.modules[SOLUTION] = module
        return module.__dict__

    def run_shared(self, runner: Runner, test: PreparedTest) -> int:
        """Run the tests in the process that holds the solution, and return the code."""
        return self._run(runner, test, dict(runner.space), runner.space, shared=True)

    def _run(
        self, runner: Runner, test: PreparedTest, space: dict[str, Any], solution: Mapping[str, Any], *, shared: bool
    ) -> int:
        from .pytest_plugin import run

        assert test.code is not None
        space.update(__name__=MODULE, __file__=f"{MODULE}.py")
        module = types.ModuleType(MODULE) if type(space) is dict else _Module(space)
        sys.modules[MODULE] = module
        module.__dict__.update(space)
        space = module.__dict__ if type(space) is dict else space
        tree = parsed(test.source)
        import_as_solution(tree, solution, runner.plan.entry_point)
        with main_calls_do_nothing():
            exec(test.code, space)
        module.__dict__.update(space)

        def code_of(error: BaseException) -> int:
            return runner.code_of(error, shared)

        candidate = (runner.plan.entry_point, solution)
        decided = skips_by_answer(tree)
        return run(module, defined_names(tree), candidate, code_of, runner.page.describe, all_must_run=decided)
