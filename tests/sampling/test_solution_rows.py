"""Tests of reading solutions in the forms in which other programs write them."""

import json
from pathlib import Path
from typing import Any

import pytest

from codepref.errors import UserError
from codepref.problems.left_out import LeftOut, ProblemList
from codepref.records import Problem
from codepref.sampling.answers import load_solutions, solutions_from_rows

HEAD = "def f(x):\n"
PROBLEMS = [
    Problem("HumanEval/0", HEAD, "f", style="complete"),
    Problem("HumanEval/1", "def g(x):\n", "g", style="complete"),
]
WHOLE = "def f(x):\n    return 1\n"


def texts(rows: list[dict[str, Any]]) -> list[tuple[str, int, str]]:
    return [(one.task_id, one.solution_id, one.text.strip()) for one in solutions_from_rows(rows, PROBLEMS)]


def written(path: Path, document: Any) -> list[tuple[str, str]]:
    path.write_text(json.dumps(document))
    return [(one.task_id, one.text.strip()) for one in load_solutions(path, PROBLEMS)]


@pytest.mark.parametrize("key", ["response", "generation", "generated_text", "output", "answer", "llm_response"])
def test_a_model_s_own_text_may_have_another_key(key: str) -> None:
    assert texts([{"task_id": "HumanEval/0", key: "    return 1\n"}]) == [("HumanEval/0", 0, WHOLE.strip())]


@pytest.mark.parametrize("key", ["completion", "completions", "samples", "responses", "generations", "output_list"])
def test_a_row_may_hold_several_samples_and_null_is_an_empty_one(key: str) -> None:
    row = {"task_id": "HumanEval/0", key: ["    return 1\n", None, "    return 2\n"]}
    assert [(number, text[-8:]) for _, number, text in texts([row])] == [(0, "return 1"), (1, ""), (2, "return 2")]


@pytest.mark.parametrize("key", ["completion", "response", "solution", "code"])
def test_a_sample_that_is_null_is_an_empty_sample(key: str) -> None:
    assert texts([{"task_id": "HumanEval/0", key: None}]) == [("HumanEval/0", 0, "")]


@pytest.mark.parametrize("name", ["HumanEval/0", 0, "0", 0.0])
def test_a_number_may_stand_for_the_name_of_a_task(name: Any) -> None:
    assert texts([{"task_id": name, "solution": WHOLE}]) == [("HumanEval/0", 0, WHOLE.strip())]


@pytest.mark.parametrize("key", ["problem_id", "question_id", "id", "name"])
def test_another_key_may_name_the_task(key: str) -> None:
    assert texts([{key: "HumanEval/1", "code": "def g(x): pass"}]) == [("HumanEval/1", 0, "def g(x): pass")]


def test_livecodebench_s_lists_of_programs_are_read() -> None:
    row = {"question_id": "0", "question_title": "t", "code_list": [WHOLE, ""], "output_list": ["raw", "raw"]}
    assert texts([row]) == [("HumanEval/0", 0, WHOLE.strip()), ("HumanEval/0", 1, "")]


def test_codet_s_samples_are_found_by_their_prompt() -> None:
    row = {"prompt": HEAD.rstrip(), "samples": ["    return 1\n", "    return 2\n"]}
    assert [task for task, _, _ in texts([row])] == ["HumanEval/0", "HumanEval/0"]
    with pytest.raises(UserError, match="row 0 samples\\[0\\]: has no task_id"):
        texts([{"prompt": "another", "samples": ["x"]}])


def test_a_prompt_of_two_problems_names_neither() -> None:
    twice = [PROBLEMS[0], Problem("HumanEval/5", HEAD, "f", style="complete")]
    with pytest.raises(UserError, match="has no task_id"):
        solutions_from_rows([{"prompt": HEAD, "samples": ["x"]}], twice)


def test_the_log_of_samples_of_lm_eval_is_read() -> None:
    row = {
        "doc_id": 0,
        "doc": {"task_id": "HumanEval/0", "prompt": HEAD, "test": "..."},
        "resps": [["    return 1\n", "    return 2\n"]],
        "filtered_resps": [[WHOLE, WHOLE]],
    }
    assert [text[-8:] for _, _, text in texts([row])] == ["return 1", "return 2"]
    assert [text for _, _, text in texts([{**row, "resps": []}])] == [WHOLE.strip()] * 2


def test_programs_are_matched_by_their_place_in_generations_json(tmp_path: Path) -> None:
    rows = [[WHOLE, None], ["def g(x): return 1"]]
    assert written(tmp_path / "generations.json", rows) == [
        ("HumanEval/0", WHOLE.strip()),
        ("HumanEval/0", ""),
        ("HumanEval/1", "def g(x): return 1"),
    ]
    with pytest.raises(
        UserError, match=r"a list of programs for 3 problems in which only the order says .* and there are only 2"
    ):
        written(tmp_path / "generations.json", [*rows, ["x"]])


def test_places_count_problems_that_were_left_out(tmp_path: Path) -> None:
    problems = ProblemList([PROBLEMS[1]])
    problems.left_out = LeftOut(1, ("bad",), frozenset({"HumanEval/0"}))
    (tmp_path / "g.json").write_text(json.dumps([[WHOLE], ["def g(x): return 1"]]))
    with pytest.warns(UserWarning, match="1 solutions of problems that were left out"):
        (only,) = load_solutions(tmp_path / "g.json", problems)
    assert (only.task_id, only.text) == ("HumanEval/1", "def g(x): return 1")
    problems.left_out = LeftOut(1, ("bad",), frozenset())
    with pytest.raises(
        UserError, match="only the order says which problem is meant, and 1 rows of the problems were left out"
    ):
        load_solutions(tmp_path / "g.json", problems)


@pytest.mark.parametrize(
    "document",
    [
        [{"task_id": "HumanEval/0", "solution": WHOLE}],
        {"task_id": "HumanEval/0", "solution": WHOLE},
        {"HumanEval/0": ["    return 1\n"]},
        {"HumanEval/0": WHOLE},
    ],
)
def test_a_json_file_may_hold_rows_or_the_samples_of_each_task(tmp_path: Path, document: Any) -> None:
    assert written(tmp_path / "samples.json", document) == [("HumanEval/0", WHOLE.strip())]


def test_solutions_are_read_from_parquet(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [{"task_id": "HumanEval/0", "responses": ["    return 1\n", None]}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "s.parquet")
    assert [one.text.strip() for one in load_solutions(tmp_path / "s.parquet", PROBLEMS)] == [WHOLE.strip(), ""]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("s.json", '[{"task_id": "HumanEval/0", "solution": "x"}, ["y"]]', "must hold objects, or a list of programs"),
        ("s.jsonl", '{"task_id": "HumanEval/0", "response": 7}', r"s.jsonl:1: completion must be text, not int"),
        ("s.jsonl", '{"task_id": "HumanEval/0", "code": [7]}', r"s.jsonl:1 code\[0\]: solution must be text, not int"),
        ("s.jsonl", '{"task_id": "HumanEval/0", "text": "x"}', r's.jsonl:1: needs "solution" or "completion"'),
        ("s.jsonl", '{"task_id": "HumanEval/9", "solution": "x"}', "not among the problems"),
        ("s.parquet", "no Parquet", "cannot be read as Parquet"),
    ],
)
def test_a_wrong_file_gives_one_message_with_its_place(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=message) as caught:
        load_solutions(tmp_path / name, PROBLEMS)
    assert len(caught.value.problems) == 1
