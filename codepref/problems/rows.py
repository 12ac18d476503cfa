"""Reads the rows of a source: a file, a folder, a pattern of files, or a data set or files on the hub."""

from __future__ import annotations

import glob
import gzip
import json
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from codepref.errors import UserError
from codepref.problems.conditions import Selection
from codepref.problems.hub import download, is_hub_file, is_hub_name, natural_key, read_hub
from codepref.problems.source_names import read_source_name
from codepref.storage.files import iter_parquet, open_bytes, read_jsonl

Rows = Iterator[tuple[str, dict[str, Any]]]
BadLine = Callable[[str], None] | None

LINES, ARRAYS = (".jsonl", ".ndjson"), (".json",)
_PACKED = (".gz", ".zst")
_ENDINGS: tuple[tuple[str, ...], ...] = (
    (".parquet",),
    (".arrow",),
    tuple(f"{ending}{packed}" for ending in LINES for packed in ("", *_PACKED)),
    tuple(f"{ending}{packed}" for ending in ARRAYS for packed in ("", *_PACKED)),
)
"""Groups of endings. All files that are read in a folder belong to one group.

Files of the last group are only read if the folder has no file of another group.
"""

_PATTERN = re.compile(r"[*?\[]")
_SHARD = re.compile(r"[-_.]\d{5}-of-\d{5}.*")
_SPLITS = {"train", "test", "validation", "valid", "val", "dev", "heldout"}


def read_rows(source: str, bad_line: BadLine = None) -> Rows:
    """Yield (place, row) for each row of a source. Rows may have any columns.

    source: the name of a file, a folder, a pattern of files such as "data/test-*.parquet", or a data set on the hub,
    with options after `#` (see `codepref.problems.source_names`). Rows that do not meet its conditions are left out. A
    format among the options has no effect here.
    `place` names the source, and the line or the number of the row. bad_line: called with the message about a line or
    an item that is no JSON object. The line or item is then left out.

    Raises UserError for a source that is missing or malformed, for such a line if `bad_line` is None, and for malformed
    conditions. Raises what `Selection.kept` raises. For a hub data set, raises what `read_hub` and `download` raise.
    """
    name = read_source_name(source)
    rows = read_place(name.place, bad_line)
    yield from Selection(name.conditions, name.place).kept(rows) if name.conditions else rows


def read_place(place: str, bad_line: BadLine = None) -> Rows:
    """Yield the rows of a source without options. See `read_rows`."""
    for path, name in files_of(place):
        if name is None:
            yield from read_hub(place)
        else:
            yield from _file_rows(path, name, bad_line)


def files_of(place: str) -> list[tuple[Path, str | None]]:
    """Return the files of a source, each with its name in messages. For a data set on the hub, return [(path, None)].

    A file that does not exist is returned too. JSON files are left out if their folder holds data files with other
    endings. Raises UserError for a folder without a file of data, for a pattern that matches nothing, and for a folder
    whose other files belong to several splits or groups of endings. For files on the hub, raises what `download`
    raises.
    """
    path = Path(place)
    if path.is_dir():
        return [(file, str(file)) for file in _folder(path)]
    if not path.exists():
        if is_hub_file(place):
            return [(file, name) for file, name in download(place)]
        if _PATTERN.search(place):
            found = sorted((Path(file) for file in glob.glob(place, recursive=True)), key=_order)  # noqa: PTH207 - also absolute
            if not found:
                raise UserError(f"{place}: no file matches the pattern")
            return [(file, str(file)) for file in found if file.is_file()]
        if is_hub_name(place) and not place.endswith(tuple(ending for group in _ENDINGS for ending in group)):
            return [(path, None)]
    return [(path, place)]


def _folder(folder: Path) -> list[Path]:
    """Return the data files in a folder and in the folders below it, sorted by `natural_key`.

    Hidden files, and files in hidden folders, are left out.
    """
    files = [path for path in folder.rglob("*") if path.is_file()]
    files = [path for path in files if not any(part.startswith(".") for part in path.relative_to(folder).parts)]
    groups = [[path for path in files if path.name.endswith(endings)] for endings in _ENDINGS]
    known = [group for group in groups[:-1] if group] or [group for group in groups[-1:] if group]
    if not known:
        endings = ", ".join(ending for group in _ENDINGS for ending in group)
        raise UserError(f"{folder}: the folder holds no file of data ({endings})")
    if len(known) > 1:
        names = ", ".join(sorted({path.suffix for group in known for path in group}))
        raise UserError(f"{folder}: the folder holds files with the endings {names}. Choose one: {folder}/*.ENDING")
    splits = {split for path in known[0] if (split := _split_of(path, folder))}
    if len(splits) > 1:
        raise UserError(
            f"{folder}: the folder holds the splits {', '.join(sorted(splits))}. Choose the files of one, such as "
            f"{folder}/**/{min(splits)}*"
        )
    return sorted(known[0], key=_order)


def _split_of(path: Path, folder: Path) -> str:
    """Return the split after which a file or its folder is named, such as "train", or ""."""
    stem = _SHARD.sub("", path.name.partition(".")[0] if "-of-" not in path.name else path.name)
    return next((name for name in (stem, path.parent.name if path.parent != folder else "") if name in _SPLITS), "")


def _order(path: Path) -> list[Any]:
    return natural_key(str(path))


def _file_rows(path: Path, name: str, bad_line: BadLine) -> Rows:
    endings = [ending for ending in path.suffixes if ending not in _PACKED]
    ending = endings[-1] if endings else ""
    if path.suffix == ".parquet":
        return ((f"{name} row {place}", row) for place, row in enumerate(iter_parquet(path)))
    if path.suffix == ".arrow":
        return _arrow(path, name)
    if ending in ARRAYS:
        return _read_array(path, name, bad_line)
    return ((f"{name}:{number}", row) for number, row in read_jsonl(path, bad_line))


def _arrow(path: Path, name: str) -> Rows:
    """Yield the rows of an Arrow file in the stream format, which the package `datasets` writes."""
    import pyarrow as pa

    try:
        with pa.memory_map(str(path)) as source, pa.ipc.open_stream(source) as batches:
            number = 0
            for batch in batches:
                for row in batch.to_pylist():
                    yield f"{name} row {number}", row
                    number += 1
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(f"{path}: the file cannot be read as an Arrow stream ({error})") from None


def _read_array(path: Path, name: str, bad_item: BadLine) -> Rows:
    """Yield the objects of a JSON array. A file of one or more lines that are objects is read as JSON lines."""
    try:
        with open_bytes(path) as stream:
            content = stream.read()
        rows = json.loads(content)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise UserError(f"{path} is a folder, but a file is needed") from None
    except (gzip.BadGzipFile, EOFError, zlib.error, OSError) as error:
        raise UserError(f"{path}: the file cannot be read ({error})") from None
    except (ValueError, RecursionError) as error:
        if _is_lines(content):
            yield from ((f"{name}:{number}", row) for number, row in read_jsonl(path, bad_item))
            return
        raise UserError(f"{path}: the file is not valid JSON ({error})") from None
    del content
    if isinstance(rows, dict) and _holds_columns(rows):
        rows = [rows]  # a file of JSON lines with one line
    if not isinstance(rows, list) or (bad_item is None and not all(isinstance(row, dict) for row in rows)):
        raise UserError(f"{path}: the file must hold a list of JSON objects, or an object on each line")
    yield from _items(rows, name, bad_item)


def _items(rows: Sequence[Any], name: str, bad_item: BadLine) -> Rows:
    for place, row in enumerate(rows):
        if isinstance(row, dict):
            yield f"{name}[{place}]", row
        elif bad_item is not None:
            bad_item(f"{name}[{place}]: the row must be a JSON object, not {type(row).__name__}")


def _is_lines(content: bytes) -> bool:
    """Return whether the first line that is not blank is a JSON object."""
    first = content.lstrip().partition(b"\n")[0]
    try:
        return isinstance(json.loads(first), dict)
    except (ValueError, RecursionError):
        return False


def _holds_columns(row: dict[str, Any]) -> bool:
    """Return whether an object can be one row. An object whose values are all objects is not taken for a row."""
    return bool(row) and not all(isinstance(value, dict) for value in row.values())
