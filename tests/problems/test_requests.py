"""Tests of the columns that belong to an instruction: its input and a system text."""

import json
from pathlib import Path
from typing import Any

import pytest

from codepref.config.pool import Member
from codepref.errors import UserError
from codepref.problems.codal import load_benchmark
from codepref.problems.instructions import load_instructions
from codepref.records import Instruction, InstructionResponses
from codepref.runs.instructions import as_problems
from codepref.sampling.pool import PoolSettings, pool_requests
from codepref.sampling.responses_file import read_responses, write_responses


def load(**row: Any) -> Instruction:
    return load_instructions([row]).tasks[0]


@pytest.mark.parametrize(
    ("row", "text", "system"),
    [
        ({"instruction": "Sort.", "input": "3 1"}, "Sort.\n\n3 1", ""),
        ({"instruction": "Sort.", "input": ""}, "Sort.", ""),
        ({"instruction": "Sort.", "input": None}, "Sort.", ""),
        ({"instruction": "Sort.", "input": float("nan")}, "Sort.", ""),
        ({"instruction": "Sort.", "input": "<noinput>"}, "Sort.", ""),
        ({"instruction": "Sort.", "input": 31}, "Sort.\n\n31", ""),
        ({"instruction": "Sort.", "context": "3 1"}, "Sort.\n\n3 1", ""),
        ({"instruction": "Sort.", "input": [], "history": []}, "Sort.", ""),
        ({"question": "Which?", "context": "CREATE TABLE t (a INT)"}, "Which?\n\nCREATE TABLE t (a INT)", ""),
        ({"prompt": "Sort.", "system": "Write C."}, "Sort.", "Write C."),
        ({"question": "Sort.", "system_prompt": "Write C."}, "Sort.", "Write C."),
        ({"instruction": "Sort.", "input": "3 1", "system": "Write C."}, "Sort.\n\n3 1", "Write C."),
        ({"instruction": "Sort.", "system": "  "}, "Sort.", ""),
    ],
)
def test_the_input_and_the_system_text_belong_to_the_instruction(row: dict[str, Any], text: str, system: str) -> None:
    task = load(**row)
    assert (task.text, task.system) == (text, system)


@pytest.mark.parametrize(
    ("row", "word"),
    [
        ({"input": ["a", "b"]}, "`input`"),
        ({"input": {"a": 1}}, "`input`"),
        ({"system": ["a"]}, "`system`"),
        ({"history": [["a", "b"]]}, "`history`"),
    ],
)
def test_a_column_that_cannot_be_shown_is_refused_by_name(row: dict[str, Any], word: str) -> None:
    with pytest.raises(UserError, match=f"row 0: the column {word}"):
        load(instruction="Sort.", **row)


def test_rows_with_one_instruction_and_different_inputs_or_system_texts_are_different() -> None:
    rows = [{"instruction": "Sort.", "input": "a"}, {"instruction": "Sort.", "input": "b"}]
    rows += [{"instruction": "Sort.", "system": "c"}, {"instruction": "Sort.", "system": "d"}, {"instruction": "Sort."}]
    loaded = load_instructions([*rows, rows[0]])
    assert len(loaded.tasks) == 5
    assert loaded.dropped == {"repeated": 1}


def test_the_system_text_is_sent_before_the_principle_as_one_turn() -> None:
    task = load(instruction="Sort.", system="Write C.", preference="style")
    plain = PoolSettings(principles=False)
    messages = pool_requests(task, [Member(model="m")], plain)[0].request.messages
    assert messages == [{"role": "system", "content": "Write C."}, {"role": "user", "content": "Sort."}]
    asked = pool_requests(task, [Member(model="m")], PoolSettings())[0]
    assert asked.request.messages[0]["content"] == f"Write C.\n\n{asked.principle}"
    # a template without system turns gets it in the user's turn
    without = pool_requests(task, [Member(model="m", system=False)], plain)[0].request.messages
    assert without == [{"role": "user", "content": "Write C.\n\nSort."}]


def test_files_of_responses_keep_the_system_text_and_pairs_show_it(tmp_path: Path) -> None:
    task = Instruction("t", "Sort.", "style", "Write C.")
    write_responses(tmp_path / "r.jsonl", [InstructionResponses(task, ())])
    assert read_responses(tmp_path / "r.jsonl")[0].instruction == task
    assert as_problems([task])[0].prompt == "Write C.\n\nSort."


def test_files_of_responses_and_benchmarks_of_others_keep_their_input(tmp_path: Path) -> None:
    row = {"instruction": "Sort.", "input": "3 1", "preference": "style", "reference": "x", "responses": []}
    (tmp_path / "r.jsonl").write_text(json.dumps(row))
    assert read_responses(tmp_path / "r.jsonl")[0].instruction.text == "Sort.\n\n3 1"
    assert load_benchmark(tmp_path / "r.jsonl").tasks[0].text == "Sort.\n\n3 1"
