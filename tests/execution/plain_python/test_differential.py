"""Tests that codepref judges honest programs as plain Python does.

`python tests/execution/plain_python/differential.py` prints each verdict that is not as the lists state.
"""

from __future__ import annotations

import random

import pytest
from differential import KNOWN, plain_findings, sandbox_findings
from listed import STYLES, functions, programs

pytestmark = pytest.mark.xdist_group("execution")


def test_the_lists_are_as_long_as_promised():
    assert len(functions()) >= 145
    assert len(programs()) >= 56
    assert {problem.style for problem in functions()} == set(STYLES)


@pytest.mark.parametrize("read", [functions, programs])
def test_plain_python_judges_a_sample_as_the_list_states(read):
    assert plain_findings(random.Random(16).sample(read(), 15)) == {}


def test_codepref_judges_functions_as_plain_python_does():
    listed = functions()
    _check(sandbox_findings(listed), len(listed), 140 / 145)


def test_codepref_judges_programs_as_plain_python_does():
    listed = programs()
    _check(sandbox_findings(listed), len(listed), 55 / 56)


def _check(findings: dict[str, list[str]], count: int, share: float) -> None:
    known = {name for name, _ in KNOWN}
    assert {name: lines for name, lines in findings.items() if name not in known} == {}
    assert count - len(findings) >= share * count
