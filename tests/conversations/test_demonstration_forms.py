"""Demonstrations and labelled answers are read in many published forms, and no part of a request is lost."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from codepref import api
from codepref.errors import UserError
from codepref.problems.left_out import LeftOutWarning
from codepref.training.demonstrations import examples_from_rows, wanted_only

USER = {"role": "user", "content": "q"}
ANSWER = {"role": "assistant", "content": "a"}
SYSTEM = {"role": "system", "content": "s"}


def turns(*texts: str) -> list[dict[str, str]]:
    """Return a conversation in ShareGPT's form."""
    return [{"from": ("human", "gpt")[place % 2], "value": text} for place, text in enumerate(texts)]


FORMS: dict[str, tuple[Mapping[str, Any], list[dict[str, str]]]] = {
    "instruction and output": ({"instruction": "q", "input": "", "output": "a"}, [USER]),
    "instruction with input": (
        {"instruction": "Sort.", "input": "[2, 1]", "output": "a"},
        [{"role": "user", "content": "Sort.\n\n[2, 1]"}],
    ),
    "instruction with context": (
        {"instruction": "Sort.", "context": "[2, 1]", "response": "a"},
        [{"role": "user", "content": "Sort.\n\n[2, 1]"}],
    ),
    "system and history": (
        {"system": "s", "history": [["x", "y"]], "instruction": "q", "output": "a"},
        [SYSTEM, {"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}, USER],
    ),
    "query and answer": ({"query": "q", "answer": "a"}, [USER]),
    "input and output": ({"input": "q", "output": "a"}, [USER]),
    "problem and solution": ({"problem": "q", "solution": "a"}, [USER]),
    "messages": ({"messages": [SYSTEM, USER, ANSWER]}, [SYSTEM, USER]),
    "messages with a system column": ({"system": "s", "messages": [USER, ANSWER]}, [SYSTEM, USER]),
    "a request as messages and a response": ({"messages": [USER], "response": "a"}, [USER]),
    "ShareGPT": ({"conversations": turns("q", "a")}, [USER]),
    "ShareGPT with a system turn": (
        {"conversations": [{"from": "system", "value": "s"}, *turns("q", "a")]},
        [SYSTEM, USER],
    ),
    "ShareGPT of several turns": (
        {"conversations": turns("x", "y", "q", "a")},
        [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}, USER],
    ),
    "messages as JSON text": ({"messages": json.dumps([USER, ANSWER])}, [USER]),
    "parts of text": ({"messages": [{"role": "user", "content": [{"type": "text", "text": "q"}]}, ANSWER]}, [USER]),
    "prompt and completion of messages": ({"prompt": [USER], "completion": [ANSWER]}, [USER]),
    "the whole conversation as completion": ({"completion": [SYSTEM, USER, ANSWER], "label": True, "prompt": "q"}, []),
}
FORMS["the whole conversation as completion"] = (FORMS["the whole conversation as completion"][0], [SYSTEM, USER])


@pytest.mark.parametrize("name", FORMS)
def test_each_form_gives_the_whole_prompt_and_the_answer(name: str) -> None:
    row, prompt = FORMS[name]
    (example,) = examples_from_rows([("here", row)]).examples
    assert (list(example.prompt), list(example.completion), example.wanted) == (prompt, [ANSWER], True)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"instruction": "q"}, "neither a demonstration nor a labelled answer"),
        ({"response": "a"}, "neither a demonstration nor a labelled answer"),
        ({}, "neither a demonstration nor a labelled answer"),
        ({"messages": [USER]}, "must end with a message of the assistant"),
        ({"messages": [ANSWER]}, "the row needs a prompt"),
        ({"messages": "text"}, "`messages` must be a list of messages"),
        ({"conversations": [{"from": "alien", "value": "x"}, *turns("q", "a")]}, "the speaker 'alien'"),
        ({"instruction": "q", "input": 3, "output": "a"}, "`input` must be text, not int"),
        ({"instruction": "q", "history": "x", "output": "a"}, "history"),
        ({"instruction": "q", "history": [["x", 3]], "output": "a"}, "`history` must hold pairs of texts"),
        ({"messages": [USER, {**ANSWER, "tool_calls": [{"function": "f"}]}]}, "calls tools"),
        ({"instruction": "q", "output": "a", "label": "maybe"}, "`label` must be true or false"),
        ({"id": 1, "question": "q", "inferences": "x"}, "`inferences` must be a list of structs"),
        ({"id": 1, "question": "q", "inferences": [{"completion": "a", "pass_rate": 7}]}, "a share between 0 and 1"),
    ],
)
def test_a_row_that_is_no_demonstration_is_refused_with_its_place(row: Mapping[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=f"here:3: .*{message}"):
        examples_from_rows([("here:2", {"instruction": "q", "output": "a"}), ("here:3", row)])


def test_an_answer_with_the_label_false_is_not_a_demonstration() -> None:
    rows = [
        ("1", {"prompt": "q", "completion": "a", "label": True}),
        ("2", {"prompt": "q", "completion": "b", "label": False}),
    ]
    both = examples_from_rows(rows)
    assert [example.wanted for example in both.examples] == [True, False]
    alone = wanted_only(both)
    assert [example.completion[0]["content"] for example in alone.examples] == ["a"]
    assert alone.dropped == {"answer left out: its label or score says that it is wrong": 1}


def test_a_trained_model_sees_the_input_and_no_wrong_answer(tmp_path: Path) -> None:
    rows = [
        {"instruction": "Add.", "input": "one and two", "output": "3", "label": 1},
        {"instruction": "Add.", "input": "one and two", "output": "4", "label": 0},
    ]
    done = api.export(data=rows, to="texts", out=tmp_path / "rows.jsonl", kind="sft")
    (line,) = (tmp_path / "rows.jsonl").read_text().splitlines()
    assert json.loads(line)["prompt"] == "Add.\n\none and two"
    assert done.left_out == {"its label or score says that it is wrong": 1}


def test_columns_that_hold_something_and_are_not_used_are_named() -> None:
    rows = [
        ("1", {"instruction": "q", "output": "a", "lang": "py"}),
        ("2", {"instruction": "q", "output": "a", "hint": "h"}),
    ]
    with pytest.warns(LeftOutWarning, match=r"F: columns that are not used: lang \(1 rows\), hint \(1 rows\)"):
        examples_from_rows(rows, source="F")
