"""Rows for DPO. Long pairs are dropped whole, and unsuitable chat templates are refused."""

from collections.abc import Sequence

import pytest
from letters import END, START, letters, render

from codepref.errors import UserError
from codepref.records import Message, Pair
from codepref.training.rows import EMPTY, MERGED, preference_rows


def pair(chosen: str, rejected: str, prompt: str = "ask") -> Pair:
    return Pair(
        task_id="t",
        prompt=[{"role": "user", "content": prompt}],
        chosen=[{"role": "assistant", "content": chosen}],
        rejected=[{"role": "assistant", "content": rejected}],
        rule="r",
        confidence=1.0,
        chosen_id=0,
        rejected_id=1,
    )


def test_pairs_that_fit_become_rows_without_a_change() -> None:
    rows = preference_rows([pair("good", "bad")], letters(), max_length=64)
    assert rows.rows[0]["chosen"] == [{"role": "assistant", "content": "good"}]
    assert rows.longest == len("ask") + 2 + len("good") + 1
    assert rows.dropped == {}


def test_long_pairs_are_dropped_whole_and_not_cut() -> None:
    # With the prompt, "good" has 10 tokens, and "goods" and "good!" have 11. Cut at 10 tokens they would be equal.
    rows = preference_rows([pair("good", "bad"), pair("goods", "good!")], letters(), max_length=10)
    assert len(rows.rows) == 1
    assert rows.dropped == {"longer than training.max_length = 10 tokens": 1}


def test_pairs_of_the_same_tokens_are_dropped_and_counted() -> None:
    rows = preference_rows([pair("same", "same")], letters(), max_length=64)
    assert rows.rows == []
    assert rows.dropped == {"chosen and rejected are the same tokens": 1}


def test_a_template_that_never_ends_an_answer_is_refused() -> None:
    endless = letters(lambda messages, prompt: render(messages, prompt).replace(END, ""))
    with pytest.raises(UserError, match="not to stop"):
        preference_rows([pair("good", "bad")], endless, max_length=64)


def test_a_template_that_merges_prompt_and_answer_is_refused() -> None:
    def merging(messages: Sequence[Message], add_generation_prompt: bool) -> str:
        return render(messages, add_generation_prompt).replace(START + "g", "G").replace(START + "b", "B")

    with pytest.raises(UserError, match="another context"):
        preference_rows([pair("good", "bad")], letters(merging), max_length=64)


def test_a_pair_that_merges_with_its_prompt_is_left_out_and_counted() -> None:
    def merging(messages: Sequence[Message], add_generation_prompt: bool) -> str:
        return render(messages, add_generation_prompt).replace(START + " ", "_ ")

    rows = preference_rows([pair("good", "bad"), pair(" good", "bad")], letters(merging), max_length=64)
    assert [row["chosen"][0]["content"] for row in rows.rows] == ["good"]
    assert rows.dropped == {f"{MERGED}; first in pair 2 (t)": 1}


@pytest.mark.parametrize("blank", ["", " \n"])
def test_a_pair_with_an_empty_chosen_answer_is_left_out_and_counted(blank: str) -> None:
    rows = preference_rows([pair("good", "bad"), pair(blank, "bad"), pair("good", blank)], letters(), max_length=64)
    assert [row["rejected"][0]["content"] for row in rows.rows] == ["bad", blank]
    assert rows.dropped == {f"{EMPTY}; first in pair 2 (t)": 1}
