"""The kind "asserts": Python statements that call the solution by name."""

from __future__ import annotations

from .base import LONG_SLACK, PASSED, SHORT_SLACK, Kind, PreparedTest, Runner, compile_python
from .static_analysis import plain_call

LONG_TEST = 4000
"""A test with at least this many characters may make thousands of calls."""


class Asserts(Kind):
    """Tests of Python statements. A test passes when all its statements run without an exception."""

    def compile(self, test: PreparedTest) -> None:
        """Compile the test. If it makes one plain call, keep the call, so that it can be sent ahead."""
        test.plain = plain_call(compile_python(test))

    def cpu_slack(self, limits: dict[str, float], test: PreparedTest) -> float:
        """Return a short slack for a test of fewer than LONG_TEST characters, and a long slack for other tests."""
        return SHORT_SLACK if len(test.source) < LONG_TEST else LONG_SLACK

    def run(self, runner: Runner, test: PreparedTest) -> int:
        """Run the statements and return P. A name of the helpers has precedence over the same name of the solution."""
        assert test.code is not None
        exec(test.code, {**runner.bindings, **runner.space})
        return PASSED

    def run_shared(self, runner: Runner, test: PreparedTest) -> int:
        """Run the statements in a copy of the namespace of solution and helpers, and return P."""
        assert test.code is not None
        exec(test.code, dict(runner.space))
        return PASSED
