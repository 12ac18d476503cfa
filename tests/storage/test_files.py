"""Reading and writing files: a failed write leaves the old file, and errors name the file and the line."""

import errno
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from codepref.errors import MachineError, UserError
from codepref.storage.files import (
    atomic_open,
    content_hash,
    make_folder,
    read_json,
    read_jsonl,
    read_parquet,
    write_json,
    write_jsonl,
)


def test_an_interrupted_write_leaves_the_old_file_and_no_temporary_file(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    write_json(path, {"a": 1})

    def write_half() -> None:
        with atomic_open(path) as stream:
            stream.write("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert json.loads(path.read_text()) == {"a": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["out.json"]


def test_a_full_disk_is_one_clear_message(tmp_path: Path) -> None:
    def rows() -> Any:
        yield {"a": 1}
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(MachineError, match=r"No space left on device. Free some space") as caught:
        write_jsonl(tmp_path / "out.jsonl", rows())
    assert caught.value.exit_status == 3
    assert list(tmp_path.iterdir()) == []


def test_dev_full_raises_the_same_error_as_a_full_disk() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with pytest.raises(OSError, match="No space"), open("/dev/full", "w") as stream:
        stream.write("x" * 100_000)


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.jsonl.gz"])
def test_json_lines_are_read_with_their_line_numbers(tmp_path: Path, name: str) -> None:
    rows = [{"text": "ünï"}, {"n": 2}]
    assert write_jsonl(tmp_path / name, rows) == 2
    assert list(read_jsonl(tmp_path / name)) == [(1, {"text": "ünï"}), (2, {"n": 2})]
    first = (tmp_path / name).read_bytes()
    write_jsonl(tmp_path / name, rows)
    assert (tmp_path / name).read_bytes() == first


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"a": 1}\n{"a": \n', r"rows.jsonl:2: the line is not valid JSON"),
        (b'{"a": 1}\n\n[1]\n', r"rows.jsonl:3: the line must be a JSON object, not list"),
        (b'\xff\xfe{"a": 1}\n', r"rows.jsonl:1: the line is not valid JSON"),
        (b"PAR1\x15\xb5\n", r"rows.jsonl is Parquet, but JSON lines are needed here"),
        (b"[" * 100_000, r"rows.jsonl:1: the JSON is nested too deeply|rows.jsonl:1: the line is not valid JSON"),
    ],
)
def test_the_message_about_a_malformed_line_names_it(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(content)
    with pytest.raises(UserError, match=message):
        list(read_jsonl(path))


def test_equal_rows_give_equal_compressed_bytes(tmp_path: Path) -> None:
    for name in ("one.jsonl.gz", "two.jsonl.gz"):
        write_jsonl(tmp_path / name, [{"a": 1}])
    assert (tmp_path / "one.jsonl.gz").read_bytes() == (tmp_path / "two.jsonl.gz").read_bytes()
    assert b"jsonl" not in (tmp_path / "one.jsonl.gz").read_bytes()


def test_a_folder_in_place_of_a_json_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is a folder, but a JSON file is needed"):
        read_json(tmp_path)


def test_a_truncated_gzip_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"a": 1}\n' * 1000)[:-20])
    with pytest.raises(UserError, match="broken gzip"):
        list(read_jsonl(path))


def test_a_missing_file_is_an_error_of_the_user(tmp_path: Path) -> None:
    for read in (read_json, read_parquet, lambda p: list(read_jsonl(p))):
        with pytest.raises(UserError, match="no such file"):
            read(tmp_path / "none")
    with pytest.raises(UserError, match="is a folder, but a Parquet file is needed"):
        read_parquet(tmp_path)
    (tmp_path / "x.parquet").write_bytes(b"no parquet")
    with pytest.raises(UserError, match="cannot be read as Parquet"):
        read_parquet(tmp_path / "x.parquet")


def test_the_hash_depends_on_the_content_and_the_order_of_parts() -> None:
    assert content_hash({"a": 1, "b": 2}, [1]) == content_hash({"b": 2, "a": 1}, [1])
    assert content_hash(1, 2) != content_hash(2, 1)


def test_a_damaged_gzip_file_is_refused(tmp_path: Path) -> None:
    damaged = bytearray(gzip.compress(b'{"a": 1}\n' * 1000))
    damaged[20:40] = b"\xff" * 20
    path = tmp_path / "rows.jsonl.gz"
    path.write_bytes(bytes(damaged))
    with pytest.raises(UserError, match="broken gzip"):
        list(read_jsonl(path))


def test_a_folder_cannot_be_made_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="a file is in the way"):
        make_folder(tmp_path / "file" / "folder")


def test_a_json_file_below_a_file_is_missing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("{}")
    with pytest.raises(UserError, match="no such file"):
        read_json(tmp_path / "file" / "scores.json")
