"""Mistakes of a user usually give status 2 and one message that says what is wrong, where, and how to fix it."""

import json
from pathlib import Path

import pytest

from codepref.cli.main import main
from codepref.cli.parser import COMMANDS
from codepref.errors import UserError

PROBLEM = {"task_id": "a/0", "prompt": "Add one to x.", "entry_point": "f", "tests": ["assert f(1) == 2"]}


@pytest.fixture
def problems(tmp_path: Path) -> Path:
    path = tmp_path / "problems.jsonl"
    path.write_text(json.dumps(PROBLEM) + "\n")
    return path


def lines(path: Path, *rows: object) -> str:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return str(path)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            ['{"task_id": "a/0", "completion": "x"}', '{"task_id": "a/0"'],
            "solutions.jsonl:2: the line is not valid JSON",
        ),
        ([{"task_id": "b/7", "solution": "x"}], "solutions.jsonl:1: task 'b/7' is not among the problems"),
        ([{"task_id": "a/0"}], 'solutions.jsonl:1: needs "solution" or "completion"'),
        ([{"task_id": "a/0", "solution": 3}], "solutions.jsonl:1: solution must be text"),
    ],
)
def test_a_message_names_the_wrong_line_and_nothing_is_written(
    rows: list[object], message: str, problems: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    solutions = lines(tmp_path / "solutions.jsonl", *rows)
    assert main(["execute", "--problems", str(problems), "--solutions", solutions, "--out", str(out)]) == 2
    assert message in capsys.readouterr().err
    assert not out.exists()


def test_a_message_names_a_problem_without_an_entry_point(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = lines(tmp_path / "p.jsonl", {"task_id": "x", "prompt": "do", "tests": ["assert f(1)", "assert g(2)"]})
    solutions = lines(tmp_path / "s.jsonl", {"task_id": "x", "solution": ""})
    assert main(["execute", "--problems", path, "--solutions", solutions, "--out", str(tmp_path / "out")]) == 2
    assert "p.jsonl:1: no entry_point" in capsys.readouterr().err


def test_an_empty_sample_gets_a_verdict_and_is_no_error(
    problems: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    solutions = lines(
        tmp_path / "s.jsonl",
        {"task_id": "a/0", "completion": ""},
        {"task_id": "a/0", "solution": "def f(x): return x + 1"},
    )
    assert main(["execute", "--problems", str(problems), "--solutions", solutions, "--out", str(tmp_path / "out")]) == 0
    assert "1 problems, 2 solutions, 2 verdicts" in capsys.readouterr().out


def test_a_message_says_that_a_file_holds_no_solutions(
    problems: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    solutions = lines(tmp_path / "s.jsonl")
    assert main(["execute", "--problems", str(problems), "--solutions", solutions, "--out", str(tmp_path / "out")]) == 0
    assert "s.jsonl holds no solution" in capsys.readouterr().err


def test_a_message_says_that_a_file_is_neither_an_array_nor_json_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "p.json").write_text("task_id: x\n")
    path = str(tmp_path / "p.json")
    assert main(["execute", "--problems", path, "--solutions", path, "--out", str(tmp_path / "out")]) == 2
    assert "p.json: the file is not valid JSON" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["execute", "--problems", "none.jsonl", "--solutions", "s", "--out", "o"], "none.jsonl: no such file"),
        (["run", "none.toml"], "none.toml: no such recipe"),
        (["run", "none"], "no recipe of this name ships with codepref"),
        (["demo", "--recipe", "none"], "no demo recipe has the name 'none'"),
        (["demo", "--recipe", "starter/dstc-dpo"], "the names are agreement-dpo, dstc-dpo"),
        (["run", "."], ". is a folder, but a recipe is a TOML file"),
        (
            ["demo", "--set", "training.betta=1", "--out", "o"],
            "--set: unknown key `training.betta` (did you mean `beta`?)",
        ),
        (["demo", "--set", "model=x", "--out", "o"], "--set model=x: must be section.key=value"),
        (["status", "."], "is neither a run directory nor"),
        (["show", ".", "t"], "is not a run directory"),
        (["sample", "--model", "./none", "--problems", "starter", "--out", "o"], "no such model folder"),
        (["sample", "--model", "", "--problems", "starter", "--out", "o"], "the model's name is empty"),
        (["train", "--model", "starter", "--pairs", "none.parquet", "--out", "o"], "none.parquet: no such file"),
        (["train", "--model", "starter", "--pairs", "p", "--out", "o", "--set", "lr=1"], "unknown key `training.lr`"),
        (
            ["train", "--model", "starter", "--pairs", "p", "--out", "o", "--set", "method=kto"],
            "use --method to choose",
        ),
        (["train", "--model", "starter", "--pairs", "p", "--out", "o", "--set", "rounds=2"], "only a run has rounds"),
        (
            ["train", "--model", "starter", "--pairs", "p", "--out", "o", "--set", "validation.samples=2"],
            "takes the keys of [training]",
        ),
        (
            ["train", "--model", "starter", "--pairs", "p", "--out", "o", "--set", "training.max_grad_norm=0"],
            "`training.max_grad_norm` = 0: must be above 0",
        ),
        (["pair", "--verdicts", "none", "--out", "o"], "none: there is no such folder of verdicts"),
        (["pair", "--verdicts", __file__, "--out", "o"], "is a file, not a folder of verdicts"),
        (["pair", "--out", "o"], "needs verdicts"),
        (
            ["grade", "--benchmark", "b", "--responses", "r", "--model", "rubric", "--out", "o"],
            "the rubric cannot grade a benchmark",
        ),
        (["compare", "none", "none"], "none: no such file"),
        (["evaluate", "--model", "starter", "--out", "o"], "the problems are missing"),
        (
            ["evaluate", "--problems", "starter", "--model", "starter", "--out", "o", "-k", "1", "0"],
            "k must be at least 1",
        ),
        (
            ["evaluate", "--problems", "starter", "--model", "starter", "--out", "o", "--samples", "0"],
            "samples must be",
        ),
        (["demo", "--seed", "-1", "--out", "o"], "`seed` = -1: must be at least 0"),
        (["sample", "--model", "starter", "--problems", "starter", "--top-p", "5", "--out", "o"], "top_p must be"),
        (
            ["sample", "--model", "starter", "--problems", "starter", "--batch-size", "0", "--out", "o"],
            "batch_size must",
        ),
        (["sample", "--model", "starter", "--problems", "starter", "--template", "{x}", "--out", "o"], "only {prompt}"),
        (
            ["sample", "--model", "starter", "--problems", "starter", "--template", "x", "--out", "o"],
            "holds no {prompt}",
        ),
        (["sample", "--model", "starter", "--problems", "starter", "--out", "."], "is a folder"),
        (["sample", "--model", "starter", "--problems", "starter:none", "--out", "o"], "no such split"),
        (
            ["train", "--model", "starter", "--pairs", "p", "--out", "o", "--set", "epochs=inf"],
            "must be a finite number",
        ),
        (
            ["evaluate", "--problems", "starter", "--model", "starter", "--out", "o", "--cpu-seconds", "0"],
            "--cpu-seconds must be above 0",
        ),
    ],
)
def test_a_missing_file_or_an_unknown_value_gives_status_2(
    command: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(command) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_run_directory_belongs_to_one_recipe_and_its_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from dataclasses import replace

    from codepref.runs.directory import RunDirectory
    from codepref.runs.recipes import load_recipe, recipes_folder

    recipe = load_recipe(recipes_folder() / "starter" / "dstc-dpo.toml")
    with RunDirectory(tmp_path / "run", replace(recipe, name="demo-dstc-dpo")) as run:
        run.claim({"problems.train": "another file"}, dict)
        assert main(["demo", "--out", str(tmp_path / "run")]) == 2
        assert "another process works in this folder" in capsys.readouterr().err
    assert main(["demo", "--seed", "5", "--out", str(tmp_path / "run")]) == 2
    assert "holds a run with other values of seed" in capsys.readouterr().err
    assert main(["demo", "--out", str(tmp_path / "run")]) == 2
    assert "problems.train changed since this run began" in capsys.readouterr().err


def test_a_mistake_in_the_recipe_leaves_no_run_directory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run"
    assert main(["demo", "--set", "problems.train=none.jsonl", "--out", str(out)]) == 2
    assert "none.jsonl: no such file" in capsys.readouterr().err
    assert not (out / "recipe.toml").exists()


def test_a_missing_package_or_file_of_the_training_is_reported_before_sampling(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from codepref.training.checks import REPORTERS

    monkeypatch.setitem(REPORTERS, "wandb", "no_such_package")
    small = ["--set", "problems.train_limit=2", "--set", "problems.heldout_limit=2", "--out", str(tmp_path / "run")]
    assert main(["demo", *small, "--set", 'training.report_to=["wandb"]']) == 3
    assert "needs the package no_such_package" in capsys.readouterr().err
    assert main(["demo", *small, "--set", "training.accelerate=none.yaml"]) == 2
    assert "training.accelerate = 'none.yaml': no such file" in capsys.readouterr().err
    assert not (tmp_path / "run" / "recipe.toml").exists()


@pytest.mark.parametrize("command", [name for name, _, _ in COMMANDS])
def test_each_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    assert "usage: codepref" in capsys.readouterr().out


def test_a_misspelt_training_setting_in_python_gives_the_nearest_name(tmp_path: Path) -> None:
    import codepref

    with pytest.raises(UserError, match=r"unknown training setting `lerning_rate` \(did you mean `learning_rate`\?\)"):
        codepref.train([], "starter", tmp_path / "m", lerning_rate=1.0)
    with pytest.raises(UserError, match=r"rounds: only a run has rounds"):
        codepref.train([], "starter", tmp_path / "m", rounds=3)


def test_binarized_without_judgments_is_refused_before_pairs_are_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "pairs.parquet"
    command = ["pair", "--verdicts", str(tmp_path), "--binarized", str(tmp_path / "b.parquet"), "--out", str(out)]
    assert main(command) == 2
    assert "--binarized also writes the ratings: give --judgments" in capsys.readouterr().err
    assert not out.exists()
