"""Rows for DPO. Long pairs are dropped whole, and unsuitable chat templates are refused."""

from collections.abc import Sequence

import pytest

from codepref.errors import UserError
from codepref.records import Message, Pair
from codepref.training.rows import preference_rows

EOS = 0


def encode(messages: Sequence[Message], add_generation_prompt: bool) -> list[int]:
    """Encode messages by a small chat template.

    Each character is a token, the token 1 begins a turn, and EOS ends a turn of the assistant.
    """
    ids: list[int] = []
    for message in messages:
        ids += [1, *map(ord, message["content"])]
        if message["role"] == "assistant":
            ids.append(EOS)
    return [*ids, 1] if add_generation_prompt else ids


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
    rows = preference_rows([pair("good", "bad")], encode, max_length=64, eos_id=EOS)
    assert rows.rows[0]["chosen"] == [{"role": "assistant", "content": "good"}]
    assert rows.longest == len("ask") + 2 + len("good") + 1
    assert rows.dropped == {}


def test_long_pairs_are_dropped_whole_and_not_cut() -> None:
    # With the prompt, "good" has 10 tokens, and "goods" and "good!" have 11. Cut at 10 tokens they would be equal.
    rows = preference_rows([pair("good", "bad"), pair("goods", "good!")], encode, max_length=10, eos_id=EOS)
    assert len(rows.rows) == 1
    assert rows.dropped == {"longer than training.max_length = 10 tokens": 1}


def test_pairs_of_the_same_tokens_are_dropped_and_counted() -> None:
    rows = preference_rows([pair("same", "same")], encode, max_length=64, eos_id=EOS)
    assert rows.rows == []
    assert rows.dropped == {"chosen and rejected are the same tokens": 1}


def test_a_template_that_never_ends_an_answer_is_refused() -> None:
    def endless(messages: Sequence[Message], add_generation_prompt: bool) -> list[int]:
        return [token for token in encode(messages, add_generation_prompt) if token != EOS]

    with pytest.raises(UserError, match="not to stop"):
        preference_rows([pair("good", "bad")], endless, max_length=64, eos_id=EOS)


def test_a_template_that_merges_prompt_and_answer_is_refused() -> None:
    def merging(messages: Sequence[Message], add_generation_prompt: bool) -> list[int]:
        ids = encode(messages, add_generation_prompt)
        place = len(messages[0]["content"]) + 1
        return ids if add_generation_prompt else [*ids[:place], 999, *ids[place + 2 :]]

    with pytest.raises(UserError, match="another context"):
        preference_rows([pair("good", "bad")], merging, max_length=64, eos_id=EOS)
