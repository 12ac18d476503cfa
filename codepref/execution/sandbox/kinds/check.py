"""The kind "check": Python text that defines `check(candidate)`, as in HumanEval (arXiv 2107.03374)."""

from __future__ import annotations

from .base import PASSED, Kind, PreparedTest, Runner


class Check(Kind):
    """Tests that define `check`. A test passes if `check`, called with the entry point, returns within the limits."""

    def run(self, runner: Runner, test: PreparedTest) -> int:
        """Define `check`, call it with the entry point, and return P.

        Raises NameError if neither the solution nor the helpers nor the test defines the entry point.
        """
        assert test.code is not None
        space = runner.scope(test)
        exec(test.code, space)
        name = runner.plan.entry_point
        if name not in space:
            raise NameError(f"name {name!r} is not defined")
        space["check"](runner.bindings.get(name, space[name]))
        return PASSED

    def run_shared(self, runner: Runner, test: PreparedTest) -> int:
        """Define `check`, call it with the entry point, and return P.

        The entry point is looked up before the test's own definitions run. If it is not defined then, `check` gets
        None in its place.
        """
        assert test.code is not None
        space = runner.space
        candidate = space.get(runner.plan.entry_point)
        exec(test.code, space)
        space["check"](candidate)
        return PASSED
