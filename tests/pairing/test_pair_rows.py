"""Pairs are read in each form in which they are published, and no part of a prompt is lost."""

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from codepref.errors import UserError
from codepref.pairing.artifact import pairs_from_rows, read_pairs, write_pairs
from codepref.problems.left_out import LeftOutWarning

USER = {"role": "user", "content": "Add two numbers."}
GOOD = {"role": "assistant", "content": "return a + b"}
BAD = {"role": "assistant", "content": "return a - b"}
SYSTEM = {"role": "system", "content": "Answer in Python."}


def turn(speaker: str, text: str) -> dict[str, str]:
    return {"from": speaker, "value": text}


FORMS: dict[str, tuple[Mapping[str, Any], list[dict[str, str]]]] = {
    "messages": ({"prompt": [USER], "chosen": [GOOD], "rejected": [BAD]}, [USER]),
    "texts": ({"prompt": USER["content"], "chosen": GOOD["content"], "rejected": BAD["content"]}, [USER]),
    "a prompt as text and answers as messages": (
        {"prompt": USER["content"], "chosen": [GOOD], "rejected": [BAD]},
        [USER],
    ),
    "instruction and texts": (
        {"instruction": USER["content"], "chosen": GOOD["content"], "rejected": BAD["content"]},
        [USER],
    ),
    "instruction, input, accepted": (
        {"instruction": "Add", "input": "two numbers.", "accepted": GOOD["content"], "rejected": BAD["content"]},
        [{"role": "user", "content": "Add\n\ntwo numbers."}],
    ),
    "system and question": (
        {
            "system": SYSTEM["content"],
            "question": USER["content"],
            "chosen": GOOD["content"],
            "rejected": BAD["content"],
        },
        [SYSTEM, USER],
    ),
    "whole conversations": ({"chosen": [USER, GOOD], "rejected": [USER, BAD]}, [USER]),
    "whole conversations with a system text": (
        {"chosen": [SYSTEM, USER, GOOD], "rejected": [SYSTEM, USER, BAD]},
        [SYSTEM, USER],
    ),
    "whole conversations beside the prompt": (
        {"prompt": USER["content"], "chosen": [USER, GOOD], "rejected": [USER, BAD], "messages": [USER, GOOD]},
        [USER],
    ),
    "whole conversations beside a prompt of messages": (
        {"prompt": [SYSTEM, USER], "chosen": [USER, GOOD], "rejected": [USER, BAD]},
        [SYSTEM, USER],
    ),
    "whole conversations beside a system column": (
        {"system": SYSTEM["content"], "chosen": [USER, GOOD], "rejected": [USER, BAD]},
        [SYSTEM, USER],
    ),
    "ShareGPT": (
        {
            "conversations": [turn("human", USER["content"])],
            "chosen": turn("gpt", GOOD["content"]),
            "rejected": turn("gpt", BAD["content"]),
        },
        [USER],
    ),
    "JSON text": (
        {"prompt": json.dumps([USER]), "chosen": json.dumps([GOOD]), "rejected": json.dumps([BAD])},
        [USER],
    ),
    "choices": (
        {"instruction": USER["content"], "choices": [BAD["content"], GOOD["content"]], "gt_choice": 1},
        [USER],
    ),
    "ranked completions": (
        {
            "context": [USER],
            "completions": [{"rank": 1, "completion": [BAD]}, {"rank": 0, "completion": [GOOD]}],
        },
        [USER],
    ),
    "earlier turns": (
        {"history": [["Hi.", "Hello."]], "prompt": USER["content"], "chosen": [GOOD], "rejected": [BAD]},
        [{"role": "user", "content": "Hi."}, {"role": "assistant", "content": "Hello."}, USER],
    ),
    "a dialogue as text": (
        {
            "chosen": f"\n\nHuman: {USER['content']}\n\nAssistant: {GOOD['content']}",
            "rejected": f"\n\nHuman: {USER['content']}\n\nAssistant: {BAD['content']}",
        },
        [USER],
    ),
    "response_j": (
        {"question": USER["content"], "response_j": GOOD["content"], "response_k": BAD["content"]},
        [USER],
    ),
}


@pytest.mark.parametrize("name", FORMS)
def test_each_published_form_gives_the_whole_prompt_and_both_answers(name: str) -> None:
    row, prompt = FORMS[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LeftOutWarning)
        (pair,) = pairs_from_rows([row])
    assert (list(pair.prompt), list(pair.chosen), list(pair.rejected)) == (prompt, [GOOD], [BAD])


def test_a_conversation_of_several_turns_keeps_all_shared_turns_in_the_prompt() -> None:
    again = {"role": "user", "content": "Shorter."}
    (pair,) = pairs_from_rows([{"chosen": [USER, BAD, again, GOOD], "rejected": [USER, BAD, again, BAD]}])
    assert (list(pair.prompt), list(pair.chosen)) == ([USER, BAD, again], [GOOD])


def test_the_shared_beginning_of_two_texts_is_the_prompt() -> None:
    (pair,) = pairs_from_rows([{"chosen": "The sky is blue.", "rejected": "The sky is black."}])
    assert pair.prompt == [{"role": "user", "content": "The sky is"}]
    assert (pair.chosen[0]["content"], pair.rejected[0]["content"]) == ("blue.", "black.")


def test_a_prompt_under_an_unknown_name_is_not_replaced_by_a_shared_beginning() -> None:
    row = {"ask": "What colour?", "chosen": "The sky is blue.", "rejected": "The sky is black."}
    with pytest.raises(UserError, match=r"a pair needs a prompt .* The row has ask, chosen, rejected"):
        pairs_from_rows([row])


def test_a_file_of_pairs_may_have_any_name(tmp_path: Path) -> None:
    pairs = pairs_from_rows([FORMS["messages"][0]])
    write_pairs(tmp_path / "pairs", pairs)
    assert [list(pair.prompt) for pair in read_pairs(tmp_path / "pairs")] == [[USER]]


def test_equal_conversations_keep_their_prompt() -> None:
    (pair,) = pairs_from_rows([{"chosen": [USER, GOOD], "rejected": [USER, GOOD]}])
    assert (list(pair.prompt), list(pair.rejected)) == ([USER], [GOOD])


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"chosen": [USER, GOOD], "rejected": [SYSTEM, BAD]}, "must share their beginning"),
        ({"prompt": "Other", "chosen": [USER, GOOD], "rejected": [USER, BAD]}, "not the beginning of the two"),
        ({"chosen": [GOOD], "rejected": [BAD]}, "a pair needs a prompt"),
        ({"prompt": "p", "chosen": "c"}, "The row has prompt, chosen"),
        ({"prompt": "p", "chosen": 7, "rejected": "r"}, "`chosen` must be a text, or a list of messages"),
        ({"prompt": "p", "chosen": [], "rejected": "r"}, "`chosen` is an empty list"),
        ({"prompt": "p", "choices": ["a", "b"], "gt_choice": 2}, "the place \\(0 or 1\\) of the better"),
        ({"context": "p", "completions": [{"rank": 0, "completion": "a"}]}, "completions of at least two ranks"),
        ({"prompt": [turn("alien", "p")], "chosen": "c", "rejected": "r"}, "the speaker 'alien'"),
        ({"prompt": [{"role": "user", "content": [{"type": "image"}]}], "chosen": "c", "rejected": "r"}, "not text"),
        ({"prompt": "p", "system": 3, "chosen": "c", "rejected": "r"}, "`system` must be text"),
    ],
)
def test_a_row_that_is_no_pair_is_refused_with_its_place(row: Mapping[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=f"row 2: .*{message}"):
        pairs_from_rows([FORMS["messages"][0], row])


def test_columns_that_are_not_read_are_named() -> None:
    row = {**FORMS["texts"][0], "starter_code": "def f():", "note": "", "prompt_id": "p1"}
    with pytest.warns(LeftOutWarning, match=r"pairs: columns that are not used: starter_code$"):
        (pair,) = pairs_from_rows([row])
    assert pair.task_id == "p1"


@pytest.mark.parametrize("ending", [".jsonl", ".json", ".parquet", ".jsonl.gz"])
def test_pairs_load_from_each_kind_of_file(tmp_path: Path, ending: str) -> None:
    import gzip

    import pyarrow as pa
    import pyarrow.parquet as pq

    rows, path = [dict(FORMS["texts"][0])] * 2, tmp_path / f"pairs{ending}"
    if ending == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        text = json.dumps(rows) if ending == ".json" else "".join(json.dumps(row) + "\n" for row in rows)
        path.write_bytes(gzip.compress(text.encode()) if ending.endswith("gz") else text.encode())
    assert len(read_pairs(path)) == 2


def answer(text: str, label: Any) -> dict[str, Any]:
    return {"prompt": USER["content"], "completion": text, "label": label}


def test_labelled_answers_to_one_prompt_give_pairs() -> None:
    rows = [answer("good", True), answer("bad", False), answer("worse", "false"), answer("fine", 1)]
    pairs = pairs_from_rows(rows)
    texts = [(pair.chosen[0]["content"], pair.rejected[0]["content"]) for pair in pairs]
    assert texts == [("good", "bad"), ("fine", "worse")]
    assert [(pair.chosen_id, pair.rejected_id) for pair in pairs] == [(0, 1), (3, 2)]
    assert len({pair.task_id for pair in pairs}) == 1


def test_labelled_answers_without_the_other_label_are_counted() -> None:
    rows = [answer("good", True), answer("bad", False), {**answer("x", True), "prompt": "Another"}]
    with pytest.warns(LeftOutWarning, match="1 left out: the prompt has no answer of the other label"):
        assert len(pairs_from_rows(rows)) == 1
    with pytest.raises(UserError, match=r"its answers give no pair .* The method kto learns from single answers"):
        pairs_from_rows(rows[2:])


def test_a_label_that_is_not_true_or_false_is_refused() -> None:
    with pytest.raises(UserError, match="row 2: `label` must be true or false, not 'maybe'"):
        pairs_from_rows([answer("good", True), answer("bad", "maybe")])


def test_the_pass_rates_of_a_data_set_are_ready_verdicts() -> None:
    inferences = [
        {"model_name": "m", "completion_id": 0, "completion": "right", "pass_rate": 1.0},
        {"model_name": "m", "completion_id": 1, "completion": "half", "pass_rate": 0.5},
        {"model_name": "m", "completion_id": 2, "completion": "unknown", "pass_rate": None},
    ]
    row = {"id": "oss_1", "question": "Q", "test_cases": ["assert f()"], "inferences": inferences}
    with pytest.warns(LeftOutWarning, match="1 left out: the answer has no score; .* not used: test_cases"):
        (pair,) = pairs_from_rows([row])
    assert (pair.task_id, pair.chosen[0]["content"], pair.rejected[0]["content"]) == ("oss_1", "right", "half")
    assert (pair.rule, pair.confidence) == ("labels", 0.5)
    assert pair.evidence == {"chosen_score": 1.0, "rejected_score": 0.5}


def test_scored_answers_in_several_rows_of_a_problem_give_pairs() -> None:
    row = {"problem_id": "vcp_1", "prompt": "Q", "verification_info": "{}"}
    rows = [{**row, "llm_response": text, "score": score} for text, score in (("no", 0.0), ("yes", 1.0))]
    with pytest.warns(LeftOutWarning, match="columns that are not used: verification_info"):
        (pair,) = pairs_from_rows(rows)
    assert (pair.task_id, pair.chosen[0]["content"], pair.rejected[0]["content"]) == ("vcp_1", "yes", "no")


def test_wrong_programs_of_a_contest_are_rejected_answers() -> None:
    row = {
        "name": "1_A",
        "description": "Print 1.",
        "solutions": {"language": [2, 3, 3], "solution": ["int main;", "print(1)\n", " \n"]},
        "incorrect_solutions": {"language": [3], "solution": ["print(2)"]},
    }
    with pytest.warns(LeftOutWarning) as noted:
        (pair,) = pairs_from_rows([row])
    counted = " ".join(str(one.message) for one in noted)
    assert "1 left out: the program is not in Python 3" in counted
    assert "1 left out: the program is blank" in counted
    assert pair.task_id == "1_A"
    assert pair.chosen[0]["content"] == "```python\nprint(1)\n```"
    assert pair.rejected[0]["content"] == "```python\nprint(2)\n```"


def test_an_answer_with_both_labels_is_left_out() -> None:
    rows = [answer("same", True), answer("same", False), answer("good", True), answer("bad", False)]
    with pytest.warns(LeftOutWarning, match="1 left out: the same answer has both labels"):
        (pair,) = pairs_from_rows(rows)
    assert (pair.chosen[0]["content"], pair.rejected[0]["content"]) == ("good", "bad")
