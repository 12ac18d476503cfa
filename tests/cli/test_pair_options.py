"""Tests of `codepref speed`, of `codepref pair` with several options, and of malformed weights of `codepref train`."""

import json
from pathlib import Path

import pytest

from codepref.cli.main import main
from codepref.pairing.artifact import read_pairs

PROBLEM = {"task_id": "p/0", "prompt": "Return n.", "entry_point": "f", "tests": ["assert f(100000) == 100000"]}
FAST = "def f(n):\n    return n"
SLOW = "def f(n):\n    k = 0\n    for _ in range(n * 30):\n        k += 1\n    return n"
NEAR = "def f(n):\n    return 0"
FAR = "def f(n):\n    total = []\n    return sum(total) * 2"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pairs")
    (folder / "problems.jsonl").write_text(json.dumps(PROBLEM) + "\n")
    rows = [{"task_id": "p/0", "solution": text} for text in (FAST, SLOW, NEAR, FAR)]
    (folder / "solutions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    sources = ["--problems", str(folder / "problems.jsonl"), "--solutions", str(folder / "solutions.jsonl")]
    assert main(["execute", *sources, "--out", str(folder / "verdicts")]) == 0
    return folder


def pair(folder: Path, *options: str) -> list[tuple[int, int]]:
    out = folder / "pairs.parquet"
    assert main(["pair", "--verdicts", str(folder / "verdicts"), *options, "--out", str(out)]) == 0
    return [(pair.chosen_id, pair.rejected_id) for pair in read_pairs(out)]


def test_near_misses_and_repairs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    near = ["--rule", "near-miss", "--max-edit-share", "0.2"]
    assert pair(folder, *near) == [(0, 2)]
    assert pair(folder, *near, "--repair", "add", "--repair-template", "{request} Mend {program}") == [(0, 2), (0, 2)]
    repair = read_pairs(folder / "pairs.parquet")[1]
    assert repair.prompt[0]["content"].endswith(f"Mend {NEAR}")
    capsys.readouterr()
    assert pair(folder, *near, "--balance-length", "--max-easy-share", "0.5") == []
    assert "pair dropped: above max_easy_share" in capsys.readouterr().out


def test_pairs_by_speed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    speeds = str(folder / "speeds.jsonl")
    sources = ["--problems", str(folder / "problems.jsonl"), "--verdicts", str(folder / "verdicts")]
    assert main(["speed", *sources, "--repeats", "2", "--out", speeds]) == 0
    assert "2 right solutions of 1 problems" in capsys.readouterr().out
    # the loop of three million steps takes many times as long as the start of the other program
    assert pair(folder, "--rule", "speed", "--speeds", speeds) == [(0, 1)]
    assert main(["pair", "--verdicts", str(folder / "verdicts"), "--rule", "speed", "--out", "x"]) == 2
    assert "needs CPU times" in capsys.readouterr().err


def test_weights_that_are_no_numbers_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["train", "--model", "starter", "--pairs", "x.jsonl", "--out", "m"]
    assert main([*command, "--try-weights", "0,high"]) == 2
    assert "--try-weights 0,high: must be numbers" in capsys.readouterr().err
