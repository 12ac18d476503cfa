"""Tests that the process of a solution and the process that forks it contain no test, no other solution and no verdict.

There is one exception. If tests share a process with the solution, this process may contain the tests, their expected
values and the shared memory page for verdict codes. The process that forks it may contain the tests and the expected
values.

A solution searches its own memory. The processes of a worker are also searched from outside, where the user who runs
the tests may read their memory. See `memory_search.py`.
"""

from __future__ import annotations

import functools
import os
from pathlib import Path

import pytest

pytest.importorskip("psutil")
from memory_search import NAMES, SITUATIONS, Findings, Situation, markers_in, search

pytestmark = [pytest.mark.xdist_group("memory"), pytest.mark.slow]

CASES = [pytest.param(situation, id=f"{situation.kind}-{situation.naming}") for situation in SITUATIONS]


@functools.cache
def findings_of(situation: Situation) -> Findings:
    return search(situation)


def named(markers: set[str]) -> str:
    return ", ".join(NAMES[name] for name in sorted(markers))


@pytest.mark.parametrize("situation", CASES)
def test_a_solution_finds_nothing_in_its_own_memory(situation: Situation) -> None:
    findings = findings_of(situation)
    assert findings.inside is not None, findings.detail
    leaked = set(findings.inside) - situation.allowed
    assert not leaked, f"the solution found {named(leaked)}"


@pytest.mark.parametrize("situation", CASES)
def test_the_process_of_a_solution_holds_nothing(situation: Situation) -> None:
    findings = findings_of(situation)
    if findings.held is None:
        pytest.skip("this user cannot read the memory of the processes of a worker")
    leaked = set(findings.held) - situation.allowed - ({"PAGE"} if situation.allowed else set())
    assert not leaked, f"the process of the solution holds {named(leaked)}; elsewhere: {findings.others}"


@pytest.mark.parametrize("situation", CASES)
def test_the_process_that_forks_a_solution_holds_nothing(situation: Situation) -> None:
    findings = findings_of(situation)
    if findings.parent is None:
        pytest.skip("this user cannot read the memory of the processes of a worker")
    leaked = set(findings.parent) - situation.allowed
    assert not leaked, f"{findings.parent_name} holds {named(leaked)}; elsewhere: {findings.others}"


@pytest.mark.parametrize("situation", CASES)
def test_no_zygote_holds_solutions_or_their_verdicts(situation: Situation) -> None:
    findings = findings_of(situation)
    if not findings.zygotes:
        pytest.skip("this user cannot read the memory of the processes of a worker")
    # The zygote that forks test runners contains the tests of its task.
    allowed = {"TEST", "EXPECTED", "REFERENCE"}
    leaked = {name: named(set(markers) - allowed) for name, markers in findings.zygotes.items()}
    assert not any(leaked.values()), leaked


@pytest.mark.parametrize("naming", ["plain", "package"])
def test_a_solution_finds_no_expected_outputs_of_another_run(naming: str, tmp_path: Path) -> None:
    findings = search(Situation("inputs", naming), tmp_path)
    assert findings.inside == [], named(set(findings.inside or ["PAGE"]))
    assert not findings.parent, named(set(findings.parent or []))


def test_the_search_finds_a_marker_that_is_there() -> None:
    planted = "".join(("cp", "mark", "PLANTED_"))
    assert "PLANTED" in markers_in(os.getpid())
    assert planted
