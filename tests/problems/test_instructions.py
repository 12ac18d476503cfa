"""Tests of instructions from any data set (the draw, rows that are left out, preferences), and of benchmarks."""

import json
from collections import Counter
from pathlib import Path

import datasets
import pytest

from codepref.errors import UserError
from codepref.preferences import PREFERENCES
from codepref.problems.codal import load_benchmark
from codepref.problems.instructions import load_instructions


def test_seed_42_reproduces_the_published_draw() -> None:
    rows = [{"instruction": f"do {place}" + ("中" if place % 7 == 3 else ""), "response": "x"} for place in range(500)]
    drawn = load_instructions(rows, n=100, seed=42)
    published = datasets.Dataset.from_list(rows).filter(lambda row: "中" not in row["instruction"])
    expected = published.shuffle(seed=42).select(range(100))["instruction"]
    assert [task.text for task in drawn.tasks] == list(expected)
    assert [task.preference for task in drawn.tasks[:6]] == [*PREFERENCES, PREFERENCES[0]]
    assert drawn.dropped == {"Chinese characters": 71}


def test_without_a_draw_all_are_kept_in_order_with_equally_frequent_preferences() -> None:
    loaded = load_instructions([{"prompt": f"do {place}"} for place in range(50)])
    assert [task.text for task in loaded.tasks] == [f"do {place}" for place in range(50)]
    assert set(Counter(task.preference for task in loaded.tasks).values()) == {10}


def test_empty_repeated_and_long_instructions_are_left_out_and_counted() -> None:
    rows = [{"instruction": text} for text in ("a", " ", "b", "a", "x" * 50, "中文")]
    loaded = load_instructions(rows, max_chars=20, keep_cjk=True)
    assert [task.text for task in loaded.tasks] == ["a", "b", "中文"]
    assert loaded.dropped == {"empty": 1, "longer than 20 characters": 1, "repeated": 1}


def test_a_rows_own_preference_and_task_id_are_kept() -> None:
    (task,) = load_instructions([{"instruction": "a", "preference": "explanation", "task_id": "mine"}]).tasks
    assert (task.task_id, task.preference) == ("mine", "explanation")


def test_instructions_are_read_from_each_kind_of_file(tmp_path: Path) -> None:
    rows = [{"question": "a", "answer": 1}, {"question": "b", "answer": 2}]
    (tmp_path / "i.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "i.json").write_text(json.dumps(rows))
    datasets.Dataset.from_list(rows).to_parquet(tmp_path / "i.parquet")
    for name in ("i.jsonl", "i.json", "i.parquet"):
        assert [task.text for task in load_instructions(tmp_path / name).tasks] == ["a", "b"]
    (task, *_) = load_instructions("starter:validation", n=3).tasks
    assert task.text.startswith("Write the Python function ")


def test_wrong_input_is_refused_with_a_message() -> None:
    for rows, more, message in (
        ([{"text": "a"}], {}, "no text in column instruction or prompt or problem or question"),
        ([{"instruction": 3}], {"column": "instruction"}, "no text in column 'instruction'"),
        ([], {}, "holds no usable instruction"),
        ([{"instruction": "a"}], {"n": 2}, "holds 1 usable instructions, fewer than the 2 requested"),
        ([{"instruction": "a"}], {"n": 0}, "n must be at least 1"),
        ([{"instruction": "a"}], {"preferences": ["beauty"]}, "unknown preference 'beauty'"),
        ([{"instruction": "a", "preference": "beauty"}], {}, "row 0: unknown preference 'beauty'"),
        (
            [{"instruction": "a", "task_id": "t"}, {"instruction": "b", "task_id": "t"}],
            {},
            "an earlier row has the same task_id 't'",
        ),
    ):
        with pytest.raises(UserError, match=message):
            load_instructions(rows, **more)  # type: ignore[arg-type]


def benchmark(path: Path, *columns: str, **more: object) -> Path:
    rows = [
        {"instruction": f"do {place}", "preference": PREFERENCES[place % 5]} | dict.fromkeys(columns, "ref") | more
        for place in range(10)
    ]
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def test_a_benchmark_is_read_with_its_reference_answers(tmp_path: Path) -> None:
    path = benchmark(tmp_path / "codal.jsonl", "gpt-4_response", "claude_response")
    loaded = load_benchmark(path, reference="gpt-4")
    assert (len(loaded.tasks), loaded.column, loaded.references["codal/3"]) == (10, "gpt-4_response", "ref")
    assert load_benchmark(benchmark(tmp_path / "one.jsonl", "m_response")).column == "m_response"
    assert load_benchmark(benchmark(tmp_path / "own.jsonl", "reference", "m_response")).column == "reference"
    with pytest.raises(
        UserError, match=r"has reference answers of several models\. Name one of its reference models: gpt-4, claude"
    ):
        load_benchmark(path)
    with pytest.raises(UserError, match="has no column 'llama' or 'llama_response'"):
        load_benchmark(path, reference="llama")
    with pytest.raises(UserError, match=r"has no reference answer in column(.|\n)*and 5 other mistakes"):
        load_benchmark(benchmark(tmp_path / "bare.jsonl", "reference", reference=" "))
