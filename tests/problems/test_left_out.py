"""Tests that unusable rows of problems are left out and listed, and that strict loading refuses the source."""

from __future__ import annotations

import json
import pickle
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import codepref
from codepref.cli.main import main
from codepref.errors import UserError
from codepref.problems.left_out import LeftOutWarning
from codepref.problems.load import load_problems, problems_from_rows
from codepref.runs.directory import RunDirectory
from codepref.runs.recipes import load_recipe, recipes_folder
from codepref.runs.stages.samples import stage_problems
from codepref.runs.work import load_work

pytestmark = pytest.mark.xdist_group("execution")

Write = Callable[..., Path]


def row(number: int, **changes: Any) -> dict[str, Any]:
    """Return a problem in codepref's own format whose right answer is its number."""
    return {
        "task_id": f"own/{number}",
        "prompt": f"Write answer(), which returns {number}.",
        "entry_point": "answer",
        "tests": [f"assert answer() == {number}"],
        **changes,
    }


STARTER_RECIPE = recipes_folder() / "starter" / "dstc-dpo.toml"
BAD = row(2, tests=["assert answer( == 2"])


def test_a_bad_row_is_left_out_wherever_it_stands(write_lines: Write) -> None:
    good = [row(1), row(3)]
    for place in range(3):
        rows = [*good[:place], BAD, *good[place:]]
        path = write_lines(rows)
        with pytest.warns(LeftOutWarning, match=rf"1 of 3 rows is left out.*\n  {path}:{place + 1}: test 0 cannot be"):
            problems = load_problems(path)
        assert [problem.task_id for problem in problems] == ["own/1", "own/3"]
        with pytest.raises(UserError, match=f":{place + 1}: test 0 cannot be read as Python"):
            load_problems(path, strict=True)


def test_a_first_row_that_lacks_a_column_does_not_hide_the_format(write_lines: Write) -> None:
    bad = row(2)
    del bad["prompt"]
    path = write_lines([bad, row(1)])
    with pytest.warns(LeftOutWarning, match=":1: the row lacks prompt"):
        assert [problem.task_id for problem in load_problems(path)] == ["own/1"]


@pytest.mark.parametrize("line", ["{broken", "[1]", '"text"', "\x00", '{"task_id": "own/2", "prompt": "cut o'])
def test_a_line_that_is_no_object_is_left_out(write_lines: Write, line: str) -> None:
    path = write_lines([row(1), line])
    with pytest.warns(LeftOutWarning, match=rf"1 of 2 rows is left out.*\n  {path}:2: "):
        assert len(load_problems(path)) == 1


def test_an_item_of_an_array_that_is_no_object_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "problems.json"
    path.write_text(json.dumps([row(1), 7, row(3)]))
    with pytest.warns(LeftOutWarning, match=r"problems.json\[1\]: the row must be a JSON object, not int"):
        assert len(load_problems(path)) == 2


def test_rows_of_a_data_set_are_left_out_too() -> None:
    with pytest.warns(LeftOutWarning, match=r"the rows: 1 of 2 rows is left out[^\n]*\n  row 1: test 0 cannot be read"):
        problems = problems_from_rows([row(1), BAD])
    assert problems.left_out.tasks == {"own/2"}
    with pytest.raises(UserError, match="row 1: test 0 cannot be read as Python"):
        problems_from_rows([row(1), BAD], strict=True)
    with pytest.raises(UserError, match="row 0: test 0 cannot be read as Python"):
        problems_from_rows([BAD])


def test_a_repeated_task_keeps_its_first_row(write_lines: Write) -> None:
    path = write_lines([row(1), row(1, prompt="Another text.")])
    with pytest.warns(LeftOutWarning, match=":2: the row repeats task_id 'own/1'"):
        (problem,) = load_problems(path)
    assert problem.prompt == row(1)["prompt"]


def test_mistakes_of_the_whole_file_are_refused(tmp_path: Path, write_lines: Write) -> None:
    with pytest.raises(UserError, match="no known problem format has the columns a"):
        load_problems(write_lines([{"a": 1}] * 300))
    with pytest.raises(UserError, match="unknown format"):
        load_problems(write_lines([row(1)]), format="none")
    (tmp_path / "problems.json").write_text("{")
    with pytest.raises(UserError, match="not valid JSON"):
        load_problems(tmp_path / "problems.json")
    (tmp_path / "cut.jsonl.gz").write_bytes(b"\x1f\x8bnot gzip")
    with pytest.raises(UserError, match="broken gzip"):
        load_problems(tmp_path / "cut.jsonl.gz")


def test_a_list_of_problems_keeps_what_was_left_out_when_it_is_copied(write_lines: Write) -> None:
    with pytest.warns(LeftOutWarning):
        problems = load_problems(write_lines([row(1), BAD]))
    assert pickle.loads(pickle.dumps(problems)).left_out == problems.left_out
    assert codepref.load_problems(problems) is problems


@pytest.mark.parametrize("of_bad_row", ["own/2", 2])
def test_solutions_of_a_row_that_was_left_out_are_left_out(write_lines: Write, tmp_path: Path, of_bad_row: Any) -> None:
    solutions = [{"task_id": f"own/{number}", "solution": f"def answer(): return {number}"} for number in (1, 3)]
    solutions.insert(1, {"task_id": of_bad_row, "solution": "def answer(): return 2"})
    with pytest.warns(LeftOutWarning) as caught:
        matrices = codepref.execute(str(write_lines([row(1), BAD, row(3)])), solutions, out=tmp_path / "out", jobs=1)
    assert [matrix.verdicts[0].codes for matrix in matrices] == ["P", "P"]
    texts = [str(warning.message) for warning in caught]
    assert len(texts) == 2
    assert texts[1] == "1 solutions of problems that were left out are left out too"
    recorded = json.loads((tmp_path / "out" / "summary.json").read_text())["problems_left_out"]
    assert recorded["rows"] == 1
    assert re.search(r":2: test 0 cannot be read as Python", recorded["messages"][0])
    with pytest.raises(UserError, match="task 'own/9' is not among the problems"), pytest.warns(LeftOutWarning):
        codepref.execute(str(write_lines([row(1), BAD])), [{"task_id": "own/9", "solution": ""}], jobs=1)


@pytest.fixture
def files(write_lines: Write) -> dict[str, str]:
    answers = [{"task_id": "own/1", "completion": "```python\ndef answer():\n    return 1\n```"}]
    return {
        "problems": str(write_lines([row(1), BAD])),
        "answers": str(write_lines(answers, "answers.jsonl")),
    }


def test_commands_show_what_is_left_out_and_refuse_it_if_strict(
    files: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    problems, answers = files["problems"], files["answers"]
    verdicts = tmp_path / "verdicts"
    commands = [
        ["sample", "--model", f"scripted:{answers}", "--problems", problems, "-n", "1", "--out", f"{tmp_path}/s.jsonl"],
        ["execute", "--problems", problems, "--solutions", answers, "--jobs", "1", "--out", str(verdicts)],
        ["evaluate", "--problems", problems, "--solutions", answers, "--jobs", "1", "--out", f"{tmp_path}/scores"],
        ["pair", "--problems", problems, "--verdicts", str(verdicts), "--out", f"{tmp_path}/pairs.parquet"],
    ]
    for command in commands:
        assert main([*command, "--strict"]) == 2, command
        assert f"codepref: {problems}:2: test 0 cannot be read as Python" in capsys.readouterr().err
        if command[0] == "pair":
            continue  # one solution of a problem makes no pair
        with pytest.warns(LeftOutWarning, match=rf"{problems}: 1 of 2 rows is left out"):
            assert main(command) == 0, command


def test_the_command_line_prints_the_rows_whatever_warnings_the_user_hides(
    files: dict[str, str], tmp_path: Path
) -> None:
    command = [sys.executable, "-W", "ignore", "-m", "codepref", "sample", "--model", f"scripted:{files['answers']}"]
    command += ["--problems", files["problems"], "-n", "1", "--out", str(tmp_path / "s.jsonl")]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    assert f"codepref: {files['problems']}: 1 of 2 rows is left out" in shown
    assert f"\n  {files['problems']}:2: test 0 cannot be read as Python" in shown


def test_a_run_records_what_is_left_out_and_refuses_it_if_strict(write_lines: Write, tmp_path: Path) -> None:
    train = write_lines([row(1), BAD], "train.jsonl")
    heldout = write_lines([row(7), row(8, style="chat")], "heldout.jsonl")
    settings = [f"problems.train={train}", f"problems.heldout={heldout}", "model.path=scripted:none"]

    def work(*more: str) -> Any:
        with RunDirectory(tmp_path / "run", load_recipe(STARTER_RECIPE, [*settings, *more])) as directory:
            loaded = load_work(directory, lambda label: None, unconfined=False)  # type: ignore[arg-type,return-value]
            return stage_problems(loaded)

    with pytest.warns(LeftOutWarning) as caught:
        result = work()
    assert len(caught) == 2
    assert (result["train"], result["heldout"]) == (1, 1)
    assert sum(result["dropped"].values()) == 2
    listed = json.loads((tmp_path / "run" / "left_out.json").read_text())
    assert {key: rows["rows"] for key, rows in listed.items()} == {"problems.train": 1, "problems.heldout": 1}
    assert ":2: style must be" in listed["problems.heldout"]["messages"][0]
    with (
        pytest.raises(UserError, match="test 0 cannot be read as Python"),
        RunDirectory(
            tmp_path / "strict",
            load_recipe(STARTER_RECIPE, [*settings, "problems.strict=true"]),
        ) as directory,
    ):
        load_work(directory, lambda label: None, unconfined=False)  # type: ignore[arg-type,return-value]
