"""Single answers from pairs and verdicts: the labels that they get, and the answers that are left out and counted."""

import pytest
from letters import END, letters, render

from codepref.errors import UserError
from codepref.records import Pair, Problem, Test, Verdict, VerdictMatrix
from codepref.training.examples import Example, Examples, examples_from_pairs, examples_from_verdicts
from codepref.training.kto_rows import balanced_weights, kto_rows, label_weights


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


def labels(answers: Examples) -> list[tuple[str, bool]]:
    return [(one.completion[0]["content"], one.wanted) for one in answers.examples]


def test_a_pair_gives_one_answer_of_each_label() -> None:
    assert labels(examples_from_pairs([pair("good", "bad")])) == [("good", True), ("bad", False)]


def test_an_answer_counts_once_for_each_label_and_problem() -> None:
    answers = examples_from_pairs([pair("good", "bad"), pair("good", "worse")])
    assert labels(answers) == [("good", True), ("bad", False), ("worse", False)]
    assert answers.dropped == {"answer left out: it is there already": 1}
    assert len(examples_from_pairs([pair("good", "bad", "t"), pair("good", "bad", "u")]).examples) == 4


def test_an_answer_that_is_chosen_and_rejected_is_left_out() -> None:
    answers = examples_from_pairs([pair("good", "middling"), pair("middling", "bad")])
    assert labels(answers) == [("good", True), ("bad", False)]
    assert answers.dropped == {"answer left out: both chosen and rejected": 2}


def verdicts(**solutions: str) -> VerdictMatrix:
    """Return the verdicts of different solutions. Each keyword is a solution's name, and its value the verdict codes.

    The solution named `shared` shared a process with its tests.
    """
    rows = [
        Verdict("t", at, f"def f():\n    return {at}", codes, "shared" if name == "shared" else "separate")
        for at, (name, codes) in enumerate(solutions.items())
    ]
    return VerdictMatrix("t", (Test("t", "0", "1"),) * len(rows[0].codes), tuple(rows))


PROBLEM = Problem(task_id="t", prompt="def f():\n", entry_point="f")


def test_a_correct_solution_is_wanted_and_a_wrong_one_is_not() -> None:
    answers = examples_from_verdicts([verdicts(a="PP", b="PF", c="ET")], [PROBLEM], fence=False)
    assert sorted(labels(answers)) == [
        ("def f():\n    return 0", True),
        ("def f():\n    return 1", False),
        ("def f():\n    return 2", False),
    ]


def test_a_solution_of_unknown_correctness_is_left_out_and_a_failing_code_decides() -> None:
    matrix = verdicts(a="PI", b="PS", c="FI", d="FS", shared="PP")
    answers = examples_from_verdicts([matrix], [PROBLEM], fence=False)
    assert sorted(labels(answers)) == [("def f():\n    return 2", False), ("def f():\n    return 3", False)]
    assert answers.dropped == {
        "solution left out: it is unknown whether it is correct": 2,
        "solution left out: it shared a process with its tests": 1,
    }
    allowed = examples_from_verdicts([verdicts(shared="PP")], [PROBLEM], fence=False, allow_shared=True)
    assert labels(allowed) == [("def f():\n    return 0", True)]


def test_two_layouts_of_one_program_are_one_answer_or_none_when_their_verdicts_differ() -> None:
    def twice(*codes: str) -> Examples:
        texts = ("def f():\n    return 0", "def f():  # the same\n    return 0")
        rows = [Verdict("t", at, texts[at], codes[at], "separate") for at in range(2)]
        return examples_from_verdicts([VerdictMatrix("t", (Test("t", "0", "1"),), tuple(rows))], [PROBLEM], fence=False)

    assert labels(twice("P", "P")) == [("def f():\n    return 0", True)]
    assert labels(twice("P", "F")) == []
    assert twice("P", "F").dropped == {"solution left out: the same as another after normalisation": 1}


def test_most_limits_the_answers_of_each_problem_and_label() -> None:
    matrix = verdicts(**{f"s{at}": "P" if at < 6 else "F" for at in range(9)})
    answers = examples_from_verdicts([matrix], [PROBLEM], most=2, seed=1)
    assert [wanted for _, wanted in labels(answers)] == [True, True, False, False]
    assert labels(answers) == labels(examples_from_verdicts([matrix], [PROBLEM], most=2, seed=1))


def test_verdicts_of_an_unknown_problem_are_refused() -> None:
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


def test_rows_have_labels_and_weights_that_balance_them() -> None:
    rows = kto_rows(many(2, 6), letters(), max_length=64, batch=4)
    assert sum(row["label"] for row in rows.rows) == 2
    assert rows.weights == (3.0, 1.0)  # 3 x 2 wanted = 1 x 6 unwanted
    assert rows.dropped == {}
    assert rows.longest == len("ask") + 2 + len("x") + 1


def test_a_batch_of_one_row_is_avoided_by_leaving_out_a_row_of_the_frequent_label() -> None:
    rows = kto_rows(many(2, 3), letters(), max_length=64, batch=4)
    assert [sum(row["label"] for row in rows.rows), len(rows.rows)] == [2, 4]
    assert rows.dropped == {"answer left out: the last batch would hold a single answer": 1}


def test_faults_that_no_order_removes_are_counted() -> None:
    rows = kto_rows(many(1, 7), letters(), max_length=64, batch=4)
    assert rows.dropped == {"batches of 4 that hold one label only (kept)": 1}
    same = examples_from_pairs([pair("good", "bad")])
    assert kto_rows(same, letters(), max_length=64, batch=2).dropped == {
        "answers whose KL neighbour is of the same problem (kept)": 2
    }


def test_long_answers_are_left_out_and_chat_templates_are_checked() -> None:
    rows = kto_rows(examples_from_pairs([pair("good", "longer")]), letters(), max_length=8, batch=2)
    assert rows.dropped["longer than training.max_length = 8 tokens"] == 1
    with pytest.raises(UserError, match="not to stop"):
        kto_rows(many(1, 1), letters(lambda turns, prompt: render(turns, prompt).strip(END)), max_length=8, batch=2)


def test_a_weight_of_zero_is_balanced_against_the_other_weight() -> None:
    assert balanced_weights(2, 6) == (3.0, 1.0)
    assert balanced_weights(0, 6) == (1.0, 1.0)
    assert label_weights((3.0, 1.0), 0.0, 0.0) == (3.0, 1.0)
    assert label_weights((3.0, 1.0), 1.5, 0.0) == (1.5, 0.5)
    assert label_weights((3.0, 1.0), 0.0, 2.0) == (6.0, 2.0)
    assert label_weights((3.0, 1.0), 1.0, 1.0) == (1.0, 1.0)
