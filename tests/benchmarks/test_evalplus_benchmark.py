"""Tests of the EvalPlus benchmark: agreement, causes, what BigCodeBench's gold solutions lack, and tables."""

import json
import os
from pathlib import Path

import pytest

from benchmarks.evalplus import agreement, causes, table
from benchmarks.evalplus import bigcodebench as gold
from codepref.problems.load import problems_from_rows

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"
DATA = Path(os.environ.get("CODEPREF_DATA", Path(__file__).parents[3] / "shared" / "data"))


def check(*, ended: bool = True, counted: int = 3, raised: str = "", spent: float = 0.1) -> dict:
    return {"ended": ended, "counted": counted, "inputs": 3, "raised": raised, "limit": 1.0, "spent": spent}


def verdict(status: str, passed: bool = False, **more) -> dict:
    return {"status": status, "passed": passed, "timed_out": "T" in status, "detail": "", "cpu_ms": 1.0, **more}


def facts(ours: dict, theirs: dict, *, alone: tuple[dict, dict] | None = None, **more) -> dict:
    mine, other = alone or (ours, theirs)
    base = {"ours": ours, "theirs": theirs, "alone": {"ours": mine, "theirs": other}, "peer": "evalplus"}
    base |= {
        "check": {"base": check(), "plus": check()},
        "no_timeout_factor": ours,
        "long_limit": theirs,
        "no_memory_limit": theirs,
        "repaired": [],
        "helpers": [],
        "seconds": 1.0,
    }
    return {**base, "solution": "def f(): pass", "completion": "", "probe": {}, **more}


def test_codes_become_statuses_and_one_code_stands_for_base_and_plus() -> None:
    assert agreement.evalplus_statuses("PT") == ["pass", "timeout"]
    assert agreement.evalplus_statuses("EX") == ["fail", "fail"]
    assert agreement.evalplus_statuses("P") == ["pass", "pass"]


def test_only_a_pass_against_a_failure_differs() -> None:
    assert not agreement.differ({"codepref": ["fail", "timeout"], "evalplus": ["timeout", "fail"]})
    assert agreement.differ({"codepref": ["pass", "fail"], "evalplus": ["pass", "pass"]})
    rows = [{"codepref": True, "evalplus": True}, {"codepref": True, "evalplus": False}]
    assert agreement.count_agreement(rows) == {
        "samples": 2,
        "agree": 1,
        "passed by codepref": 2,
        "passed by evalplus": 1,
    }


@pytest.mark.parametrize(
    ("more", "cause"),
    [
        ({"check": {"base": check(counted=0), "plus": check()}}, "EvalPlus fails a sample that its own check accepts"),
        ({"no_memory_limit": verdict("pass/pass", True)}, "EvalPlus's memory limit"),
        ({"long_limit": verdict("pass/pass", True)}, "EvalPlus's wall-clock limit of one input"),
        (
            {"check": {"base": check(), "plus": check(ended=False, raised="TimeoutException after 1.0 s")}},
            "EvalPlus's wall-clock limit of one input",
        ),
        ({"alone": (verdict("PP", True), verdict("pass/pass", True))}, "the peer's verdict depends on other samples"),
        ({"check": {"base": check(), "plus": check(ended=False, raised="KeyError after 0.0 s")}}, "unexplained"),
    ],
)
def test_the_cause_when_evalplus_fails_a_sample_that_codepref_passes(more: dict, cause: str) -> None:
    assert causes.cause_of_difference(facts(verdict("PP", True), verdict("pass/fail"), **more)).startswith(cause)


def test_a_cause_names_the_input_the_limit_and_the_repair() -> None:
    checks = {"base": check(), "plus": check(ended=False, counted=2, raised="TimeoutException after 1.00 s")}
    more = {"check": checks, "long_limit": verdict("pass/pass", True), "repaired": ["too large"]}
    cause = causes.cause_of_difference(facts(verdict("PP", True), verdict("pass/fail"), **more))
    assert "plus input 1, TimeoutException after 1.00 s (limit 1.0 s); with 30 s pass/pass" in cause
    assert cause.endswith("codepref leaves out inputs (too large)")


def test_the_cause_when_codepref_stops_a_sample_that_evalplus_passes() -> None:
    checks = {"base": check(), "plus": check(spent=7.3)}
    more = {"check": checks, "no_timeout_factor": verdict("PP", True)}
    cause = causes.cause_of_difference(facts(verdict("PT", cpu_ms=3000.0), verdict("pass/pass", True), **more))
    assert cause.startswith("codepref's timeout factor")
    assert cause.endswith("after 3.0 s of CPU; without the factor PP; EvalPlus took 7.3 s for the longer test")


UNCONFINED = {"status": "passes", "message": "", "network": False, "files": False}


@pytest.mark.parametrize(
    ("missing", "code", "unconfined", "lacks"),
    [
        ([], "P", UNCONFINED, ""),
        (["lxml"], "E", UNCONFINED, "a package that is not installed: lxml"),
        ([], "X", {**UNCONFINED, "files": True}, "files to write: PermissionError: no"),
        (
            [],
            "X",
            {**UNCONFINED, "status": "fails", "network": True, "files": True, "message": "s"},
            "a network and files to write",
        ),
        ([], "F", {**UNCONFINED, "status": "fails", "message": "s"}, "the suite fails everywhere"),
        ([], "X", UNCONFINED, "something that the sandbox refuses"),
    ],
)
def test_what_a_gold_solution_lacks(missing: list, code: str, unconfined: dict, lacks: str) -> None:
    assert gold.lacking(missing, code, "test_a (x): PermissionError: no", unconfined).startswith(lacks)


def suite(body: str) -> dict:
    return {
        "task_id": "BigCodeBench/0",
        "complete_prompt": "def f():\n",
        "canonical_solution": "    return 1\n",
        "test": f"import unittest\nclass TestCases(unittest.TestCase):\n    def test(self):\n        {body}\n",
        "entry_point": "f",
    }


@pytest.mark.parametrize(
    ("body", "status", "used"),
    [
        ("self.assertEqual(f(), 1)", "passes", set()),
        ("open('a', 'w').close()", "passes", {"files"}),
        ("self.assertEqual(f(), 2)", "fails", set()),
        ("__import__('socket').socket().connect(('127.0.0.1', 1))", "fails", {"network"}),
    ],
)
def test_a_suite_outside_the_sandbox_reports_what_it_uses(body: str, status: str, used: set) -> None:
    (problem,) = problems_from_rows([suite(body)])
    result = gold.run_unconfined(problem)
    assert (result["status"], {name for name in ("network", "files") if result[name]}) == (status, used)


def test_the_base_install_is_what_codepref_itself_requires() -> None:
    names = gold.base_install()
    assert {"codepref", "numpy", "torch", "pandas", "pytest"} <= names  # datasets requires pandas
    assert not {"hypothesis", "scipy", "vllm", "matplotlib"} & names


def test_the_lines_that_evalplus_prints_become_two_columns() -> None:
    printed = [
        "humaneval (base tests)",
        "pass@1:\t0.500",
        "pass@10:\t0.750",
        "humaneval+ (base + extra tests)",
        "pass@1:\t0.250",
    ]
    figures = {"codepref": {"base": {"pass@1": 0.5}, "plus": {"pass@1": 0.2504}}}
    rows = table.pass_at_k({**figures, "evalplus of codepref's file": printed, "evalplus": printed})
    assert rows[0] == ["codepref", "pass@1 0.500", "pass@1 0.250"]
    assert rows[2] == ["evalplus", "pass@1 0.500, pass@10 0.750", "pass@1 0.250"]


@pytest.mark.skipif(not (DATA / "codegen16b").is_dir(), reason="needs the published files (CODEPREF_DATA)")
def test_the_samples_are_the_published_samples() -> None:
    problems = agreement.read_rows(DATA / "evalplus" / "MbppPlus.jsonl.gz")[:2]
    rows = agreement.samples_of("mbpp+ gold", DATA, problems, None)
    assert [row["solution"] for row in rows] == [problem["canonical_solution"] for problem in problems]
    problems = agreement.read_rows(DATA / "evalplus" / "HumanEvalPlus.jsonl.gz")[:1]
    rows = agreement.samples_of("humaneval+ codegen16b", DATA, problems, 3)
    assert [row["task_id"] for row in rows] == ["HumanEval/0"] * 3
    assert all(row["solution"].count("def has_close_elements") == 1 for row in rows)
    assert len(agreement.samples_of("humaneval+ codegen16b", DATA, problems, None)) == 100


def test_the_results_under_version_control_give_the_document_under_version_control() -> None:
    parts = json.loads((RESULTS / "evalplus.json").read_text())
    assert table.document(parts) == (RESULTS / "evalplus.md").read_text()
