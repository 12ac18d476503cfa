"""Exported rows keep every prompt, and what a trainer would drop or misread is left out and counted."""

import json
import warnings
from pathlib import Path
from typing import Any

import pytest

import codepref
from codepref.errors import UserError
from codepref.exports import TRAINERS, load_trainer
from codepref.pairing.artifact import read_pairs, write_pairs
from codepref.problems.left_out import LeftOutWarning
from codepref.records import Pair
from codepref.storage.files import read_parquet


def message(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def pair(prompt: list[dict[str, str]], good: str = "good", bad: str = "bad", task: str = "t/0") -> Pair:
    return Pair(task, prompt, [message("assistant", good)], [message("assistant", bad)], "r", 0.5, 0, 1)


ASK = message("user", "Write f.")
SYSTEM = message("system", "Answer in Python.")
TALK = [SYSTEM, message("user", "Hi."), message("assistant", "Hello."), ASK]
PAIRS = [pair([ASK]), pair([SYSTEM, ASK], task="t/1"), pair(TALK, "```python\nx = '\u00e9\u4e2d'\n```", task="t/2")]

ROUND_TRIPS = [
    (name, ending)
    for name in TRAINERS.builtin
    if "pairs" in load_trainer(name).layouts
    for ending in load_trainer(name).layouts["pairs"].endings
]


def rows_of(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".parquet":
        return read_parquet(path)
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize(("name", "ending"), ROUND_TRIPS)
def test_exported_pairs_are_read_back_with_every_prompt_and_answer(tmp_path: Path, name: str, ending: str) -> None:
    out = tmp_path / f"pairs{ending}"
    pairs = PAIRS[:2] if name == "texts" else PAIRS
    done = codepref.export(pairs, to=name, out=out)
    assert (done.rows, done.left_out) == (len(pairs), {})
    with warnings.catch_warnings():
        warnings.simplefilter("error", LeftOutWarning)
        back = read_pairs(out)
    sides = [(list(one.prompt), list(one.chosen), list(one.rejected), one.task_id) for one in pairs]
    assert [(list(one.prompt), list(one.chosen), list(one.rejected), one.task_id) for one in back] == sides


@pytest.mark.parametrize("name", [name for name in TRAINERS.builtin if "kto" in load_trainer(name).layouts])
def test_both_sides_of_pairs_become_labelled_answers(tmp_path: Path, name: str) -> None:
    done = codepref.export(PAIRS[:2], to=name, out=tmp_path / "kto.jsonl", kind="kto")
    assert done.rows == 4
    assert [row["label"] for row in rows_of(tmp_path / "kto.jsonl")] == [True, False, True, False]
    again = codepref.export(data=tmp_path / "kto.jsonl", to="trl", out=tmp_path / "back.jsonl")
    assert again.rows == 4
    back = rows_of(tmp_path / "back.jsonl")
    assert [row["prompt"] for row in back] == [[ASK], [ASK], [SYSTEM, ASK], [SYSTEM, ASK]]
    assert [row["completion"][0]["content"] for row in back] == ["good", "bad", "good", "bad"]


@pytest.mark.parametrize("name", [name for name in TRAINERS.builtin if "sft" in load_trainer(name).layouts])
def test_the_chosen_sides_become_demonstrations(tmp_path: Path, name: str) -> None:
    out = tmp_path / f"sft{load_trainer(name).layouts['sft'].endings[0]}"
    assert codepref.export(PAIRS[:2], to=name, out=out, kind="sft").rows == 2
    codepref.export(data=out, to="trl", out=tmp_path / "back.jsonl")
    back = rows_of(tmp_path / "back.jsonl")
    assert [row["prompt"] for row in back] == [[ASK], [SYSTEM, ASK]]
    assert [row["completion"][0]["content"] for row in back] == ["good", "good"]


def test_llamafactory_gets_an_entry_beside_those_that_it_has(tmp_path: Path) -> None:
    (tmp_path / "dataset_info.json").write_text('{"other": {"file_name": "other.json"}}')
    done = codepref.export(PAIRS, to="llamafactory", out=tmp_path / "mine.jsonl")
    info = json.loads((tmp_path / "dataset_info.json").read_text())
    assert info["other"] == {"file_name": "other.json"}
    assert info["mine"] == {
        "file_name": "mine.jsonl",
        "formatting": "sharegpt",
        "ranking": True,
        "columns": {"messages": "conversations", "chosen": "chosen", "rejected": "rejected", "system": "system"},
    }
    assert [path.name for path, _ in done.settings] == ["dataset_info.json", "mine.llamafactory.yaml"]


def test_a_broken_dataset_info_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    (tmp_path / "dataset_info.json").write_text("[")
    with pytest.raises(UserError, match=r"dataset_info\.json: the file is there already"):
        codepref.export(PAIRS, to="llamafactory", out=tmp_path / "mine.jsonl")
    assert not (tmp_path / "mine.jsonl").exists()


@pytest.mark.parametrize(
    ("name", "one", "reason"),
    [
        ("llamafactory", pair([ASK, ASK]), "the roles of the prompt do not alternate between user and assistant"),
        ("llamafactory", pair([ASK, message("assistant", "x")]), "the prompt does not end with a message of the user"),
        ("axolotl", pair([ASK], bad="  "), "the answer is empty"),
        ("axolotl", pair([message("critic", "x"), ASK]), "the prompt has a message of the role 'critic'"),
        ("texts", pair(TALK), "the prompt is not one message of the user, with or without a system text"),
        ("trl", pair([ASK], good="\ud800"), "a text holds half a character (a lone surrogate)"),
    ],
)
def test_what_a_trainer_would_drop_is_left_out_and_counted(tmp_path: Path, name: str, one: Pair, reason: str) -> None:
    done = codepref.export([PAIRS[0], one], to=name, out=tmp_path / "rows.jsonl")
    assert (done.rows, done.left_out) == (1, {reason: 1})


def test_white_space_at_the_ends_of_answers_is_removed_for_axolotl(tmp_path: Path) -> None:
    codepref.export([pair([ASK], good="\n x = 1\n")], to="axolotl", out=tmp_path / "rows.jsonl")
    assert rows_of(tmp_path / "rows.jsonl")[0]["chosen"] == "x = 1"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"to": "verl", "out": "x.parquet"}, "verl takes no preference pairs, since it has no trainer for pairs"),
        ({"to": "openrlhf", "out": "x.jsonl", "kind": "kto"}, "These trainers take single answers with a label: trl"),
        ({"to": "nemo-rl", "out": "x.parquet"}, "NeMo-RL reads these rows from a file whose name ends in .jsonl"),
        ({"to": "tlr", "out": "x.jsonl"}, "unknown trainer 'tlr' \\(did you mean 'trl'\\?\\)"),
        ({"to": "trl", "out": "x.csv"}, "ends in .jsonl or .parquet"),
        ({"to": "trl", "out": "x.jsonl", "kind": "rl"}, "pairs can be exported as pairs or kto or sft, not as rl"),
        ({"to": "trl", "out": "x.jsonl", "kind": "dpo"}, "unknown kind 'dpo'"),
    ],
)
def test_a_wrong_target_is_refused_with_what_is_possible(arguments: dict[str, Any], error: str) -> None:
    with pytest.raises(UserError, match=error):
        codepref.export(PAIRS, **arguments)


def test_a_source_without_a_usable_row_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"holds nothing that can be exported"):
        codepref.export([], to="trl", out=tmp_path / "x.jsonl")
    with pytest.raises(UserError, match=r"exported:\n  1: the prompt is not one message"):
        codepref.export([pair(TALK)], to="texts", out=tmp_path / "x.jsonl")
    assert not (tmp_path / "x.jsonl").exists()


def test_the_command_prints_the_settings_and_the_number_of_rows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from codepref.cli.main import main

    write_pairs(tmp_path / "pairs.parquet", PAIRS)
    out = tmp_path / "rows.jsonl"
    assert main(["export", "--pairs", str(tmp_path / "pairs.parquet"), "--to", "texts", "--out", str(out)]) == 0
    printed = capsys.readouterr()
    assert printed.out.splitlines() == ["2 rows", str(out)]
    assert (
        printed.err
        == "codepref: 1 left out: the prompt is not one message of the user, with or without a system text\n"
    )
    assert main(["export", "--pairs", str(tmp_path / "pairs.parquet"), "--to", "openrlhf", "--out", str(out)]) == 0
    assert "--data.prompt_key prompt" in capsys.readouterr().out
    assert main(["export", "--pairs", str(tmp_path / "no.parquet"), "--to", "trl", "--out", str(out)]) == 2
