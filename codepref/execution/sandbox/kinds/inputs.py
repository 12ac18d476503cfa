"""The kind "inputs". A test compares the solution's outputs for a list of inputs with those of a reference solution."""

from __future__ import annotations

import builtins
from typing import Any

from ..confinement.allowlist import shareable
from ..wire.plan import stepped
from .base import FAILED, OUR_FAULT, PASSED, Kind, PreparedTest, Runner, compiled
from .expected_outputs import InputsPlan, all_right
from .static_analysis import parsed

INPUTS_SLACK = 5.0
"""The fixed part of the CPU time, in seconds, that `Inputs.cpu_slack` allows the test runner for comparing outputs."""


class Inputs(Kind):
    """Tests with a reference solution. A test passes if every output is accepted within the limits.

    The time limit of a test follows from the CPU time of its reference and from the limits of the task.
    """

    records_answers = False

    def inputs_plan(self, source: Any) -> InputsPlan:
        """Return an `InputsPlan` with the six fields of the test."""
        return InputsPlan(*source)

    def compile(self, test: PreparedTest) -> None:
        """Compile the oracle. The inputs and the reference are not compiled here."""
        assert test.inputs is not None
        test.oracle = compiled(test.inputs.oracle)
        test.stateless = shareable(parsed(test.inputs.oracle))

    def names_without_compiling(self, test: PreparedTest) -> set[str]:
        """Return an empty set, since a test of this kind uses nothing of the solution except the entry point."""
        return set()

    def cpu_limit(self, limits: dict[str, float], test: PreparedTest) -> float:
        """Return the time limit that follows from the reference's time. It is at least `cpu_seconds` of this attempt.

        The reference shows how long a right solution takes. So a timeout of such a test alone leads to no second
        attempt.
        """
        assert test.inputs is not None
        seconds = test.inputs.seconds
        by_factor = stepped(limits["timeout_factor"] * seconds, limits["cpu_seconds"])
        return max(
            limits["cpu_seconds"], limits["reference_factor"] * seconds, min(limits["max_cpu_seconds"], by_factor)
        )

    def cpu_slack(self, limits: dict[str, float], test: PreparedTest) -> float:
        """Return the time limit of the test plus INPUTS_SLACK."""
        return INPUTS_SLACK + self.cpu_limit(limits, test)

    def run(self, runner: Runner, test: PreparedTest) -> int:
        """Call the solution batch by batch and compare its outputs with the expected ones.

        Return P or F. Return I if there are no expected outputs.
        """
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
