"""Tests of what `codepref inspect` counts, writes and prints."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import codepref
from codepref.cli.main import main
from codepref.errors import UserError
from codepref.evaluation import inspection
from codepref.problems.drawing import Draw
from codepref.records import Problem, Test

Write = Callable[..., Path]
STATEMENT = "Write a function {name} that adds the two whole numbers it gets and returns the sum of both as one number."
GOLD = "def {name}(a, b):\n    total = a\n    total += b\n    return total\n"


def request(number: int, **more: Any) -> dict[str, Any]:
    """Return a row in the form of OpenCodeInstruct."""
    name = f"add_{number}"
    return {
        "id": f"row-{number}",
        "input": STATEMENT.format(name=name),
        "output": f"```python\n{GOLD.format(name=name)}```",
        "domain": "algorithmic" if number % 2 else "generic",
        "unit_tests": json.dumps([f"assert {name}(1, 2) == 3", f"assert {name}(-1, 1) == 0"]),
        "average_test_score": str(number / 10),
        "llm_judgement": "{}",
        **more,
    }


OTHER = (
    "Let add_7 be a function of two arguments. Sum up both of them, whatever their signs are, and give back the sum."
)
ROWS = [
    request(0),
    request(1, output="```python\ndef add_1(a, b):\n    return a - b\n```"),
    request(
        2, unit_tests=json.dumps(["assert add_2(1, 2) == 3", "try:\n    add_2(1, 2)\nexcept Exception:\n    pass"])
    ),
    request(3, unit_tests=json.dumps(["try:\n    assert add_3(1, 2) == 3\nexcept BaseException:\n    pass"])),
    request(4, unit_tests="[not json"),
    request(5, input=None),
    request(6, unit_tests="{also not json"),
    request(7, input=f"Please do this. {OTHER}"),
    request(0),
]
BENCHMARK = {"task_id": "B/1", "prompt": OTHER, "tests": ["assert add_7(2, 2) == 4"]}


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Inspect ROWS, and return the figures and the rows that were written."""
    folder = tmp_path_factory.mktemp("inspect")
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    (folder / "bench.jsonl").write_text(json.dumps(BENCHMARK))
    good = folder / "good.jsonl"
    figures = codepref.inspect(folder / "rows.jsonl", write=good, against=[str(folder / "bench.jsonl")], jobs=1)
    return figures, [json.loads(line) for line in good.read_text().splitlines()]


def test_rows_that_are_left_out_are_counted_by_reason(result: tuple[dict[str, Any], Any]) -> None:
    figures, _ = result
    assert (figures["format"], figures["rows"], figures["problems"]) == ("OpenCodeInstruct", 9, 5)
    reasons = {one["reason"]: one["rows"] for one in figures["left_out"]["reasons"]}
    assert reasons == {
        "unit_tests is neither JSON nor a Python literal": 2,
        "the row holds no statement: input must be text that is not blank": 1,
        "the row repeats task_id …, which an earlier row has": 1,
    }
    examples = {example for one in figures["left_out"]["reasons"] for example in one["examples"]}
    assert any(
        example.endswith("rows.jsonl:6: the row holds no statement: input must be text that is not blank")
        for example in examples
    )


def test_gold_solutions_run_and_vacuous_tests_are_found(result: tuple[dict[str, Any], Any]) -> None:
    figures, _ = result
    gold = figures["gold"]
    assert (gold["problems"], gold["run"], gold["passed"], gold["failed"], gold["unjudged"]) == (5, 5, 3, 1, 1)
    assert gold["share"] == pytest.approx(0.6)
    assert gold["low"] < 0.6 < gold["high"]
    assert {one["task_id"]: one["codes"] for one in gold["examples"]}["row-1"] == "FF"
    vacuous = figures["vacuous"]
    assert (vacuous["checked"], vacuous["prove_nothing"]) == (5, 1)
    assert {"task_id": "row-2", "tests": ["1"]} in vacuous["examples"]
    assert vacuous["examples_that_prove_nothing"][0]["task_id"] == "row-3"


def test_what_was_read_as_what_is_reported(result: tuple[dict[str, Any], Any]) -> None:
    figures, _ = result
    assert {one["column"]: one["use"] for one in figures["columns"]} == {
        "id": "id",
        "input": "statement",
        "output": "gold solution",
        "domain": "fact",
        "unit_tests": "tests",
        "average_test_score": "fact",
        "llm_judgement": "not used",
    }
    assert figures["kinds"] == {"asserts": {"tests": 9, "problems": 5}}
    assert figures["lengths"]["tests of a problem"] == {"least": 1, "median": 2, "p95": 2, "most": 2}
    assert figures["facts"]["domain"] == {"problems": 5, "values": {"algorithmic": 3, "generic": 2}}


def test_good_problems_are_written_without_vacuous_tests(result: tuple[dict[str, Any], list[dict[str, Any]]]) -> None:
    figures, rows = result
    assert [row["task_id"] for row in rows] == ["row-0", "row-2"]
    assert rows[1]["tests"] == [{"kind": "asserts", "source": "assert add_2(1, 2) == 3"}]
    assert rows[0]["domain"] == "generic"
    assert figures["written"]["problems"] == 2
    assert figures["written"]["left_out"] == {
        "the gold solution fails": 1,
        "the tests prove nothing": 1,
        "overlaps with a benchmark": 1,
    }


def test_the_overlap_with_benchmarks_is_counted(result: tuple[dict[str, Any], Any]) -> None:
    figures, _ = result
    assert figures["overlap"]["problems"] == 1
    assert figures["overlap"]["benchmarks"][0]["overlapping"] == 1
    assert figures["overlap"]["examples"][0] | {"benchmark": ""} == {
        "task_id": "row-7",
        "benchmark": "",
        "heldout": "B/1",
        "kind": "words",
        "share": 1.0,
    }


def test_limit_0_reads_all_rows_and_runs_nothing(write_lines: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspection, "check_problems", lambda *_, **__: pytest.fail("tests ran"))
    figures = codepref.inspect(write_lines([request(number) for number in range(30)]), limit=0)
    assert (figures["problems"], figures["gold"]["run"], figures["vacuous"]["checked"]) == (30, 0, 0)
    assert codepref.inspect(write_lines([request(number) for number in range(30)]), limit=7, gold=0)["problems"] == 7


def test_the_rows_are_a_stream(write_lines: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """At most two problems are in memory at a time, so a source need not fit into memory."""
    import gc
    import weakref

    alive: list[weakref.ref[Any]] = []
    most = 0
    add = inspection.Survey.add

    class Tracked(str):
        __slots__ = ("__weakref__",)

    def count(self: Any, problem: Problem) -> None:
        nonlocal most
        prompt = Tracked(problem.prompt)
        object.__setattr__(problem, "prompt", prompt)
        alive.append(weakref.ref(prompt))
        most = max(most, sum(one() is not None for one in alive[-20:]))
        add(self, problem)

    monkeypatch.setattr(inspection.Survey, "add", count)
    gc.collect()
    codepref.inspect(write_lines([request(number) for number in range(100)]), limit=0)
    assert len(alive) == 100
    assert most <= 2


def test_drawn_problems_keep_their_order_and_each_has_the_same_chance() -> None:
    problems = [Problem(str(at), "Do.", "f", tests=(Test(str(at), "0", "assert f()"),)) for at in range(20)]
    counts = dict.fromkeys(range(20), 0)
    for seed in range(600):
        draw = Draw(5, seed)
        for problem in problems:
            draw.add(problem)
        drawn = [int(problem.task_id) for problem in draw.problems()]
        assert len(drawn) == 5
        assert drawn == sorted(drawn)
        for at in drawn:
            counts[at] += 1
    assert all(100 < count < 200 for count in counts.values())  # 150 on average, with a deviation of 11


def test_the_command_prints_a_table_or_json_and_writes_a_page(
    write_lines: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hostile = request(8, input="Add <script>alert(1)</script> numbers, please, with a function add_8(a, b).")
    path, page = str(write_lines([*ROWS, hostile])), tmp_path / "page.html"
    assert main(["inspect", path, "--gold", "0", "--html", str(page), "--where", "average_test_score<0.9"]) == 0
    out = capsys.readouterr().out
    for text in (
        "read as",
        "OpenCodeInstruct",
        "10 (4 left out)",
        "unit_tests",
        "holds no statement",
    ):
        assert text in out
    assert out.strip().endswith("page.html")
    text = page.read_text()
    assert "<script>" not in text
    assert "What was read as what" in text
    assert "http" not in text.replace("http-equiv", "")
    assert main(["inspect", path, "--gold", "0", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["problems"] == 6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.jsonl"], "none.jsonl: no such file"),
        (["x.jsonl", "--gold", "many"], "--gold must be a number of problems, or all"),
        (["x.jsonl", "--gold", "5", "--write", "y.jsonl"], "the tests of all problems must be run"),
        (["x.jsonl", "--limit", "-1"], "the limit must be at least 0"),
    ],
)
def test_wrong_arguments_give_one_message(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["inspect", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_a_source_without_a_usable_row_is_refused(write_lines: Write) -> None:
    with pytest.raises(UserError, match="holds no statement"):
        codepref.inspect(write_lines([request(1, input=None)]))


def test_strict_refuses_a_bad_row_before_anything_is_written(write_lines: Write, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no statement"):
        codepref.inspect(
            write_lines([request(1), request(2, input=None)]), strict=True, gold=0, write=tmp_path / "good.jsonl"
        )
    assert not (tmp_path / "good.jsonl").exists()


def test_the_starter_is_inspected_too() -> None:
    with pytest.raises(UserError, match="have no columns"):
        codepref.inspect("starter:validation#difficulty=easy")
    figures = codepref.inspect("starter:validation", gold=0)
    assert figures["problems"] > 0
    assert figures["columns"] == []
