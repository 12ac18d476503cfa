"""Tests of the sources of rows: packed files, folders, patterns, files on the hub, and the options after #."""

from __future__ import annotations

import errno
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import huggingface_hub
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from huggingface_hub import errors

from codepref.errors import MachineError, UserError
from codepref.problems.load import load_problems
from codepref.problems.rows import read_rows
from codepref.problems.source_names import read_source_name, with_conditions

Write = Callable[..., Path]


def row(number: int, **more: Any) -> dict[str, Any]:
    return {"task_id": f"t/{number}", "prompt": "Double it.", "tests": ["assert f(2) == 4"], **more}


def names(source: str | Path) -> list[str]:
    return [problem.task_id for problem in load_problems(source)]


def packed(path: Path, rows: list[dict[str, Any]], compression: str) -> Path:
    with pa.output_stream(str(path), compression=compression) as stream:
        stream.write("".join(json.dumps(one) + "\n" for one in rows).encode())
    return path


@pytest.mark.parametrize(("name", "compression"), [("p.jsonl.zst", "zstd"), ("p.jsonl.gz", "gzip")])
def test_a_packed_file_is_read(tmp_path: Path, name: str, compression: str) -> None:
    path = packed(tmp_path / name, [row(0), row(1)], compression)
    assert names(path) == ["t/0", "t/1"]


def test_a_broken_zstd_file_is_the_users_error(tmp_path: Path) -> None:
    path = packed(tmp_path / "p.jsonl.zst", [row(number) for number in range(100)], "zstd")
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(UserError, match="is broken zstd after line"):
        load_problems(path)
    path.write_bytes(b"no zstd at all")
    with pytest.raises(UserError, match="is broken zstd after line 0"):
        load_problems(path)


def test_a_json_file_may_hold_a_list_or_an_object_on_each_line(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_text(json.dumps([row(0), row(1)]))
    assert names(path) == ["t/0", "t/1"]
    path.write_text("".join(json.dumps(row(number)) + "\n" for number in range(3)))
    assert names(path) == ["t/0", "t/1", "t/2"]
    path.write_text(json.dumps(row(7), indent=1))
    assert names(path) == ["t/7"]


def test_the_files_of_a_folder_are_read_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for number in (1, 2, 10):
        pq.write_table(pa.Table.from_pylist([row(number)]), tmp_path / f"part{number}.parquet")
    (tmp_path / "README.md").write_text("about")
    (tmp_path / "dataset_infos.json").write_text("{}")
    (tmp_path / ".cache").mkdir()
    (tmp_path / ".cache" / "old.parquet").write_text("rest")
    assert names(tmp_path) == ["t/1", "t/2", "t/10"]
    assert names(f"{tmp_path}/part1*.parquet") == ["t/1", "t/10"]
    with pytest.raises(UserError, match="no file matches the pattern"):
        load_problems(f"{tmp_path}/none*.parquet")


def test_a_folder_that_the_package_datasets_saved_is_read(tmp_path: Path) -> None:
    import datasets

    datasets.Dataset.from_list([row(0), row(1)]).save_to_disk(str(tmp_path / "saved"))
    assert names(tmp_path / "saved") == ["t/0", "t/1"]


def test_a_folder_with_several_splits_or_endings_needs_a_choice(tmp_path: Path) -> None:
    for number, name in enumerate(("train-00000-of-00002", "train-00001-of-00002", "test-00000-of-00001")):
        pq.write_table(pa.Table.from_pylist([row(number)]), tmp_path / f"{name}.parquet")
    with pytest.raises(UserError, match="holds the splits test, train"):
        load_problems(tmp_path)
    assert names(f"{tmp_path}/train-*.parquet") == ["t/0", "t/1"]
    (tmp_path / "more.jsonl").write_text(json.dumps(row(9)))
    with pytest.raises(UserError, match=r"the endings \.jsonl, \.parquet"):
        load_problems(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="holds no file of data"):
        load_problems(tmp_path / "empty")


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, str | None], list[dict[str, Any]]]:
    """Replace the hub by one data set, which is empty at first.

    Return the dict of its rows, which a test fills. A key of this dict is a file and a revision.
    """
    monkeypatch.chdir(tmp_path)
    content: dict[tuple[str, str | None], list[dict[str, Any]]] = {}

    def fetch(repository: str, name: str, *, repo_type: str, revision: str | None) -> str:
        assert (repository, repo_type) == ("lab/contests", "dataset")
        if (name, revision) not in content:
            raise errors.LocalEntryNotFoundError("no connection")
        path = tmp_path / "cache" / str(revision).replace("/", "_") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(one) + "\n" for one in content[name, revision]))
        return str(path)

    def listing(repository: str, *, repo_type: str, revision: str | None) -> list[str]:
        return ["README.md", *(name for name, known in content if known == revision)]

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", fetch)
    monkeypatch.setattr(huggingface_hub, "list_repo_files", listing)
    return content


def test_a_file_on_the_hub_is_fetched_and_read(hub: dict[tuple[str, str | None], list[dict[str, Any]]]) -> None:
    hub["data/test.jsonl", None] = [row(0)]
    hub["data/test.jsonl", "refs/pr/5"] = [row(1), row(2, difficulty="easy")]
    assert names("lab/contests/data/test.jsonl") == ["t/0"]
    assert names("lab/contests/data/test.jsonl@refs/pr/5") == ["t/1", "t/2"]
    assert names("hf://datasets/lab/contests@v1/data/test.jsonl".replace("@v1", "")) == ["t/0"]
    assert names("lab/contests/data/test.jsonl@refs/pr/5#codepref&difficulty=easy") == ["t/2"]
    assert [place for place, _ in read_rows("lab/contests/data/test.jsonl")] == ["lab/contests/data/test.jsonl:1"]


def test_a_pattern_of_files_on_the_hub_is_read_in_the_order_of_their_numbers(
    hub: dict[tuple[str, str | None], list[dict[str, Any]]],
) -> None:
    for number, name in enumerate(("test.jsonl", "test10.jsonl", "test2.jsonl")):
        hub[name, "main"] = [row(number)]
    assert names("lab/contests/test*.jsonl@main") == ["t/0", "t/2", "t/1"]
    with pytest.raises(UserError, match=r"no file of the data set matches x\*\.jsonl"):
        load_problems("lab/contests/x*.jsonl@main")


def test_a_hub_that_cannot_be_reached_is_the_machines_error(
    hub: dict[tuple[str, str | None], list[dict[str, Any]]],
) -> None:
    with pytest.raises(MachineError, match="cannot be fetched from the hub"):
        load_problems("lab/contests/data/none.jsonl")
    with pytest.raises(UserError, match=r"must not contain \.\."):
        load_problems("lab/contests/../x.jsonl")


@pytest.mark.parametrize(
    ("cause", "error", "message"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), MachineError, "cannot be kept on disk"),
        (ConnectionResetError("the connection broke"), MachineError, "cannot be fetched from the hub"),
        (OSError("Couldn't deserialize thrift"), UserError, "cannot be loaded"),
        (gzip.BadGzipFile("Not a gzipped file"), UserError, "cannot be loaded"),
        (TypeError("a column changes its type"), UserError, "cannot be loaded"),
    ],
)
def test_an_error_while_a_data_set_is_made_is_the_machines_if_the_disk_or_the_network_caused_it(
    monkeypatch: pytest.MonkeyPatch, cause: Exception, error: type[Exception], message: str
) -> None:
    def load(*arguments: Any, **options: Any) -> None:
        raise datasets.exceptions.DatasetGenerationError("An error occurred") from cause

    monkeypatch.setattr(datasets, "load_dataset", load)
    with pytest.raises(error, match=message):
        load_problems("lab/made")


def test_a_missing_file_in_an_existing_folder_is_no_file_on_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    with pytest.raises(UserError, match=r"data/sets/x\.jsonl: no such file"):
        load_problems("data/sets/x.jsonl")


ROWS = [
    row(0, difficulty="EASY", score="0.5", info={"split": "train"}, tags=["dp", "trees"], day="2024-07-31T23:00:00"),
    row(1, difficulty="HARD", score="0.85", info={"split": "test"}, tags=["graphs"], day="2024-08-01T00:00:00"),
    row(2, difficulty="MEDIUM", score=None, info='{"split": "test"}', tags=[], day="2025-02-01T18:30:00Z"),
    row(3, difficulty=None, score="90%", info=None, tags=None, day=None),
]


@pytest.mark.parametrize(
    ("option", "kept"),
    [
        ("difficulty=easy", [0]),
        ("difficulty=easy|medium", [0, 2]),
        ("difficulty!=easy|medium", [1, 3]),
        ("difficulty=", [3]),
        ("difficulty!=", [0, 1, 2]),
        ("score>=0.85", [1, 3]),
        ("score<0.85", [0]),
        ("score=0.50", [0]),
        ("info.split=test", [1, 2]),
        ("tags=dp", [0]),
        ("tags!=dp", [1, 2, 3]),
        ("tags~graph", [1]),
        ("day>=2024-08-01&day<=2025-02-01", [1, 2]),
        ("day>2024-08-01", [2]),
        ("day<2024-08-01", [0]),
        ("day=2024-08", [1]),
        ("difficulty!=HARD&score>0", [0, 3]),
    ],
)
def test_a_condition_chooses_rows(write_lines: Write, option: str, kept: list[int]) -> None:
    problems = load_problems(f"{write_lines(ROWS)}#{option}")
    assert [problem.task_id for problem in problems] == [f"t/{number}" for number in kept]
    assert problems.not_chosen == 4 - len(kept)
    assert problems.left_out.rows == 0


def test_a_window_by_date_holds_both_of_its_days(write_lines: Write) -> None:
    days = ("2024-07-31", "2024-08-01T00:00:00", "2025-01-15", "2025-02-01T10:00:00", "2025-02-02", None)
    path = write_lines([row(number, contest_date=day) for number, day in enumerate(days)])
    assert names(f"{path}#from=2024-08-01&to=2025-02-01") == ["t/1", "t/2", "t/3"]
    assert names(f"{path}#codepref&from=2025-01") == ["t/2", "t/3", "t/4"]
    with pytest.raises(UserError, match="to must be a date such as 2024-08-01, not 'soon'"):
        load_problems(f"{path}#to=soon")


def test_a_date_may_be_seconds_or_a_timestamp_of_parquet(tmp_path: Path) -> None:
    from datetime import datetime

    path = tmp_path / "p.parquet"
    pq.write_table(pa.Table.from_pylist([row(0, date=datetime(2024, 8, 2)), row(1, date=datetime(2023, 1, 1))]), path)
    assert names(f"{path}#from=2024-08-01") == ["t/0"]
    rows = [row(0, contest_start=1_722_556_800), row(1, contest_start=1_600_000_000)]  # 2024-08-02, 2020-09-13
    pq.write_table(pa.Table.from_pylist(rows), path)
    assert names(f"{path}#from=2024-08-01") == ["t/0"]


def test_a_condition_that_cannot_be_met_is_reported(write_lines: Write) -> None:
    path = write_lines(ROWS)
    with pytest.raises(
        UserError, match=r"needs the column dificulty, and no row has it \(rows read: 4\)\. The columns are task_id"
    ):
        load_problems(f"{path}#dificulty=easy")
    with pytest.raises(UserError, match="none of its 4 rows meets 'score>2'"):
        load_problems(f"{path}#score>2")
    with pytest.raises(UserError, match="needs a number or a date"):
        load_problems(f"{path}#difficulty>easy")
    with pytest.raises(UserError, match="is no condition"):
        load_problems(f"{path}#=easy")


def test_conditions_are_added_to_the_name_of_a_source(tmp_path: Path) -> None:
    name = with_conditions("a.jsonl#mbpp", ["tags=a&b", "score>=50%"])
    assert [condition.text for condition in read_source_name(name).conditions] == ["tags=a&b", "score>=50%"]
    assert read_source_name(name).format == "mbpp"
    (tmp_path / "c#1.jsonl").write_text("")
    name = with_conditions(str(tmp_path / "c#1.jsonl"), ["lang=c#"])
    assert read_source_name(name).place == str(tmp_path / "c#1.jsonl")
    assert read_source_name(name).conditions[0].value == "c#"
