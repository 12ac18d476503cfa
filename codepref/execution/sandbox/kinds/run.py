"""The kind "run". A whole program runs, and the engine gets its status and what it printed. Nothing is compared.

The service uses this kind for `/run_code`. A file of problems cannot hold tests of this kind. `processes/captured.py`
says what the text of a solution holds here.
"""

from __future__ import annotations

import binascii
import json

from ..wire.printed import MAX_FETCHED, MAX_PRINTED
from .base import PASSED, Kind, PreparedTest, Runner

MAX_NAMES = 1 << 16
"""The paths and the contents of all files that are sent back may together be this much larger than MAX_FETCHED."""


class Run(Kind):
    """A run without a test. It passes if the program ran to its end, whatever its status."""

    whole_program = True
    records_answers = False
    reports_output = True

    def compile(self, test: PreparedTest) -> None:
        """Do nothing, since the test has no source."""

    def run(self, runner: Runner, test: PreparedTest) -> int:
        """Run the program in the solution's process. Write its status, output and files into the page. Return PASSED.

        Raises TypeError or ValueError if the solution's process sends a malformed or a too large result.
        """
        answer = runner.link.request("run", runner.source)
        if type(answer) is not tuple or list(map(type, answer)) != [int, bytes, bytes, dict]:
            raise TypeError("the solution's process sent a malformed result")
        status, output, errors, files = answer
        if not all(type(name) is str and type(content) is bytes for name, content in files.items()):
            raise TypeError("the solution's process sent malformed files")
        size = sum(len(name) + len(content) for name, content in files.items())
        if not 0 <= status < 256 or max(len(output), len(errors)) > MAX_PRINTED or size > MAX_FETCHED + MAX_NAMES:
            raise ValueError("the solution's process sent a result that is too large or has a wrong status")
        fields = {
            "return_code": status,
            "stdout": output.decode("utf-8", "replace"),
            "stderr": errors.decode("utf-8", "replace"),
            "files": {name: binascii.b2a_base64(body, newline=False).decode() for name, body in files.items()},
        }
        runner.page.write_printed(json.dumps(fields, ensure_ascii=False).encode("utf-8", "replace"))
        return PASSED
