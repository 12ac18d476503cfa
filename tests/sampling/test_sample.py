"""Sampling: what is asked, in which order, and that nothing drawn is drawn again."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from codepref.errors import UserError
from codepref.records import Message, Problem
from codepref.sampling.engines import Answer, Ask, Decoding
from codepref.sampling.engines.scripted import ScriptedEngine
from codepref.sampling.sample import sample
from codepref.storage.files import read_jsonl

PROBLEMS = [Problem(task_id=f"t{i}", prompt="word " * (i + 1), entry_point="f") for i in range(5)]


class Counting:
    """Answers with its seed and place, counts its work, and can be told to die."""

    fingerprint = "counting"

    def __init__(self, die_at: int = -1) -> None:
        self.batches: list[list[Ask]] = []
        self.die_at = die_at

    def prompt_length(self, messages: Sequence[Message]) -> int:
        return len(messages[0]["content"].split())

    def answer(self, asks: Sequence[Ask], decoding: Decoding, seed: int) -> list[Answer]:
        if len(self.batches) == self.die_at:
            raise KeyboardInterrupt
        self.batches.append(list(asks))
        return [Answer(f"def f(): return {seed}, {ask.sample}", finished=ask.sample != 1) for ask in asks]


def test_rows_come_by_problem_and_sample_and_hold_the_extracted_program() -> None:
    rows = sample(PROBLEMS, Counting(), n=3, batch_size=4)
    assert [(row["task_id"], row["sample"]) for row in rows] == [(f"t{i}", j) for i in range(5) for j in range(3)]
    assert rows[0]["solution"].startswith("def f()")
    assert [row["finished"] for row in rows[:3]] == [True, False, True]


def test_prompts_of_like_length_share_a_batch_and_the_longest_goes_first() -> None:
    engine = Counting()
    sample(PROBLEMS, engine, n=2, batch_size=4)
    assert [[ask.task_id for ask in batch] for batch in engine.batches] == [
        ["t4", "t4", "t3", "t3"],
        ["t2", "t2", "t1", "t1"],
        ["t0", "t0"],
    ]


def test_an_interrupted_sampling_goes_on_and_ends_with_the_same_file(tmp_path: Path) -> None:
    undisturbed = sample(PROBLEMS, Counting(), n=2, batch_size=3, seed=5)
    out = tmp_path / "solutions.jsonl"
    with pytest.raises(KeyboardInterrupt):
        sample(PROBLEMS, Counting(die_at=2), n=2, batch_size=3, seed=5, out=out)
    assert not out.exists()
    second = Counting()
    rows = sample(PROBLEMS, second, n=2, batch_size=3, seed=5, out=out)
    assert len(second.batches) == 2  # of four
    assert rows == undisturbed == [row for _, row in read_jsonl(out)]
    assert sorted(path.name for path in tmp_path.iterdir()) == [".solutions.jsonl.key", "solutions.jsonl"]
    third = Counting()
    assert sample(PROBLEMS, third, n=2, batch_size=3, seed=5, out=out) == rows
    assert third.batches == []  # what is finished is not asked again
    sample(PROBLEMS, third, n=2, batch_size=3, seed=6, out=out)
    assert len(third.batches) == 4  # and another seed is another question


def test_two_models_are_asked_with_the_same_random_numbers() -> None:
    class Other(Counting):
        fingerprint = "other"

    assert sample(PROBLEMS, Counting(), n=2, seed=5) == sample(PROBLEMS, Other(), n=2, seed=5)


def test_another_seed_or_temperature_takes_nothing_from_an_interrupted_call(tmp_path: Path) -> None:
    out = tmp_path / "solutions.jsonl"
    with pytest.raises(KeyboardInterrupt):
        sample(PROBLEMS, Counting(die_at=3), n=2, batch_size=3, seed=5, out=out)
    for seed, decoding in ((6, Decoding()), (5, Decoding(temperature=0.1))):
        engine = Counting(die_at=4)
        sample(PROBLEMS, engine, n=2, batch_size=3, seed=seed, decoding=decoding)
        assert len(engine.batches) == 4


def test_the_scripted_model_answers_in_turn_and_begins_again(tmp_path: Path) -> None:
    script = tmp_path / "script.jsonl"
    script.write_text(
        '{"task_id": "t0", "completion": "def f(): return 1"}\n{"task_id": "t0", "completion": "def f(): return 2"}\n'
        '{"task_id": "t0", "kind": "tests", "completion": "assert f() == 1"}\n'
    )
    rows = sample(PROBLEMS[:1], f"scripted:{script}", n=3)
    assert [row["completion"][-1] for row in rows] == ["1", "2", "1"]
    assert sample(PROBLEMS[:1], f"scripted:{script}", kind="tests", n=1)[0]["completion"] == "assert f() == 1"
    with pytest.raises(UserError, match="no answer of kind 'solutions' for task 't1'"):
        sample(PROBLEMS[1:2], ScriptedEngine.from_file(script), n=1)


@pytest.mark.parametrize(
    ("problems", "kind", "n", "told"),
    [
        (PROBLEMS, "answers", 1, "solutions or tests"),
        (PROBLEMS, "tests", 0, "at least 1"),
        (PROBLEMS[:1] * 2, "tests", 1, "share"),
    ],
)
def test_wrong_input_is_refused(problems: list[Problem], kind: str, n: int, told: str) -> None:
    with pytest.raises(UserError, match=told):
        sample(problems, Counting(), kind=kind, n=n)
