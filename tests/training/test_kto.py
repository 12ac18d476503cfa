"""KTO: rows in an order that its KL term can live with, balanced labels, and a training on the starter."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_dpo import SETTINGS, pairs

from codepref.errors import InfrastructureError, UserError
from codepref.records import Pair, Problem, Test, Verdict, VerdictMatrix
from codepref.training import trainer
from codepref.training.kto import train_kto
from codepref.training.kto_rows import (
    Example,
    Examples,
    balance,
    examples_from_pairs,
    examples_from_verdicts,
    interleaved,
    kto_rows,
    one_sided,
)

KTO = replace(SETTINGS, method="kto", chosen_weight=0.0)


def example(task: str, wanted: bool, text: str = "x") -> Example:
    return Example(task, [{"role": "user", "content": task}], [{"role": "assistant", "content": text}], wanted=wanted)


def pair(task: str, chosen: str, rejected: str) -> Pair:
    sides = [[{"role": "assistant", "content": text}] for text in (chosen, rejected)]
    return Pair(task, [{"role": "user", "content": task}], sides[0], sides[1], "test", 1.0, 0, 1)


def encode(messages: Any, add_generation_prompt: bool) -> list[int]:
    """One token a word, 9 before an answer, 0 after it."""
    ids: list[int] = []
    for message in messages:
        words = [hash(word) % 1000 + 10 for word in message["content"].split()]
        ids += [9, *words, 0] if message["role"] == "assistant" else words
    return [*ids, 9] if add_generation_prompt else ids


def test_a_pair_gives_one_wanted_and_one_unwanted_answer_and_no_answer_twice() -> None:
    found = examples_from_pairs([pair("t", "a", "b"), pair("t", "a", "c"), pair("u", "a", "b")])
    told = [(one.task_id, one.completion[0]["content"], one.wanted) for one in found.examples]
    assert told == [("t", "a", True), ("t", "b", False), ("t", "c", False), ("u", "a", True), ("u", "b", False)]
    assert found.dropped == {"answer left out: it is there already": 1}


def test_an_answer_that_two_pairs_disagree_on_is_left_out() -> None:
    found = examples_from_pairs([pair("t", "a", "b"), pair("t", "b", "c")])
    assert [(one.completion[0]["content"], one.wanted) for one in found.examples] == [("a", True), ("c", False)]
    assert found.dropped == {"answer left out: chosen in one pair, rejected in another": 2}


def test_verdicts_of_true_tests_label_answers() -> None:
    problem = Problem("t", "Add one.", "f")
    tests = (Test("t", "0", "assert f(1) == 2"), Test("t", "1", "assert f(2) == 3"))
    rows = [("PP", 1), ("PP", 1), ("PF", 2), ("PS", 3), ("PI", 4), ("SF", 5)]
    verdicts = tuple(
        Verdict("t", place, f"def f(x):\n    return {number}\n", letters)
        for place, (letters, number) in enumerate(rows)
    )
    found = examples_from_verdicts([VerdictMatrix("t", tests, verdicts)], [problem], fence=False)
    told = [(one.completion[0]["content"][-1], one.wanted) for one in found.examples]
    # the second is the first's copy; not all of the fourth's tests were run, and at the fifth we failed ourselves
    assert (told[0], sorted(told[1:])) == (("1", True), [("2", False), ("5", False)])
    assert found.dropped == {"solution left out: not all its tests were run": 2}


def test_paired_data_is_spread_so_that_no_neighbours_share_a_prompt() -> None:
    # in the order of the pairs each wanted answer would stand beside the unwanted one of its own problem
    examples = [example(f"t{number}", wanted) for number in range(50) for wanted in (True, False)]
    ordered = interleaved(examples, seed=3)
    assert all(one.task_id != other.task_id for one, other in pairwise(ordered))
    assert one_sided(ordered, 2) == 0


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=40), st.integers(0, 5))
def test_interleaving_loses_nothing_and_mixes_labels_in_proportion(rows: list[tuple[int, bool]], seed: int) -> None:
    examples = [example(str(task), wanted) for task, wanted in rows]
    ordered = interleaved(examples, seed)
    assert Counter((one.task_id, one.wanted) for one in ordered) == Counter((str(task), want) for task, want in rows)
    assert ordered == interleaved(examples, seed)
    wanted = sum(one.wanted for one in ordered)
    for at in range(len(ordered) + 1):
        so_far = sum(one.wanted for one in ordered[:at])
        assert abs(so_far - at * wanted / max(1, len(ordered))) <= 1


def test_labels_weigh_alike_in_all() -> None:
    assert balance(10, 30) == (3.0, 1.0)
    assert balance(30, 10) == (1.0, 3.0)
    assert balance(0, 10) == (1.0, 1.0)


def test_rows_are_checked_like_pairs() -> None:
    examples = [example("a", True, "one two"), example("b", False, "three"), example("c", False, " ".join("x" * 9))]
    found = kto_rows(Examples(examples), encode, max_length=6, eos_id=0, batch=2)
    assert sorted(row["label"] for row in found.rows) == [False, True]
    assert found.dropped == {"longer than training.max_length = 6 tokens": 1}
    assert found.weights == (1.0, 1.0)
    with pytest.raises(UserError, match="end-of-sequence"):
        kto_rows(Examples(examples), encode, max_length=6, eos_id=77, batch=2)


def test_no_row_is_its_own_neighbour() -> None:
    examples = [example(str(number), number % 2 == 0) for number in range(5)]
    found = kto_rows(Examples(examples), encode, max_length=9, eos_id=0, batch=4)
    assert len(found.rows) == 4
    assert found.dropped == {"answer left out: it would be alone in the last batch": 1}


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_kto_trains_the_starter(tmp_path: Path, weight: float) -> None:
    settings = replace(KTO, chosen_weight=weight)
    trained = train_kto(examples_from_pairs(pairs()), "starter", tmp_path / "model", settings, seed=1)
    assert trained.first_loss == pytest.approx(0.5, abs=1e-3)  # balanced labels weigh 1, every term is 1 - sigmoid(0)
    assert trained.pairs == 16
    assert trained.steps == 4
    assert (tmp_path / "model" / "model.safetensors").exists()
    assert trained.curve[0]["margin"] == pytest.approx(0, abs=1e-3)


def test_a_wrong_reference_is_told_by_the_first_loss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = trainer.load_model, []

    def second_differs(*args: Any, **options: Any) -> Any:
        calls.append(real(*args, **options))
        if len(calls) == 2:
            for weight in calls[-1].parameters():
                weight.data.mul_(1.2)
        return calls[-1]

    monkeypatch.setattr(trainer, "load_model", second_differs)
    with pytest.raises(InfrastructureError, match=r"instead of 0\.5"):
        train_kto(examples_from_pairs(pairs()), "starter", tmp_path / "model", KTO)
    assert not (tmp_path / "model").exists()


def test_answers_of_one_label_are_refused(tmp_path: Path) -> None:
    wanted = Examples([one for one in examples_from_pairs(pairs()).examples if one.wanted])
    with pytest.raises(UserError, match="one label"):
        train_kto(wanted, "starter", tmp_path / "model", KTO)
    with pytest.raises(UserError, match="at least 2"):
        train_kto(wanted, "starter", tmp_path / "model", replace(KTO, batch_size=1))
