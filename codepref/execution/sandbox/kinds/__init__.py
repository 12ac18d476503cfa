"""The kinds of tests, as the sandbox runs them. Each kind has one file here and one line in `KINDS`.

To add a kind, write a file here with a subclass of `Kind` and add a line to KINDS below. Then add a line to the table
in `codepref.problems.kinds`, which holds what codepref must know of a kind outside the sandbox. A test checks that both
tables name the same kinds. Another package cannot add a kind, since a worker loads only this package's code.
"""

from __future__ import annotations

from .asserts import Asserts
from .base import Kind
from .check import Check
from .inputs import Inputs
from .stdio import Stdio
from .unittest_suite import UnittestSuite

KINDS: dict[str, Kind] = {
    "asserts": Asserts(),
    "check": Check(),
    "inputs": Inputs(),
    "unittest": UnittestSuite(),
    "stdio": Stdio(),
}
