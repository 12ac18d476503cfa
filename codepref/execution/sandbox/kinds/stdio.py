"""The kind "stdio". A whole program reads standard input and writes standard output.

`processes/program.py` runs the program in the solution's process, which does not get the expected output. `Stdio` runs
in the test runner, which does. Each test has new processes, so nothing that one run leaves behind (patched modules,
threads, caches) reaches the next run. The two forks for a test take less time than the start of an interpreter.
"""

from __future__ import annotations

import json
from typing import Any

from .base import FAILED, PASSED, Kind, PreparedTest, Runner
from .compare_text import TOLERANCE, same_text
from .compare_unordered import same_lines


class Stdio(Kind):
    """Tests with the input and the expected output of a program. Their sources are JSON with `input` and `output`."""

    whole_program = True
    records_answers = False

    def compile(self, test: PreparedTest) -> None:
        """Do nothing, since the source of the test is not Python."""

    def run(self, runner: Runner, test: PreparedTest) -> int:
        """Run the program in the solution's process and judge its output in this one. Return P or F."""
        wanted = json.loads(test.source)
        output = runner.link.request("stdio", runner.plan.preamble, runner.source, wanted["input"])
        if type(output) is not bytes:
            raise TypeError("the solution's process sent an output that is not bytes")
        reason = self.refusal(output.decode("utf-8", "replace"), wanted)
        if reason:
            runner.page.describe(reason)
        return FAILED if reason else PASSED

    def refusal(self, output: str, wanted: dict[str, Any]) -> str:
        """Return why an output is wrong, or "" if it is right. wanted: the JSON of the test."""
        tolerance = float(wanted.get("tolerance") or TOLERANCE)
        if order := wanted.get("order"):
            right = same_lines(output, wanted["output"], words=order == "words", tolerance=tolerance)
        else:
            right = same_text(output, wanted["output"], tolerance)
        return "" if right else "the program wrote a wrong output"
