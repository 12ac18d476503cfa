"""Pairs and verdicts -> single answers with a label: what is told apart, left out and counted."""

from collections.abc import Sequence

import pytest

from codepref.errors import UserError
from codepref.records import Message, Pair, Problem, Test, Verdict, VerdictMatrix
from codepref.training.kto_rows import (
    Example,
    Examples,
    balance,
    examples_from_pairs,
    examples_from_verdicts,
    kto_rows,
    weighed,
)

EOS = 0


def encode(messages: Sequence[Message], add_generation_prompt: bool) -> list[int]:
    """A template in which each character is a token, 1 opens a turn and EOS ends the assistant's."""
    ids: list[int] = []
    for message in messages:
        ids += [1, *map(ord, message["content"])]
        if message["role"] == "assistant":
            ids.append(EOS)
    return [*ids, 1] if add_generation_prompt else ids


def pair(chosen: str, rejected: str, task_id: str = "t") -> Pair:
    return Pair(
        task_id=task_id,
        prompt=[{"role": "user", "content": task_id}],
        chosen=[{"role": "assistant", "content": chosen}],
        rejected=[{"role": "assistant", "content": rejected}],
        rule="r",
        confidence=1.0,
        chosen_id=0,
        rejected_id=1,
    )


def labels(made: Examples) -> list[tuple[str, bool]]:
    return [(one.completion[0]["content"], one.wanted) for one in made.examples]


def test_a_pair_gives_one_answer_of_each_label() -> None:
    assert labels(examples_from_pairs([pair("good", "bad")])) == [("good", True), ("bad", False)]


def test_an_answer_counts_once_a_label() -> None:
    made = examples_from_pairs([pair("good", "bad"), pair("good", "worse")])
    assert labels(made) == [("good", True), ("bad", False), ("worse", False)]
    assert made.dropped == {"answer left out: it is there already": 1}
    assert len(examples_from_pairs([pair("good", "bad", "t"), pair("good", "bad", "u")]).examples) == 4


def test_an_answer_that_is_pushed_both_ways_is_left_out() -> None:
    made = examples_from_pairs([pair("good", "middling"), pair("middling", "bad")])
    assert labels(made) == [("good", True), ("bad", False)]
    assert made.dropped == {"answer left out: chosen in one pair, rejected in another": 2}


def verdicts(**solutions: str) -> VerdictMatrix:
    """name=codes: a solution that returns a number of its own, and its verdicts."""
    made = [
        Verdict("t", at, f"def f():\n    return {at}", codes, "shared" if name == "shared" else "separate")
        for at, (name, codes) in enumerate(solutions.items())
    ]
    return VerdictMatrix("t", (Test("t", 0, "1"),) * len(made[0].codes), tuple(made))


PROBLEM = Problem(task_id="t", prompt="def f():\n", entry_point="f")


def test_what_passes_all_is_wanted_and_what_was_seen_to_fail_is_not() -> None:
    made = examples_from_verdicts([verdicts(a="PP", b="PF", c="ET")], [PROBLEM], fence=False)
    assert sorted(labels(made)) == [
        ("def f():\n    return 0", True),
        ("def f():\n    return 1", False),
        ("def f():\n    return 2", False),
    ]


def test_cells_that_say_nothing_ground_no_label() -> None:
    made = examples_from_verdicts([verdicts(a="PI", b="PS", c="FI", d="FS", shared="PP")], [PROBLEM], fence=False)
    assert sorted(labels(made)) == [("def f():\n    return 2", False), ("def f():\n    return 3", False)]
    assert made.dropped == {
        "solution left out: not all its tests were run": 2,
        "solution left out: shared a process with its tests": 1,
    }
    allowed = examples_from_verdicts([verdicts(shared="PP")], [PROBLEM], fence=False, allow_shared=True)
    assert labels(allowed) == [("def f():\n    return 0", True)]


def test_one_solution_in_two_layouts_is_one_answer_and_none_when_the_verdicts_differ() -> None:
    def twice(*codes: str) -> Examples:
        texts = ("def f():\n    return 0", "def f():  # the same\n    return 0")
        made = [Verdict("t", at, texts[at], codes[at], "separate") for at in range(2)]
        return examples_from_verdicts([VerdictMatrix("t", (Test("t", 0, "1"),), tuple(made))], [PROBLEM], fence=False)

    assert labels(twice("P", "P")) == [("def f():\n    return 0", True)]
    assert labels(twice("P", "F")) == []
    assert twice("P", "F").dropped == {"solution left out: the same as another after normalisation": 1}


def test_so_many_answers_a_problem_and_label_at_most() -> None:
    matrix = verdicts(**{f"s{at}": "P" if at < 6 else "F" for at in range(9)})
    made = examples_from_verdicts([matrix], [PROBLEM], most=2, seed=1)
    assert [wanted for _, wanted in labels(made)] == [True, True, False, False]
    assert labels(made) == labels(examples_from_verdicts([matrix], [PROBLEM], most=2, seed=1))


def test_verdicts_of_an_unknown_problem_are_the_users_mistake() -> None:
    with pytest.raises(UserError, match="none of the problems"):
        examples_from_verdicts([verdicts(a="P")], [])


def many(wanted: int, unwanted: int) -> Examples:
    return Examples(
        [
            Example(
                str(at),
                [{"role": "user", "content": "ask"}],
                [{"role": "assistant", "content": "x"}],
                wanted=at < wanted,
            )
            for at in range(wanted + unwanted)
        ]
    )


def test_rows_carry_the_label_and_weights_that_balance() -> None:
    made = kto_rows(many(2, 6), encode, max_length=64, eos_id=EOS, batch=4)
    assert sum(row["label"] for row in made.rows) == 2
    assert made.weights == (3.0, 1.0)  # 3 x 2 wanted = 1 x 6 unwanted
    assert made.dropped == {}
    assert made.longest == len("ask") + 2 + len("x") + 1


def test_a_row_alone_in_its_batch_is_left_out_from_the_more_frequent_label() -> None:
    made = kto_rows(many(2, 3), encode, max_length=64, eos_id=EOS, batch=4)
    assert [sum(row["label"] for row in made.rows), len(made.rows)] == [2, 4]
    assert made.dropped == {"answer left out: it would be alone in the last batch": 1}


def test_what_no_order_can_mend_is_told() -> None:
    made = kto_rows(many(1, 7), encode, max_length=64, eos_id=EOS, batch=4)
    assert made.dropped == {"batches of 4 that hold one label only (kept)": 1}
    same = examples_from_pairs([pair("good", "bad")])
    assert kto_rows(same, encode, max_length=64, eos_id=EOS, batch=2).dropped == {
        "answers whose KL neighbour is of the same problem (kept)": 2
    }


def test_long_answers_are_left_out_and_templates_checked_as_for_pairs() -> None:
    made = kto_rows(examples_from_pairs([pair("good", "longer")]), encode, max_length=8, eos_id=EOS, batch=2)
    assert made.dropped["longer than training.max_length = 8 tokens"] == 1
    with pytest.raises(UserError, match="not to stop"):
        kto_rows(many(1, 1), lambda m, g: [t for t in encode(m, g) if t != EOS], max_length=8, eos_id=EOS, batch=2)


def test_weights_given_outrank_the_balance_and_one_given_balances_the_other() -> None:
    assert balance(2, 6) == (3.0, 1.0)
    assert balance(0, 6) == (1.0, 1.0)
    assert weighed((3.0, 1.0), 0.0, 0.0) == (3.0, 1.0)
    assert weighed((3.0, 1.0), 1.5, 0.0) == (1.5, 0.5)
    assert weighed((3.0, 1.0), 0.0, 2.0) == (6.0, 2.0)
    assert weighed((3.0, 1.0), 1.0, 1.0) == (1.0, 1.0)
