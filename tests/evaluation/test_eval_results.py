"""Tests of writing and reading EvalPlus's result files. The format is that of evaluate.py in EvalPlus 0.3.1."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from codepref.errors import UserError
from codepref.evaluation.eval_results import write_eval_results
from codepref.evaluation.scores import ProblemScore, Scores, compare, differing_conditions, read_scores, write_scores
from codepref.records import Test, Verdict, VerdictMatrix


def matrix(task: str, codes: list[str], names: tuple[str, ...] = ("base", "plus")) -> VerdictMatrix:
    tests = tuple(Test(task, name, "source", "inputs") for name in names)
    return VerdictMatrix(task, tests, tuple(Verdict(task, at, f"code {at}", row) for at, row in enumerate(codes)))


def sample(base: str, plus: str | None) -> dict[str, Any]:
    return {"task_id": "a", "solution": "code", "base_status": base, "plus_status": plus}


def results(path: Path, samples: dict[str, Any], **more: Any) -> Path:
    path.write_text(json.dumps({"date": "2025-01-01 00:00", "hash": "h", "eval": samples, **more}))
    return path


def test_verdict_codes_become_the_statuses_of_evalplus(tmp_path: Path) -> None:
    path = tmp_path / "s_eval_results.json"
    write_eval_results(path, [matrix("a", ["PP", "PF", "FF", "TP", "PT", "EE", "MX", "FS"])])
    document = json.loads(path.read_text())
    assert list(document) == ["date", "hash", "eval", "pass_at_k"]
    rows = document["eval"]["a"]
    assert list(rows[0]) == [
        "task_id",
        "solution",
        "base_status",
        "plus_status",
        "base_fail_tests",
        "plus_fail_tests",
    ]
    statuses = [(row["base_status"], row["plus_status"]) for row in rows]
    assert statuses[:5] == [
        ("pass", "pass"),
        ("pass", "fail"),
        ("fail", "fail"),
        ("timeout", "pass"),
        ("pass", "timeout"),
    ]
    assert set(statuses[5:]) == {("fail", "fail")}
    assert [row["solution"] for row in rows] == [f"code {at}" for at in range(8)]
    assert document["hash"] is None


def test_pass_at_k_equals_values_derived_by_hand(tmp_path: Path) -> None:
    matrices = [matrix("a", ["PP"] * 5 + ["PF"] * 5), matrix("b", ["FF"] * 10)]
    figures = write_eval_results(tmp_path / "r.json", matrices)
    # Of the 10 samples of a, 10 pass the base tests and 5 pass the plus tests too. No sample of b passes any. At least
    # one of ten samples of a is correct, so its pass@10 is 1.
    assert figures == {"base": {"pass@1": 0.5, "pass@10": 0.5}, "plus": {"pass@1": 0.25, "pass@10": 0.5}}
    assert json.loads((tmp_path / "r.json").read_text())["pass_at_k"] == figures


def test_solutions_of_unknown_correctness_are_left_out(tmp_path: Path) -> None:
    write_eval_results(tmp_path / "r.json", [matrix("a", ["PI", "II", "FI", "PP", "PS"]), matrix("b", ["II"])])
    written = json.loads((tmp_path / "r.json").read_text())["eval"]
    assert {task: [row["solution"] for row in rows] for task, rows in written.items()} == {"a": ["code 2", "code 3"]}
    assert written["a"][0]["plus_status"] == "fail"


def test_problems_without_plus_inputs_or_with_tests_of_other_names_are_written(tmp_path: Path) -> None:
    write_eval_results(tmp_path / "r.json", [matrix("a", ["PP"]), matrix("b", ["P", "F"], ("base",))])
    written = json.loads((tmp_path / "r.json").read_text())["eval"]
    assert [(row["base_status"], row["plus_status"]) for row in written["b"]] == [("pass", "pass"), ("fail", "fail")]
    figures = write_eval_results(tmp_path / "o.json", [matrix("a", ["PP", "PF"], ("0", "1"))])
    written = json.loads((tmp_path / "o.json").read_text())["eval"]
    assert [(row["base_status"], row["plus_status"]) for row in written["a"]] == [("pass", None), ("fail", None)]
    assert figures == {"base": {"pass@1": 0.5}}


def test_without_any_judged_solution_or_with_mixed_problems_no_file_is_written(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    with pytest.raises(UserError, match="no solution has a known correctness"):
        write_eval_results(path, [matrix("a", ["II"])])
    with pytest.raises(UserError, match="a has a plus_status and b has none"):
        write_eval_results(path, [matrix("a", ["PP"]), matrix("b", ["PP"], ("0", "1"))])
    assert list(tmp_path.iterdir()) == []


def test_the_hash_is_that_of_the_uncompressed_lines(tmp_path: Path) -> None:
    text = b'{"task_id": "a"}\n'
    (tmp_path / "p.jsonl").write_bytes(text)
    (tmp_path / "p.jsonl.gz").write_bytes(gzip.compress(text))
    for name in ("p.jsonl", "p.jsonl.gz"):
        write_eval_results(tmp_path / "r.json", [matrix("a", ["PP"])], tmp_path / name)
        assert json.loads((tmp_path / "r.json").read_text())["hash"] == hashlib.md5(text).hexdigest()


def test_lone_surrogates_in_a_solution_are_kept(tmp_path: Path) -> None:
    verdict = Verdict("a", 0, "x = '\ud800'", "PP")
    write_eval_results(tmp_path / "r.json", [VerdictMatrix("a", matrix("a", []).tests, (verdict,))])
    assert json.loads((tmp_path / "r.json").read_text())["eval"]["a"][0]["solution"] == "x = '\ud800'"


def test_results_are_read_as_scores(tmp_path: Path) -> None:
    rows = {
        "a": [sample("pass", "pass"), sample("pass", "fail"), sample("fail", "pass")],
        "b": [sample("pass", "pass")],
    }
    scores = read_scores(results(tmp_path / "model_temp_0.8_eval_results.json", rows))
    assert scores.label == "model_temp_0.8"
    assert scores.problems == (ProblemScore("a", "sampled", 3, 1), ProblemScore("b", "sampled", 1, 1))
    assert scores.conditions == {"tests": "base and plus", "data set": "h"}
    base = read_scores(results(tmp_path / "b.json", {"a": [sample("pass", None)]}))
    assert base.problems == (ProblemScore("a", "sampled", 1, 1),)
    assert differing_conditions(scores, base) == ["tests"]


def test_scores_of_a_folder_come_from_scores_json_or_else_from_evalplus(tmp_path: Path) -> None:
    results(tmp_path / "eval_results.json", {"a": [sample("pass", "pass")]})
    assert read_scores(tmp_path).label == tmp_path.name
    write_scores(Scores("own", (ProblemScore("a", "sampled", 1, 0),)), tmp_path)
    assert read_scores(tmp_path).label == "own"


def test_a_written_file_can_be_compared_with_a_score_file_on_either_side(tmp_path: Path) -> None:
    write_eval_results(tmp_path / "a.json", [matrix("a", ["PP"]), matrix("b", ["PF"]), matrix("c", ["FF"])])
    rows = (ProblemScore("a", "sampled", 1, 1), ProblemScore("c", "sampled", 1, 1), ProblemScore("b", "sampled", 1, 1))
    scores = write_scores(Scores("own", rows), tmp_path / "own")
    (comparison,) = compare(tmp_path / "a.json", scores)
    assert (comparison.name, comparison.wins, comparison.losses, comparison.ties) == ("pass@1", 2, 0, 1)
    (comparison,) = compare(scores, tmp_path / "a.json")
    assert (comparison.wins, comparison.losses) == (0, 2)


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        ({}, "holds no sample"),
        (
            {"a": [sample("pass", "pass")], "b": [sample("pass", None)]},
            "of a have a plus_status and samples of b have none",
        ),
        ({"a": {"nfiles": 1, "base": [["success", []]], "plus": []}}, "a does not have results of EvalPlus 0.3"),
        ({"a": [{"task_id": "a", "status": "pass"}]}, "a does not have results of EvalPlus 0.3"),
    ],
)
def test_documents_of_another_format_are_refused(tmp_path: Path, samples: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        read_scores(results(tmp_path / "r.json", samples))
    assert len(caught.value.problems) == 1


def test_a_comparison_of_different_problems_is_refused_with_their_names(tmp_path: Path) -> None:
    one = results(tmp_path / "x_eval_results.json", {"HumanEval/0": [sample("pass", "pass")]})
    other = results(tmp_path / "y_eval_results.json", {"Mbpp/2": [sample("pass", "pass")]})
    with pytest.raises(UserError, match=r"x lacks 1 problems \(sampled\): Mbpp/2"):
        compare(one, other)


def test_a_file_of_neither_format_is_refused_with_both_formats(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_text('{"results": {"humaneval": {"pass@1": 0.3}}}')
    with pytest.raises(UserError, match=r"not a score file.*codepref evaluate.*EvalPlus"):
        read_scores(path)
