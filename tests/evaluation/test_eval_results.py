"""EvalPlus's files of results, written from verdicts, read as scores. Keys and words: evalplus 0.3.1, evaluate.py."""

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


def test_codes_become_evalpluss_words(tmp_path: Path) -> None:
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
    words = [(row["base_status"], row["plus_status"]) for row in rows]
    assert words[:5] == [("pass", "pass"), ("pass", "fail"), ("fail", "fail"), ("timeout", "pass"), ("pass", "timeout")]
    assert set(words[5:]) == {("fail", "fail")}
    assert [row["solution"] for row in rows] == [f"code {at}" for at in range(8)]
    assert document["hash"] is None


def test_pass_at_k_by_hand(tmp_path: Path) -> None:
    matrices = [matrix("a", ["PP"] * 5 + ["PF"] * 5), matrix("b", ["FF"] * 10)]
    figures = write_eval_results(tmp_path / "r.json", matrices)
    # base: 10 of 10 and 0 of 10; plus: 5 of 10 and 0; one of ten is right of a, surely
    assert figures == {"base": {"pass@1": 0.5, "pass@10": 0.5}, "plus": {"pass@1": 0.25, "pass@10": 0.5}}
    assert json.loads((tmp_path / "r.json").read_text())["pass_at_k"] == figures


def test_what_could_not_be_judged_is_left_out(tmp_path: Path) -> None:
    write_eval_results(tmp_path / "r.json", [matrix("a", ["PI", "II", "FI", "PP", "PS"]), matrix("b", ["II"])])
    found = json.loads((tmp_path / "r.json").read_text())["eval"]
    assert {task: [row["solution"] for row in rows] for task, rows in found.items()} == {"a": ["code 2", "code 3"]}
    assert found["a"][0]["plus_status"] == "fail"


def test_a_problem_without_plus_inputs_and_problems_with_tests_of_other_names(tmp_path: Path) -> None:
    write_eval_results(tmp_path / "r.json", [matrix("a", ["PP"]), matrix("b", ["P", "F"], ("base",))])
    found = json.loads((tmp_path / "r.json").read_text())["eval"]
    assert [(row["base_status"], row["plus_status"]) for row in found["b"]] == [("pass", "pass"), ("fail", "fail")]
    figures = write_eval_results(tmp_path / "o.json", [matrix("a", ["PP", "PF"], ("0", "1"))])
    found = json.loads((tmp_path / "o.json").read_text())["eval"]
    assert [(row["base_status"], row["plus_status"]) for row in found["a"]] == [("pass", None), ("fail", None)]
    assert figures == {"base": {"pass@1": 0.5}}


def test_nothing_judged_and_mixed_problems_are_refused_and_leave_no_file(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    with pytest.raises(UserError, match="nothing was judged"):
        write_eval_results(path, [matrix("a", ["II"])])
    with pytest.raises(UserError, match="a has plus tests and b none"):
        write_eval_results(path, [matrix("a", ["PP"]), matrix("b", ["PP"], ("0", "1"))])
    assert list(tmp_path.iterdir()) == []


def test_the_hash_is_that_of_the_lines_also_when_they_are_compressed(tmp_path: Path) -> None:
    text = b'{"task_id": "a"}\n'
    (tmp_path / "p.jsonl").write_bytes(text)
    (tmp_path / "p.jsonl.gz").write_bytes(gzip.compress(text))
    for name in ("p.jsonl", "p.jsonl.gz"):
        write_eval_results(tmp_path / "r.json", [matrix("a", ["PP"])], tmp_path / name)
        assert json.loads((tmp_path / "r.json").read_text())["hash"] == hashlib.md5(text).hexdigest()


def test_half_characters_of_model_text_do_not_stop_it(tmp_path: Path) -> None:
    verdict = Verdict("a", 0, "x = '\ud800'", "PP")
    write_eval_results(tmp_path / "r.json", [VerdictMatrix("a", matrix("a", []).tests, (verdict,))])
    assert json.loads((tmp_path / "r.json").read_text())["eval"]["a"][0]["solution"] == "x = '\ud800'"


def test_results_are_read_as_scores(tmp_path: Path) -> None:
    rows = {
        "a": [sample("pass", "pass"), sample("pass", "fail"), sample("fail", "pass")],
        "b": [sample("pass", "pass")],
    }
    found = read_scores(results(tmp_path / "model_temp_0.8_eval_results.json", rows))
    assert found.label == "model_temp_0.8"
    assert found.problems == (ProblemScore("a", "sampled", 3, 1), ProblemScore("b", "sampled", 1, 1))
    assert found.conditions == {"tests": "base and plus", "data set": "h"}
    base = read_scores(results(tmp_path / "b.json", {"a": [sample("pass", None)]}))
    assert base.problems == (ProblemScore("a", "sampled", 1, 1),)
    assert differing_conditions(found, base) == ["tests"]


def test_a_folder_that_evalplus_evaluated(tmp_path: Path) -> None:
    results(tmp_path / "eval_results.json", {"a": [sample("pass", "pass")]})
    assert read_scores(tmp_path).label == tmp_path.name
    write_scores(Scores("own", (ProblemScore("a", "sampled", 1, 0),)), tmp_path)
    assert read_scores(tmp_path).label == "own"


def test_what_was_written_compares_with_score_files_in_either_place(tmp_path: Path) -> None:
    write_eval_results(tmp_path / "a.json", [matrix("a", ["PP"]), matrix("b", ["PF"]), matrix("c", ["FF"])])
    rows = (ProblemScore("a", "sampled", 1, 1), ProblemScore("c", "sampled", 1, 1), ProblemScore("b", "sampled", 1, 1))
    scores = write_scores(Scores("own", rows), tmp_path / "own")
    (found,) = compare(tmp_path / "a.json", scores)
    assert (found.name, found.wins, found.losses, found.ties) == ("pass@1", 2, 0, 1)
    (found,) = compare(scores, tmp_path / "a.json")
    assert (found.wins, found.losses) == (0, 2)


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        ({}, "holds no sample"),
        ({"a": [sample("pass", "pass")], "b": [sample("pass", None)]}, "of a have a plus_status and of b none"),
        ({"a": {"nfiles": 1, "base": [["success", []]], "plus": []}}, "a: not results of EvalPlus 0.3"),
        ({"a": [{"task_id": "a", "status": "pass"}]}, "a: not results of EvalPlus 0.3"),
    ],
)
def test_other_results_are_refused(tmp_path: Path, samples: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        read_scores(results(tmp_path / "r.json", samples))
    assert len(caught.value.problems) == 1


def test_results_of_other_problems_are_refused_by_name(tmp_path: Path) -> None:
    one = results(tmp_path / "x_eval_results.json", {"HumanEval/0": [sample("pass", "pass")]})
    other = results(tmp_path / "y_eval_results.json", {"Mbpp/2": [sample("pass", "pass")]})
    with pytest.raises(UserError, match=r"x lacks 1 problems \(sampled\): Mbpp/2"):
        compare(one, other)


def test_a_file_that_is_neither_says_what_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_text('{"results": {"humaneval": {"pass@1": 0.3}}}')
    with pytest.raises(UserError, match=r"not a score file.*codepref evaluate.*EvalPlus"):
        read_scores(path)
