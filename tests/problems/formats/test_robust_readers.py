"""Tests of the readers of formats on empty, broken and hostile files.

Each mistake gives one message or one counted row, and no code runs. The tests take one row of each format that has a
sample, so they also cover new formats. Rows of other formats are written here. Two formats have no row, since their
readers share most of their code with readers of formats that have one.
"""

from __future__ import annotations

import base64
import builtins
import json
import os
import pickle
import subprocess
import sys
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import format_samples
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import python_samples

from codepref.errors import UserError
from codepref.problems.formats import FORMATS
from codepref.problems.formats.own import own_row
from codepref.problems.left_out import LeftOut, LeftOutWarning
from codepref.problems.load import load_problems, problems_from_rows

ROWS: dict[str, dict[str, Any]] = {
    sample.format: sample.row for sample in (*python_samples.SAMPLES.values(), *format_samples.SAMPLES.values())
}
ROWS |= {
    "codepref": {"task_id": "t", "prompt": "Add.", "tests": ["assert add(1, 2) == 3"]},
    "humaneval": {
        "task_id": "HumanEval/0",
        "prompt": "def f(x):\n",
        "canonical_solution": "    return x\n",
        "test": "def check(candidate):\n    assert candidate(1) == 1\n",
        "entry_point": "f",
    },
    "evalplus": {
        "task_id": "HumanEval/0",
        "prompt": "def f(x):\n",
        "canonical_solution": "    return x\n",
        "entry_point": "f",
        "base_input": [[1]],
        "plus_input": [[2]],
        "atol": 0,
        "contract": "",
        "test": "",
    },
    "mbpp": {
        "task_id": 2,
        "text": "Write f.",
        "code": "def f(x):\n    return x",
        "test_list": ["assert f(1) == 1"],
        "test_setup_code": "",
        "challenge_test_list": [],
    },
    "bigcodebench": {
        "task_id": "BigCodeBench/1",
        "complete_prompt": "def f(x):\n",
        "instruct_prompt": "Write f.",
        "code_prompt": "def f(x):\n",
        "canonical_solution": "    return x",
        "test": "import unittest\nclass TestCases(unittest.TestCase):\n    def test(self):\n        assert f(1) == 1\n",
        "entry_point": "f",
    },
}
MARK = "a file that hostile data would write"


class _Hostile:
    """An object whose pickle runs a command when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"echo {MARK} > {self.path}",)


def _packed(data: bytes) -> str:
    return base64.b64encode(zlib.compress(data)).decode()


def _deep(value: Any) -> str:
    text = json.dumps(value)
    for _ in range(6):
        text = json.dumps(text)
    return text


def _wrong_values(path: Path) -> dict[str, Any]:
    truncated = pickle.dumps(json.dumps([{"input": "1", "output": "1", "testtype": "stdin"}]))[:-7]
    code = f"__import__('os').system('echo {MARK} > {path}')"
    return {
        "a number": 7,
        "a list of numbers": [1, 2],
        "a struct": {"a": {"b": [None]}},
        "a truncated pickle": _packed(truncated),
        "a truncated package": _packed(pickle.dumps("x" * 10_000))[:40],
        "a pickle that names a class": _packed(pickle.dumps(_Hostile(path))),
        "JSON in JSON in JSON": _deep({"inputs": ["1"], "outputs": ["1"]}),
        "deep JSON": "[" * 100_000,
        "code": code,
        "half a character": "\ud800",
        "no value": None,
    }


@pytest.fixture
def wrong_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """Give values that a column should not have. Fail if code runs, as a command or in `eval`, while they are read."""
    path = tmp_path / "mark"
    values = _wrong_values(path)
    for owner, name in ((os, "system"), (os, "popen"), (subprocess, "Popen"), (builtins, "eval")):
        monkeypatch.setattr(owner, name, lambda *_, **__: pytest.fail("reading ran code of the data"))
    yield values
    assert not path.exists()


def test_every_format_has_a_row_here() -> None:
    known = {FORMATS.builtin[name] for name in ROWS}
    missing = [name for name, place in FORMATS.builtin.items() if place not in known]
    # the readers of these two formats share most of their code with readers of formats that are here
    assert set(missing) <= {"mbpp-plus-script", "bigcodebench-instruct"}


def _read(rows: list[dict[str, Any]], format: str) -> tuple[int, LeftOut]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LeftOutWarning)
        problems = problems_from_rows(rows, format=format)
    return len(problems), problems.left_out


@pytest.mark.parametrize("name", ROWS)
def test_a_bad_value_in_the_third_row_leaves_out_that_row_only(name: str, wrong_values: dict[str, Any]) -> None:
    """Each column gets each wrong value. The row is left out with one message, or read if the value does no harm."""
    row = ROWS[name]
    ids = [key for key in row if key in ("task_id", "problem_id", "question_id", "id", "name", "ID")]
    others = [
        {**row, **{key: f"{row[key]}-{at}" if isinstance(row[key], str) else at for key in ids}} for at in (91, 92)
    ]
    if not ids:
        others = others[:1]
    read, left_out = _read(others, name)
    assert (read, left_out.rows) == (len(others), 0)
    for column in row:
        for kind, value in wrong_values.items():
            read, left_out = _read([*others, {**row, column: value}], name)
            assert read + left_out.rows == len(others) + 1, (column, kind)
            assert read >= len(others), (column, kind, left_out.messages)
            assert len(left_out.messages) == left_out.rows, (column, kind)
            assert all(message.startswith(f"row {len(others)}") for message in left_out.messages), (column, kind)


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("ending", ["jsonl", "jsonl.gz", "jsonl.zst", "json", "parquet", "arrow"])
def test_an_empty_or_a_broken_file_gives_one_message(name: str, ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"data.{ending}"
    for content in (b"", b"\x00\xff", json.dumps(ROWS[name]).encode()[:-5]):
        path.write_bytes(content)
        with pytest.raises(UserError) as error:
            load_problems(f"{path}#{name}")
        assert len(error.value.problems) == 1


@pytest.mark.parametrize("name", ROWS)
def test_a_table_without_rows_is_reported(name: str, tmp_path: Path) -> None:
    path = tmp_path / "data.parquet"
    pq.write_table(pa.table({key: pa.array([], pa.string()) for key in ROWS[name]}), path)
    with pytest.raises(UserError, match="holds no problem"):
        load_problems(path)


@pytest.mark.parametrize("name", ROWS)
def test_codeprefs_own_form_of_a_problem_reads_back(name: str) -> None:
    """The row that `inspect --write` writes gives the same tests, entry point and programs when it is read."""
    (problem,) = problems_from_rows([ROWS[name]], format=name)
    row = json.loads(json.dumps(own_row(problem)))
    (again,) = problems_from_rows([row], strict=True)
    assert again.task_id == problem.task_id
    assert [(test.kind, _plain(test.source)) for test in again.tests] == [
        (test.kind, _plain(test.source)) for test in problem.tests
    ]
    for key in ("prompt", "entry_point", "gold", "style", "preamble", "helpers"):
        assert getattr(again, key) == getattr(problem, key), key


def _plain(source: str) -> Any:
    return json.loads(source) if source.startswith("{") else source


def test_the_hostile_pickle_of_these_tests_works(tmp_path: Path) -> None:
    """When pickle itself loads the value, a command writes a file. So if no file is there, the value was refused."""
    data = pickle.dumps(_Hostile(tmp_path / "mark"))
    subprocess.run([sys.executable, "-c", f"import pickle; pickle.loads({data!r})"], check=True)
    assert (tmp_path / "mark").exists()
