"""The benchmark beside EvalPlus: agreement, causes, what BigCodeBench's gold lacks, and tables, on hand-made input."""

import json
import os
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"
sys.path.insert(0, str(FOLDER))

import bigcodebench_gold as gold  # noqa: E402
import evalplus_agreement as agreement  # noqa: E402
import evalplus_causes as causes  # noqa: E402
import evalplus_table as table  # noqa: E402

from codepref.problems.load import problems_from_rows  # noqa: E402

DATA = Path(os.environ.get("CODEPREF_DATA", Path(__file__).parents[3] / "shared" / "data"))


def told(*, ended: bool = True, counted: int = 3, raised: str = "", spent: float = 0.1) -> dict:
    return {"ended": ended, "counted": counted, "inputs": 3, "raised": raised, "limit": 1.0, "spent": spent}


def verdict(word: str, passed: bool = False, **more) -> dict:
    return {"word": word, "passed": passed, "timed_out": "T" in word, "detail": "", "cpu_ms": 1.0, **more}


def facts(ours: dict, theirs: dict, *, alone: tuple[dict, dict] | None = None, **more) -> dict:
    mine, other = alone or (ours, theirs)
    base = {"ours": ours, "theirs": theirs, "alone": {"ours": mine, "theirs": other}, "peer": "evalplus"}
    base |= {
        "why": {"base": told(), "plus": told()},
        "generous": ours,
        "patient": theirs,
        "roomy": theirs,
        "repaired": [],
        "helpers": [],
        "seconds": 1.0,
    }
    return {**base, "solution": "def f(): pass", "completion": "", "probe": {}, **more}


def test_codes_become_words_and_a_problem_without_plus_inputs_has_one() -> None:
    assert agreement.words_of("PT") == ["pass", "timeout"]
    assert agreement.words_of("EX") == ["fail", "fail"]
    assert agreement.words_of("P") == ["pass", "pass"]


def test_only_pass_against_not_pass_differs() -> None:
    assert not agreement.differ({"codepref": ["fail", "timeout"], "evalplus": ["timeout", "fail"]})
    assert agreement.differ({"codepref": ["pass", "fail"], "evalplus": ["pass", "pass"]})
    rows = [{"codepref": True, "evalplus": True}, {"codepref": True, "evalplus": False}]
    assert agreement.counted(rows) == {"samples": 2, "agree": 1, "passed by codepref": 2, "passed by evalplus": 1}


@pytest.mark.parametrize(
    ("more", "cause"),
    [
        ({"why": {"base": told(counted=0), "plus": told()}}, "EvalPlus fails what its own check accepts"),
        ({"roomy": verdict("pass/pass", True)}, "EvalPlus's limit of memory"),
        ({"patient": verdict("pass/pass", True)}, "EvalPlus's limit of one input"),
        (
            {"why": {"base": told(), "plus": told(ended=False, raised="TimeoutException after 1.0 s")}},
            "EvalPlus's limit of one input",
        ),
        ({"alone": (verdict("PP", True), verdict("pass/pass", True))}, "the peer's verdict depends on company"),
        ({"why": {"base": told(), "plus": told(ended=False, raised="KeyError after 0.0 s")}}, "unexplained"),
    ],
)
def test_why_evalplus_fails_what_codepref_passes(more: dict, cause: str) -> None:
    assert causes.cause_of_difference(facts(verdict("PP", True), verdict("pass/fail"), **more)).startswith(cause)


def test_the_input_the_limit_and_a_repair_are_told() -> None:
    why = {"base": told(), "plus": told(ended=False, counted=2, raised="TimeoutException after 1.00 s")}
    both = {"why": why, "patient": verdict("pass/pass", True), "repaired": ["too large"]}
    said = causes.cause_of_difference(facts(verdict("PP", True), verdict("pass/fail"), **both))
    assert "plus input 1, TimeoutException after 1.00 s (limit 1.0 s); with 30 s pass/pass" in said
    assert said.endswith("codepref leaves inputs out (too large)")


def test_why_codepref_stops_what_evalplus_passes() -> None:
    why = {"base": told(), "plus": told(spent=7.3)}
    both = {"why": why, "generous": verdict("PP", True)}
    said = causes.cause_of_difference(facts(verdict("PT", cpu_ms=3000.0), verdict("pass/pass", True), **both))
    assert said.startswith("codepref's patience")
    assert said.endswith("after 3.0 s of CPU; with --patience 0 PP; EvalPlus took 7.3 s for the longer test")


PLAIN = {"word": "passes", "said": "", "network": False, "files": False}


@pytest.mark.parametrize(
    ("missing", "code", "plain", "lacks"),
    [
        ([], "P", PLAIN, ""),
        (["lxml"], "E", PLAIN, "a package that is not installed: lxml"),
        ([], "X", {**PLAIN, "files": True}, "files to write: PermissionError: no"),
        (
            [],
            "X",
            {**PLAIN, "word": "fails", "network": True, "files": True, "said": "s"},
            "a network and files to write",
        ),
        ([], "F", {**PLAIN, "word": "fails", "said": "s"}, "the suite fails anywhere"),
        ([], "X", PLAIN, "what the sandbox refuses"),
    ],
)
def test_what_a_gold_solution_lacks(missing: list, code: str, plain: dict, lacks: str) -> None:
    assert gold.lacking(missing, code, "test_a (x): PermissionError: no", plain).startswith(lacks)


def suite(body: str) -> dict:
    return {
        "task_id": "BigCodeBench/0",
        "complete_prompt": "def f():\n",
        "canonical_solution": "    return 1\n",
        "test": f"import unittest\nclass TestCases(unittest.TestCase):\n    def test(self):\n        {body}\n",
        "entry_point": "f",
    }


@pytest.mark.parametrize(
    ("body", "word", "used"),
    [
        ("self.assertEqual(f(), 1)", "passes", set()),
        ("open('a', 'w').close()", "passes", {"files"}),
        ("self.assertEqual(f(), 2)", "fails", set()),
        ("__import__('socket').socket().connect(('127.0.0.1', 1))", "fails", {"network"}),
    ],
)
def test_suites_outside_the_sandbox_tell_what_they_use(body: str, word: str, used: set) -> None:
    (problem,) = problems_from_rows([suite(body)])
    found = gold.plainly(problem)
    assert (found["word"], {name for name in ("network", "files") if found[name]}) == (word, used)


def test_the_base_install_is_what_codepref_itself_requires() -> None:
    found = gold.base_install()
    assert {"codepref", "numpy", "torch", "pandas"} <= found  # pandas by way of datasets
    assert not {"pytest", "scipy", "vllm", "matplotlib"} & found


def test_what_evalplus_prints_becomes_two_columns() -> None:
    printed = [
        "humaneval (base tests)",
        "pass@1:\t0.500",
        "pass@10:\t0.750",
        "humaneval+ (base + extra tests)",
        "pass@1:\t0.250",
    ]
    told = {"codepref": {"base": {"pass@1": 0.5}, "plus": {"pass@1": 0.2504}}}
    rows = table.figures({**told, "evalplus of codepref's file": printed, "evalplus": printed})
    assert rows[0] == ["codepref", "pass@1 0.500", "pass@1 0.250"]
    assert rows[2] == ["evalplus", "pass@1 0.500, pass@10 0.750", "pass@1 0.250"]


@pytest.mark.skipif(not (DATA / "codegen16b").is_dir(), reason="needs the published files (CODEPREF_DATA)")
def test_the_samples_are_those_that_were_published() -> None:
    problems = agreement.read_rows(DATA / "evalplus" / "MbppPlus.jsonl.gz")[:2]
    rows = agreement.samples_of("mbpp+ gold", DATA, problems, None)
    assert [row["solution"] for row in rows] == [problem["canonical_solution"] for problem in problems]
    problems = agreement.read_rows(DATA / "evalplus" / "HumanEvalPlus.jsonl.gz")[:1]
    rows = agreement.samples_of("humaneval+ codegen16b", DATA, problems, 3)
    assert [row["task_id"] for row in rows] == ["HumanEval/0"] * 3
    assert all(row["solution"].count("def has_close_elements") == 1 for row in rows)
    assert len(agreement.samples_of("humaneval+ codegen16b", DATA, problems, None)) == 100


def test_the_kept_results_make_the_kept_document() -> None:
    results = FOLDER / "results"
    parts = json.loads((results / "evalplus.json").read_text())
    assert table.document(parts) == (results / "evalplus.md").read_text()
