"""The kind "inputs": the solution's outputs for many inputs are compared with those of a reference solution."""

from __future__ import annotations

import builtins
from typing import Any

from ..confinement.allowlist import shareable
from ..wire.plan import stepped
from .base import FAILED, OUR_FAULT, PASSED, Kind, PreparedTest, Runner, compiled
from .expected_outputs import InputsPlan, all_right
from .static_analysis import parsed

INPUTS_SLACK = 5.0
"""Seconds of CPU that the test runner may use in such a test beyond twice the test's limit."""


class Inputs(Kind):
    """The test passes when every output is accepted. The time of the reference sets the time limit."""

    records_answers = False

    def inputs_plan(self, source: Any) -> InputsPlan:
        """The six fields of the test."""
        return InputsPlan(*source)

    def compile(self, test: PreparedTest) -> None:
        """Compile the oracle. The inputs and the reference are never compiled in a zygote."""
        assert test.inputs is not None
        test.oracle = compiled(test.inputs.oracle)
        test.stateless = shareable(parsed(test.inputs.oracle))

    def names_without_compiling(self, test: PreparedTest) -> set[str]:
        """None: the test names nothing of the solution except the entry point."""
        return set()

    def cpu_limit(self, limits: dict[str, float], test: PreparedTest) -> float:
        """The time limit that follows from the reference's time; never below the plain limit.

        The reference shows how long a right solution takes, so one attempt is enough.
        """
        assert test.inputs is not None
        seconds = test.inputs.seconds
        by_factor = stepped(limits["timeout_factor"] * seconds, limits["cpu_seconds"])
        return max(
            limits["cpu_seconds"], limits["reference_factor"] * seconds, min(limits["max_cpu_seconds"], by_factor)
        )

    def cpu_slack(self, limits: dict[str, float], test: PreparedTest) -> float:
        """As much as the limit, and INPUTS_SLACK."""
        return INPUTS_SLACK + self.cpu_limit(limits, test)

    def run(self, runner: Runner, test: PreparedTest) -> int:
        """Call the solution batch by batch and compare. The code I says that there are no expected outputs."""
        inputs = test.inputs
        assert inputs is not None
        if inputs.failure:
            runner.page.describe(inputs.failure)
            return OUR_FAULT
        accept = None
        if test.oracle is not None and inputs.oracle:
            space: dict[str, Any] = {"__builtins__": builtins}
            exec(test.oracle, space)
            accept = space["accept"]
        return PASSED if all_right(runner.link, inputs, accept, runner.page.describe) else FAILED
