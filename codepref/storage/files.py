"""Reads and writes JSON, JSON lines and Parquet. A failed write leaves the old file unchanged."""

from __future__ import annotations

import contextlib
import errno
import glob
import gzip
import io
import json
import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from codepref.errors import MachineError, UserError
from codepref.storage.hashing import content_hash as content_hash

if TYPE_CHECKING:
    import pyarrow as pa

Row = dict[str, Any]

GROUP_ROWS = 4096
"""Largest number of rows in one group of a Parquet file that codepref writes."""

_PARQUET = b"PAR1"
"""The first bytes of a Parquet file."""

BATCH_ROWS = 256
"""The default number of rows that `iter_parquet` reads at the same time. A row of tests can have many megabytes."""

UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EFBIG, errno.ENOENT, errno.EIO)
"""Error numbers for which `atomic_open`, and other functions that write files, raise MachineError."""


@contextlib.contextmanager
def atomic_open(path: Path, mode: str = "w") -> Iterator[IO[Any]]:
    """Open a temporary file in the folder of `path`. On success, flush it to disk and rename it to `path`.

    Missing folders above `path` are made. Raises MachineError for an error number in UNWRITABLE, such as that of a full
    disk or of a folder that cannot be written to. Raises UserError if `path` is a folder or lies below a file. Errors
    of the operating system in the body of the `with` statement are raised in the same way. After an exception the
    temporary file is removed if possible, and `path` has not changed.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, mode, encoding=None if "b" in mode else "utf-8") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        if isinstance(error, IsADirectoryError | NotADirectoryError | FileExistsError):
            raise UserError(f"{path} cannot be written ({error.strerror}). Choose another path.") from None
        if isinstance(error, OSError) and error.errno in UNWRITABLE:
            raise MachineError(
                f"cannot write {path}: {error.strerror}. Free some space if the disk is full, "
                "or write to another folder."
            ) from error
        raise


def remove_temporaries(path: Path) -> None:
    """Remove the temporary files of processes that were killed while they wrote `path`.

    No other process may be writing `path`.
    """
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        with contextlib.suppress(OSError):
            left.unlink()


def check_target(path: Path) -> None:
    """Raise UserError if `path` is a folder or lies below a file.

    It is called before costly work whose result is written to `path`.
    """
    if path.is_dir():
        raise UserError(f"{path} is a folder, but a file must be written here. Choose another path.")
    parent = next((folder for folder in path.absolute().parents if folder.exists()), None)
    if parent is not None and not parent.is_dir():
        raise UserError(f"{path} cannot be written, since {parent} is a file, not a folder. Choose another path.")


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` atomically. Raises what `atomic_open` raises."""
    with atomic_open(path) as stream:
        stream.write(text)


def write_json(path: Path, value: Any) -> None:
    """Write `value` atomically as indented JSON, without sorting its keys. Raises what `atomic_open` raises."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """Return the content of a JSON file.

    Raises UserError if the file is missing, is a folder, may not be read, or is malformed.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise UserError(f"{path} is a folder, but a JSON file is needed") from None
    except PermissionError:
        raise UserError(f"{path} cannot be read: permission denied") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: the file is not valid JSON ({error})") from None


def write_jsonl(path: Path, rows: Iterable[Mapping[str, Any]]) -> int:
    """Write rows atomically as JSON lines, and return their number. A name that ends in .gz means gzip."""
    return write_lines(path, (jsonl_line(row) for row in rows))


def jsonl_line(row: Mapping[str, Any]) -> bytes:
    """Return a row as one JSON line in UTF-8, with the newline. Lone surrogates are kept."""
    return json.dumps(row, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"


def write_lines(path: Path, lines: Iterable[bytes]) -> int:
    """Write lines atomically, compressed with gzip if the name ends in .gz, and return the number of lines.

    Each line must end in a newline.
    """
    count = 0
    with atomic_open(path, "wb") as raw, contextlib.ExitStack() as stack:
        # so the file holds neither the time of writing nor the temporary name
        target = (
            stack.enter_context(gzip.GzipFile("", fileobj=raw, mode="wb", mtime=0)) if path.suffix == ".gz" else raw
        )
        for line in lines:
            target.write(line)
            count += 1
    return count


def read_jsonl(path: Path, bad_line: Callable[[str], None] | None = None) -> Iterator[tuple[int, Row]]:
    """Yield (line number, object) for each line of a JSON lines file that is not blank.

    A file whose name ends in .gz or .zst is decompressed. Lines are numbered from 1. Raises UserError for a file that
    is missing, is a folder, is Parquet, is broken gzip or zstd or may not be read, and for a line that is not a JSON
    object.
    bad_line: called with the message about a line that is not a JSON object, in place of the exception. The line is
    then left out.
    """
    if not path.exists():
        raise UserError(f"{path}: no such file")
    if path.is_dir():
        raise UserError(f"{path} is a folder, but a file of JSON lines is needed")
    number = 0
    try:
        with open_bytes(path) as stream:
            for number, line in enumerate(stream, start=1):
                if not line.strip():
                    continue
                if number == 1 and line.startswith(_PARQUET):
                    raise UserError(f"{path} is Parquet, but JSON lines are needed here")
                try:
                    row = _object(line, f"{path}:{number}")
                except UserError as error:
                    if bad_line is None:
                        raise
                    bad_line(str(error))
                    continue
                yield number, row
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise UserError(f"{path} is broken gzip after line {number} ({error})") from None
    except PermissionError:
        raise UserError(f"{path} cannot be read: permission denied") from None
    except OSError as error:
        if path.suffix != ".zst" or error.errno is not None:
            raise
        raise UserError(f"{path} is broken zstd after line {number} ({error})") from None


@contextlib.contextmanager
def open_bytes(path: Path) -> Iterator[IO[bytes]]:
    """Open a file for reading. A file whose name ends in .gz or .zst is decompressed.

    Reading broken gzip raises gzip.BadGzipFile, EOFError or zlib.error. Reading broken zstd raises an OSError without
    an error number.
    """
    if path.suffix == ".gz":
        with gzip.open(path, "rb") as packed:
            yield packed  # type: ignore[misc]
    elif path.suffix == ".zst":
        import pyarrow as pa

        with open(path, "rb") as raw, pa.CompressedInputStream(raw, "zstd") as plain:
            yield io.BufferedReader(plain, 1 << 20)
    else:
        with open(path, "rb") as stream:
            yield stream


def _object(line: bytes, where: str) -> Row:
    """Return the JSON object in a line. Raises UserError if the line holds anything else."""
    try:
        row = json.loads(line)
    except UnicodeDecodeError as error:
        raise UserError(
            f"{where}: the line is not valid JSON, because it is not UTF-8 ({error}). Save the file as UTF-8"
        ) from None
    except ValueError as error:  # also for an integer with more digits than Python reads
        raise UserError(f"{where}: the line is not valid JSON ({error})") from None
    except RecursionError:
        raise UserError(f"{where}: the JSON is nested too deeply") from None
    if not isinstance(row, dict):
        raise UserError(f"{where}: the line must be a JSON object, not {type(row).__name__}")
    return row


def make_folder(path: Path) -> None:
    """Make the folder `path` and the folders above it that are missing.

    Raises UserError if a file is in the way, and MachineError if the folder cannot be made for another reason.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise UserError(f"{path}: a file is in the way of this folder. Choose another path.") from None
    except OSError as error:
        raise MachineError(f"cannot make the folder {path}: {error.strerror}. Choose another path.") from None


def is_parquet(path: Path) -> bool:
    """Return whether `path` is a file that begins like Parquet, whatever its name."""
    if not path.is_file():
        return False
    with contextlib.suppress(OSError), open(path, "rb") as stream:
        return stream.read(len(_PARQUET)) == _PARQUET
    return False


def write_parquet(path: Path, rows: Iterable[Mapping[str, Any]], schema: pa.Schema) -> None:
    """Write rows atomically as one Parquet file with this schema. Groups have at most GROUP_ROWS rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    remaining = iter(rows)
    with atomic_open(path, "wb") as stream, pq.ParquetWriter(stream, schema, compression="zstd") as writer:
        while group := [dict(row) for row in islice(remaining, GROUP_ROWS)]:
            writer.write_table(pa.Table.from_pylist(group, schema=schema))


def read_parquet(path: Path, columns: Sequence[str] = ()) -> list[Row]:
    """Return all rows of a Parquet file, with all columns.

    columns: names of columns that the file must have. Raises UserError as `iter_parquet` does.
    """
    return list(iter_parquet(path, columns, rows=GROUP_ROWS))


def iter_parquet(path: Path, columns: Sequence[str] = (), *, rows: int = BATCH_ROWS) -> Iterator[Row]:
    """Yield the rows of a Parquet file, with all columns.

    columns: names of columns that the file must have. rows: how many rows are read at the same time. Raises UserError
    if the file is missing, cannot be read as Parquet, or lacks one of `columns`.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.exists():
        raise UserError(f"{path}: no such file")
    if path.is_dir():
        raise UserError(f"{path} is a folder, but a Parquet file is needed")
    try:
        with pq.ParquetFile(path) as table:
            names = table.schema_arrow.names
            if missing := [name for name in columns if name not in names]:
                raise UserError(f"{path}: the file has no column {', '.join(missing)} (it has {', '.join(names)})")
            for batch in table.iter_batches(rows):
                yield from batch.to_pylist()
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(f"{path}: the file cannot be read as Parquet ({error})") from None
