"""The kinds of tests, as the sandbox runs them. `KINDS` has one line for each kind.

To add a kind, write a module here with a subclass of `Kind` and add a line to KINDS. Then add a line to the table in
`codepref.problems.kinds`, which holds the facts about a kind that codepref needs outside the sandbox. A test of
codepref checks that both tables name the same kinds. Another package cannot add a kind.
"""

from __future__ import annotations

from .asserts import Asserts
from .base import Kind
from .calls import Calls
from .check import Check
from .checker import Checker
from .doctest_examples import DoctestExamples
from .inputs import Inputs
from .pytest_suite import PytestSuite
from .run import Run
from .stdio import Stdio
from .unittest_suite import UnittestSuite

KINDS: dict[str, Kind] = {
    "asserts": Asserts(),
    "check": Check(),
    "inputs": Inputs(),
    "unittest": UnittestSuite(),
    "pytest": PytestSuite(),
    "doctest": DoctestExamples(),
    "stdio": Stdio(),
    "checker": Checker(),
    "calls": Calls(),
    "run": Run(),
}
