"""The kind "asserts": Python statements that call the solution by name."""

from __future__ import annotations

from .base import LONG_SLACK, PASSED, SHORT_SLACK, Kind, PreparedTest, Runner, compile_python
from .static_analysis import plain_call

LONG_TEST = 4000
"""Characters of a test from which on it may make thousands of calls."""


class Asserts(Kind):
    """The test passes when its statements run to their end."""

    def compile(self, test: PreparedTest) -> None:
        """Compile, and look for one call that can be sent ahead."""
        test.plain = plain_call(compile_python(test))

    def cpu_slack(self, limits: dict[str, float], test: PreparedTest) -> float:
        """Little for short tests."""
        return SHORT_SLACK if len(test.source) < LONG_TEST else LONG_SLACK

    def run(self, runner: Runner, test: PreparedTest) -> int:
        """Run the statements. The helpers' names win over the solution's."""
        assert test.code is not None
        exec(test.code, {**runner.bindings, **runner.space})
        return PASSED

    def run_shared(self, runner: Runner, test: PreparedTest) -> int:
        """Run the statements in a copy of the names of solution and helpers."""
        assert test.code is not None
        exec(test.code, dict(runner.space))
        return PASSED
