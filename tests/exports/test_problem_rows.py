"""Problems become rows for reinforcement learning, with tests in a published form where there is one."""

import json
from pathlib import Path
from typing import Any

import pytest

import codepref
from codepref.exports.ground_truth import ground_truth
from codepref.problems.calls import call_source
from codepref.problems.load import problems_from_rows
from codepref.problems.nodes import NodeForms
from codepref.problems.stdio import stdio_source
from codepref.records import Problem, Test
from codepref.storage.files import read_parquet


def problem(kind: str, *sources: str, entry_point: str = "f", **more: Any) -> Problem:
    tests = tuple(Test("t/0", str(place), source, kind) for place, source in enumerate(sources))
    style = "program" if kind == "stdio" else "instruct"
    return Problem("t/0", "Write `f`, which adds one.", entry_point, tests, style=style, **more)  # type: ignore[arg-type]


CALL = call_source("f", [1, "a\nb"], {"x": None}, where="")
TRUTHS = {
    "stdio": (problem("stdio", stdio_source("1\n", "2\n")), {"inputs": ["1\n"], "outputs": ["2\n"]}),
    "calls": (
        problem("calls", CALL),
        {"fn_name": "f", "inputs": ['1\n"a\\nb"'], "outputs": ['{"x": null}']},
    ),
    "calls with a result in a list": (
        problem("calls", call_source("f", [1], [2], wrapped=True, where="")),
        {"fn_name": "f", "inputs": [[1]], "outputs": [[2]]},
    ),
    "asserts": (
        problem("asserts", "assert f(1) == 2", "assert f(2) == 3"),
        {"inputs": ["", ""], "outputs": [None, None], "assert_case": ["assert f(1) == 2", "assert f(2) == 3"]},
    ),
    "check": (
        problem("check", "def check(c):\n    assert c(1) == 2\n"),
        {"functional": "def check(c):\n    assert c(1) == 2\n\n\ncheck(f)\n"},
    ),
    "a reference": (problem("inputs", "{}"), {}),
    "the lines in any order": (problem("stdio", '{"input": "", "output": "1\\n2\\n", "order": "lines"}'), {}),
    "a tolerance": (problem("stdio", stdio_source("1", "2"), stdio_source("1", "0.5", tolerance=0.01)), {}),
    "a result in any order": (
        problem("calls", call_source("f", [1], [2, 3], comparison={"order": "all"}, where="")),
        {},
    ),
    "a linked list": (
        problem("calls", call_source("f", [[1]], 1, forms=NodeForms(("ListNode",)), where="")),
        {},
    ),
    "a method of Solution": (
        problem("calls", call_source("f", [1], 2, owner="Solution", where="")),
        {"fn_name": "f", "inputs": ["1"], "outputs": ["2"]},
    ),
    "a method of another class": (problem("calls", call_source("f", [1], 2, owner="Counter", where="")), {}),
    "arguments that JSON has not": (problem("calls", call_source("f", [(1, 2)], 3, where="")), {}),
}


@pytest.mark.parametrize("name", TRUTHS)
def test_tests_are_written_in_the_form_of_published_rows(name: str) -> None:
    given, truth = TRUTHS[name]
    assert ground_truth(given) == truth


def test_rows_for_verl_hold_what_its_trainer_reads_and_load_as_problems_again(tmp_path: Path) -> None:
    problems = [TRUTHS["asserts"][0], problem("stdio", stdio_source("1\n", "2\n"))]
    done = codepref.export(problems=problems, to="verl", out=tmp_path / "rl.parquet")
    assert done.rows == 2
    rows = read_parquet(tmp_path / "rl.parquet")
    assert [row["ability"] for row in rows] == ["code", "code"]
    assert [row["reward_model"]["style"] for row in rows] == ["rule", "rule"]
    assert [row["extra_info"]["index"] for row in rows] == [0, 1]
    assert rows[0]["prompt"][0]["role"] == "user"
    assert "Write `f`, which adds one." in rows[0]["prompt"][0]["content"]
    back = problems_from_rows(rows)
    assert [[test.kind for test in one.tests] for one in back] == [["asserts", "asserts"], ["stdio"]]
    assert json.loads(back[1].tests[0].source) == {"input": "1\n", "output": "2\n"}


def test_the_reward_function_for_verl_runs_the_tests(tmp_path: Path) -> None:
    lines = '{"task_id": "t", "prompt": "Add one.", "entry_point": "f", "tests": ["assert f(1) == 2"]}\n'
    (tmp_path / "problems.jsonl").write_text(lines)
    codepref.export(problems=tmp_path / "problems.jsonl", to="verl", out=tmp_path / "rl.parquet")
    script: dict[str, Any] = {}
    exec((tmp_path / "rl_reward.py").read_text(), script)
    answers = ("```python\ndef f(x):\n    return x + 1\n```", "```python\ndef f(x):\n    return x\n```")
    scores = [script["compute_score"]("codepref", text, "{}", {"task_id": "t"}) for text in answers]
    script["reward"].close()
    assert scores == [1.0, 0.0]


def test_rows_for_grpo_name_their_task(tmp_path: Path) -> None:
    codepref.export(problems=[TRUTHS["asserts"][0]], to="trl", out=tmp_path / "rl.jsonl")
    row = json.loads((tmp_path / "rl.jsonl").read_text())
    assert (row["task_id"], [turn["role"] for turn in row["prompt"]]) == ("t/0", ["user"])
    assert "ExecutionReward" in (tmp_path / "rl.trl.py").read_text()
