"""The kind "asserts": Python statements that call the solution by name."""

from __future__ import annotations

from ..wire.errors import of_solution
from .base import FAILED, LONG_SLACK, PASSED, SHORT_SLACK, Kind, PreparedTest, Runner, compile_python
from .static_analysis import plain_call

LONG_TEST = 4000
"""A test with at least this many characters gets LONG_SLACK, since it may make thousands of calls."""


class Asserts(Kind):
    """Tests of Python statements. A test passes if it ends within the limits without an exception.

    `run` says when SystemExit counts as passing.
    """

    def compile(self, test: PreparedTest) -> None:
        """Compile the test. Unless it needs its own scope, store its plain call, which can be sent ahead."""
        test.plain = plain_call(compile_python(test))
        if test.analysis is not None and test.analysis.needs_own_scope:
            test.plain = None

    def cpu_slack(self, limits: dict[str, float], test: PreparedTest) -> float:
        """Return SHORT_SLACK for a test of fewer than LONG_TEST characters, and LONG_SLACK for any other test."""
        return SHORT_SLACK if len(test.source) < LONG_TEST else LONG_SLACK

    def run(self, runner: Runner, test: PreparedTest) -> int:
        """Run the statements, and return P, or F for the exit of a test with another status than 0 or None.

        A SystemExit of the solution is raised. A name in the helpers has precedence over the same name in the solution.
        """
        assert test.code is not None
        try:
            exec(test.code, runner.scope(test))
        except SystemExit as stop:
            if of_solution(stop):
                raise
            if stop.code is not None and not (type(stop.code) in (int, bool) and stop.code == 0):
                runner.page.describe(f"the test ended with status {str(stop.code)[:200]}")
                return FAILED
        return PASSED

    def run_shared(self, runner: Runner, test: PreparedTest) -> int:
        """Run the statements in the namespace that holds the solution and the helpers. Return P.

        A SystemExit is raised whatever its status, since the solution may have caused it.
        """
        assert test.code is not None
        exec(test.code, runner.space)
        return PASSED
