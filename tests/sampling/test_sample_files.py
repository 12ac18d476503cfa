"""Tests of reading solutions in EvalPlus's forms: lines with more keys, a folder of programs, a file of results."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from codepref.errors import UserError
from codepref.records import Problem
from codepref.sampling.answers import load_solutions

PROBLEMS = [Problem("HumanEval/0", "def f(x):\n", "f", style="complete"), Problem("Mbpp/2", "Write g.", "g")]


def program(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_additional_keys_of_evalplus_are_ignored(tmp_path: Path) -> None:
    path = tmp_path / "samples.jsonl"
    rows = [
        {"task_id": "HumanEval/0", "solution": "def f(x): return 1", "_identifier": "HumanEval/0 (line 1)"},
        {"task_id": "HumanEval/0", "completion": "    return 2", "_identifier": "x"},
        {"task_id": "Mbpp/2", "solution": "def g(): return 3", "completion": "raw", "_path": "y"},
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    solutions = load_solutions(path, PROBLEMS)
    assert [(s.task_id, s.solution_id, s.text) for s in solutions] == [
        ("HumanEval/0", 0, "def f(x): return 1"),
        ("HumanEval/0", 1, "def f(x):\n    return 2"),
        ("Mbpp/2", 0, "def g(): return 3"),
    ]


def test_programs_of_a_folder_are_ordered_by_number(tmp_path: Path) -> None:
    for name in ("10", "2", "0"):
        program(tmp_path, f"HumanEval_0/{name}.py", f"def f(x): return {name}\n")
    program(tmp_path, "Mbpp_2/0.py", "def g(): return 0\n")
    program(tmp_path, "Mbpp_2/0.txt", "no program")
    program(tmp_path, "eval_results.json", "{}")
    solutions = load_solutions(tmp_path, iter(PROBLEMS))
    assert [(s.task_id, s.solution_id, s.text) for s in solutions] == [
        ("HumanEval/0", 0, "def f(x): return 0\n"),
        ("HumanEval/0", 1, "def f(x): return 2\n"),
        ("HumanEval/0", 2, "def f(x): return 10\n"),
        ("Mbpp/2", 0, "def g(): return 0\n"),
    ]


def test_programs_are_read_from_a_file_of_results(tmp_path: Path) -> None:
    path = tmp_path / "s_eval_results.json"
    rows = [{"task_id": "Mbpp/2", "solution": f"def g(): return {at}", "base_status": "fail"} for at in range(2)]
    path.write_text(json.dumps({"date": "d", "hash": "h", "eval": {"Mbpp/2": rows}}))
    assert [s.text for s in load_solutions(path, PROBLEMS)] == ["def g(): return 0", "def g(): return 1"]


def test_a_file_of_json_lines_can_have_the_ending_json(tmp_path: Path) -> None:
    path = tmp_path / "lines.json"
    path.write_text('{"task_id": "Mbpp/2", "solution": "a = 1"}\n' * 2)
    assert len(load_solutions(path, PROBLEMS)) == 2
    path.write_text('{"task_id": "Mbpp/2", "solution": "a = 1"}\n')
    assert len(load_solutions(path, PROBLEMS)) == 1


def test_a_folder_without_programs_of_the_problems_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"holds no programs.*HumanEval_0/0\.py"):
        load_solutions(tmp_path, PROBLEMS)
    program(tmp_path, "other/HumanEval_9/0.py", "")
    with pytest.raises(UserError, match=r"task 'HumanEval_9' is not among the problems.*'HumanEval/0'"):
        load_solutions(tmp_path / "other", PROBLEMS)
    program(tmp_path, "run/verdicts.parquet", "")
    with pytest.raises(UserError, match="--verdicts"):
        load_solutions(tmp_path / "run", PROBLEMS)
    program(tmp_path, "latin/HumanEval_0/0.py", "")
    (tmp_path / "latin/HumanEval_0/0.py").write_bytes(b"x = '\xe9'")
    with pytest.raises(UserError, match=r"0\.py: the file is not UTF-8"):
        load_solutions(tmp_path / "latin", PROBLEMS)


def test_two_tasks_with_the_same_folder_are_refused(tmp_path: Path) -> None:
    program(tmp_path, "a_b/0.py", "")
    with pytest.raises(UserError, match="'a/b' and 'a_b' would share the folder a_b"):
        load_solutions(tmp_path, [Problem("a/b", "", "f"), Problem("a_b", "", "f")])


def test_results_without_programs_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    path.write_text(json.dumps({"eval": {"Mbpp/2": {"nfiles": 1, "base": [["pass", []]]}}}))
    with pytest.raises(UserError, match='needs "solution" or "completion"'):
        load_solutions(path, PROBLEMS)
    path.write_text(json.dumps({"eval": {"Mbpp/2": ["pass"]}}))
    with pytest.raises(UserError, match="the samples of Mbpp/2 must be objects"):
        load_solutions(path, PROBLEMS)
