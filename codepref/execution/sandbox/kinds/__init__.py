"""The kinds of tests, as the sandbox runs them: one file a kind, one line a kind in `KINDS`.

To add a kind: write a file here with a subclass of `Kind`, add a line to KINDS below, and add a line to the table of
`codepref.problems.kinds`, which holds what codepref must know of a kind outside the sandbox. A test checks that both
tables name the same kinds. A kind cannot come from another package: a worker loads only its own code.
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
