"""Files are whole or absent, and errors name the place."""

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


def test_an_interrupted_write_leaves_the_old_file_and_no_litter(tmp_path: Path) -> None:
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


def test_a_really_full_disk_too() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with pytest.raises(OSError, match="No space"), open("/dev/full", "w") as stream:
        stream.write("x" * 100_000)


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.jsonl.gz"])
def test_json_lines_read_back_with_their_numbers(tmp_path: Path, name: str) -> None:
    rows = [{"text": "ünï \ud800"}, {"n": 2}]
    assert write_jsonl(tmp_path / name, rows[1:]) == 1
    assert list(read_jsonl(tmp_path / name)) == [(1, {"n": 2})]
    first = (tmp_path / name).read_bytes()
    write_jsonl(tmp_path / name, rows[1:])
    assert (tmp_path / name).read_bytes() == first


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b'{"a": 1}\n{"a": \n', r"rows.jsonl:2: not valid JSON"),
        (b'{"a": 1}\n\n[1]\n', r"rows.jsonl:3: must be a JSON object, not list"),
        (b'\xff\xfe{"a": 1}\n', r"rows.jsonl:1: not valid JSON"),
        (b"PAR1\x15\xb5\n", r"rows.jsonl: is Parquet, and JSON lines are needed here"),
        (b"[" * 100_000, r"rows.jsonl:1: JSON nested too deeply|rows.jsonl:1: not valid JSON"),
    ],
)
def test_a_malformed_line_is_named(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(content)
    with pytest.raises(UserError, match=told):
        list(read_jsonl(path))


def test_a_cut_gzip_is_named(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"a": 1}\n' * 1000)[:-20])
    with pytest.raises(UserError, match="broken gzip"):
        list(read_jsonl(path))


def test_missing_files_are_the_users_mistake(tmp_path: Path) -> None:
    for read in (read_json, read_parquet, lambda p: list(read_jsonl(p))):
        with pytest.raises(UserError, match="no such file"):
            read(tmp_path / "none")
    with pytest.raises(UserError, match="is a folder, and a Parquet file is needed"):
        read_parquet(tmp_path)
    (tmp_path / "x.parquet").write_bytes(b"no parquet")
    with pytest.raises(UserError, match="cannot be read as Parquet"):
        read_parquet(tmp_path / "x.parquet")


def test_the_hash_depends_on_content_and_order_of_parts_alone() -> None:
    assert content_hash({"a": 1, "b": 2}, [1]) == content_hash({"b": 2, "a": 1}, [1])
    assert content_hash(1, 2) != content_hash(2, 1)


def test_damaged_compressed_data_is_the_users_to_mend(tmp_path: Path) -> None:
    damaged = bytearray(gzip.compress(b'{"a": 1}\n' * 1000))
    damaged[20:40] = b"\xff" * 20
    path = tmp_path / "rows.jsonl.gz"
    path.write_bytes(bytes(damaged))
    with pytest.raises(UserError, match="broken gzip"):
        list(read_jsonl(path))


def test_a_folder_where_a_file_stands_is_the_users_to_mend(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="a file is in the way"):
        make_folder(tmp_path / "file" / "folder")
