"""The commands read EvalPlus's samples, and write and compare EvalPlus's results."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from codepref.cli.main import main

pytestmark = pytest.mark.xdist_group("execution")

PROBLEMS = [
    {
        "task_id": f"HumanEval/{number}",
        "prompt": "def f(x):\n",
        "entry_point": "f",
        "canonical_solution": "    return x + 1\n",
        "base_input": [[1], [2]],
        "plus_input": [[-1]],
        "atol": 0,
    }
    for number in (0, 1)
]
RIGHT, HALF, WRONG = (f"def f(x):\n    return {value}\n" for value in ("x + 1", "abs(x) + 1", "x"))


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Write a file of two problems, and three samples of each problem into folders of EvalPlus's form.

    Return the paths of the file and of the folder of all samples, and the path where a file of results may be written.
    """
    problems = tmp_path / "problems.jsonl"
    problems.write_text("".join(json.dumps(row) + "\n" for row in PROBLEMS))
    for number, programs in ((0, (RIGHT, HALF, WRONG)), (1, (WRONG, RIGHT, RIGHT))):
        folder = tmp_path / "samples" / f"HumanEval_{number}"
        folder.mkdir(parents=True)
        for place, program in enumerate(programs):
            (folder / f"{place}.py").write_text(program)
    return {"problems": problems, "samples": tmp_path / "samples", "results": tmp_path / "samples_eval_results.json"}


def run(*arguments: Any) -> int:
    return main([str(argument) for argument in arguments])


def test_a_folder_of_samples_gives_the_results_that_evalplus_writes(files: dict[str, Path], tmp_path: Path) -> None:
    command = ["evaluate", "--problems", files["problems"], "--jobs", 1, "-k", 1]
    assert run(*command, "--solutions", files["samples"], "--out", tmp_path / "a", "--evalplus", files["results"]) == 0
    document = json.loads(files["results"].read_text())
    words = {
        task: [(row["base_status"], row["plus_status"], row["solution"]) for row in rows]
        for task, rows in document["eval"].items()
    }
    assert words == {
        "HumanEval/0": [("pass", "pass", RIGHT), ("pass", "fail", HALF), ("fail", "fail", WRONG)],
        "HumanEval/1": [("fail", "fail", WRONG), ("pass", "pass", RIGHT), ("pass", "pass", RIGHT)],
    }
    assert document["hash"] == hashlib.md5(files["problems"].read_bytes()).hexdigest()
    assert document["pass_at_k"]["base"]["pass@1"] == pytest.approx(2 / 3)
    assert document["pass_at_k"]["plus"]["pass@1"] == pytest.approx(1 / 2)

    # the folder of verdicts gives the same results, and the file of results gives the same programs
    assert (
        run(
            "evaluate",
            "--verdicts",
            tmp_path / "a/verdicts",
            "--out",
            tmp_path / "b",
            "--evalplus",
            tmp_path / "v.json",
        )
        == 0
    )
    assert json.loads((tmp_path / "v.json").read_text())["eval"] == document["eval"]
    assert run(*command, "--solutions", files["results"], "--out", tmp_path / "c") == 0
    scores = [json.loads((tmp_path / name / "scores.json").read_text())["problems"] for name in "abc"]
    assert scores[0] == scores[1] == scores[2]


def test_a_file_of_results_can_be_compared_with_scores(
    files: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["evaluate", "--problems", files["problems"], "--solutions", files["samples"], "--jobs", 1]
    assert run(*command, "--out", tmp_path / "a", "--evalplus", files["results"]) == 0
    assert run("compare", files["results"], tmp_path / "a", "--out", tmp_path / "c.json") == 0
    (row,) = json.loads((tmp_path / "c.json").read_text())
    assert (row["name"], row["ties"]) == ("pass@1", 2)
    assert row["base"] == row["aligned"] == pytest.approx(0.5)
    assert row["problems_needed"] == {
        "1": None,
        "2": None,
        "5": None,
    }  # without any difference no number of problems can be estimated


def test_a_message_names_a_k_above_the_number_of_samples(
    files: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["evaluate", "--problems", files["problems"], "--solutions", files["samples"], "--jobs", 1]
    assert run(*command, "-k", 1, 5, "--out", tmp_path / "a") == 0
    assert "pass@5 is left out: no problem has 5 judged samples" in capsys.readouterr().err


def test_results_of_other_problems_give_one_message(
    files: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = {"task_id": "Mbpp/2", "solution": RIGHT, "base_status": "pass", "plus_status": "pass"}
    files["results"].write_text(json.dumps({"date": "", "hash": "", "eval": {"Mbpp/2": [row]}}))
    command = ["evaluate", "--problems", files["problems"], "--jobs", 1, "--out", tmp_path / "a"]
    assert run(*command, "--solutions", files["results"]) == 2
    error = capsys.readouterr().err
    assert "task 'Mbpp/2' is not among the problems, whose task ids look like 'HumanEval/0'" in error
    for pair in ((files["results"], files["problems"]), (files["problems"], files["results"])):
        assert run("compare", *pair) == 2
        (error,) = capsys.readouterr().err.splitlines()
        assert "problems.jsonl: not a score file" in error
        assert "_eval_results.json" in error


def test_the_results_of_a_model_need_samples_first(
    files: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["evaluate", "--problems", files["problems"], "--model", "scripted:none", "--out", tmp_path / "a"]
    assert run(*command, "--evalplus", files["results"]) == 2
    assert "Sample solutions with `codepref sample` first" in capsys.readouterr().err


def test_the_file_of_results_cannot_be_a_folder(
    files: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["evaluate", "--problems", files["problems"], "--solutions", files["samples"], "--out", tmp_path / "a"]
    assert run(*command, "--evalplus", tmp_path) == 2
    assert not (tmp_path / "a").exists()


def test_a_message_counts_the_problems_without_a_solution(
    files: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(files["samples"] / "HumanEval_1")
    command = ["evaluate", "--problems", files["problems"], "--solutions", files["samples"], "--jobs", 1, "-k", 1]
    assert run(*command, "--out", tmp_path / "a") == 0
    assert "left out: 1 of 2 problems have no solution, such as HumanEval/1" in capsys.readouterr().out
