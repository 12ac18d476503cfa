"""Loads Problem records from a file, a hub data set, the starter or rows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from codepref.errors import UserError
from codepref.problems.formats import FORMATS, Format, detect_format
from codepref.problems.hub import is_hub_name, read_hub
from codepref.records import Problem
from codepref.storage.files import read_jsonl, read_parquet

if TYPE_CHECKING:
    from typing import Literal

FORMAT_MARK = "#"
"""Separates a source from the name of its format: `problems.jsonl#mbpp`."""

SHORT_NAMES = {"instruct": "bigcodebench-instruct"}
"""Short names of formats, and the names that they stand for."""

STARTER_SPLITS = ("train", "validation", "heldout", "pretrain")
_MAX_MESSAGES = 10
_SUFFIXES = (".jsonl", ".json", ".gz", ".parquet")


def load_problems(source: str | Path, *, limit: int | None = None, format: str | None = None) -> list[Problem]:
    """Load problems, at most `limit` of them.

    source: a file (JSON lines, a JSON array or Parquet; JSON lines also as .gz), a hub data set ("owner/name",
    "owner/name:config", "owner/name:config:split"), "starter" (its training problems) or "starter:SPLIT".
    format: a name in `codepref.problems.formats.FORMATS`. None recognises the format by the first row.
    Without `format`, "#NAME" at the end of `source` chooses a format too, for example in a recipe.
    BigCodeBench's rows hold two prompts: the format `bigcodebench` takes the code, `bigcodebench-instruct` (or
    "#instruct") takes the request in words.

    Raises UserError for a limit below 1, an unknown format or split, a source that is missing, malformed or without
    problems, and columns that fit no format. Also raises UserError for malformed rows, rows whose entry point is
    unknown and repeated task ids. Messages about rows name the source and the line or row. Reading stops at `limit`
    problems, or as soon as there are ten messages. Raises what `read_rows` raises.

    >>> [problem.entry_point for problem in load_problems("HumanEval.jsonl.gz", limit=2)]  # doctest: +SKIP
    ['has_close_elements', 'separate_paren_groups']
    """
    if limit is not None and limit < 1:
        raise UserError(f"the limit must be at least 1, not {limit}")
    name = str(source)
    if isinstance(source, str) and (source == "starter" or source.startswith("starter:")):
        return _load_starter(source, limit)
    if format is None and FORMAT_MARK in name and not Path(name).exists():
        name, _, format = name.rpartition(FORMAT_MARK)
    problems = _read_problems(read_rows(name), limit, _chosen(format, name))
    if not problems:
        raise UserError(f"{name}: holds no problem")
    return problems


def problems_from_rows(
    rows: Iterable[Mapping[str, Any]], *, limit: int | None = None, format: str | None = None
) -> list[Problem]:
    """Return the problems in rows of a known format, such as the rows of a `datasets.Dataset`.

    limit, format: as in `load_problems`, except that a limit below 1 is no error and has no effect. No rows give [].
    Raises UserError for an unknown format, and for columns that fit no format, malformed rows and repeated task ids,
    with the numbers of the rows.
    """
    numbered = ((f"row {place}", dict(row)) for place, row in enumerate(rows))
    return _read_problems(numbered, limit, _chosen(format, "rows"))


def read_rows(source: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (place, row) for each row of a file or a hub data set with any columns.

    `place` names the source, and the line or the number of the row.

    Raises UserError for a source that is missing or malformed. For a hub data set, raises what `read_hub` raises.
    """
    path = Path(source)
    if not path.exists() and is_hub_name(source) and not source.endswith(_SUFFIXES):
        yield from read_hub(source)
    elif path.suffix == ".parquet":
        yield from ((f"{source} row {place}", row) for place, row in enumerate(read_parquet(path)))
    elif path.suffix == ".json":
        yield from ((f"{source}[{place}]", row) for place, row in enumerate(_read_array(path)))
    else:
        yield from ((f"{source}:{number}", row) for number, row in read_jsonl(path))


def _chosen(name: str | None, source: str) -> Format | None:
    name = SHORT_NAMES.get(name or "", name)
    if name and (mistake := FORMATS.mistake(name)):
        raise UserError(f"{source}: {mistake}")
    return FORMATS.load(name) if name else None


def _load_starter(source: str, limit: int | None) -> list[Problem]:
    from codepref import starter

    split = source.partition(":")[2] or "train"
    if split not in STARTER_SPLITS:
        raise UserError(
            f"{source}: there is no such split. Choose one of {', '.join(f'starter:{name}' for name in STARTER_SPLITS)}"
        )
    known = cast("Literal['train', 'validation', 'heldout', 'pretrain']", split)
    return list(starter.load_problems(known, limit=limit))


def _read_array(path: Path) -> list[dict[str, Any]]:
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (ValueError, RecursionError) as error:
        raise UserError(
            f"{path}: the file is not valid JSON ({error}). If it is a file of JSON lines, name it .jsonl"
        ) from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise UserError(
            f"{path}: the file must hold a list of JSON objects. If it is a file of JSON lines, name it .jsonl"
        )
    return rows


def _read_problems(
    rows: Iterator[tuple[str, dict[str, Any]]], limit: int | None, chosen: Format | None
) -> list[Problem]:
    """Return the problems in (place, row) pairs. chosen: the format; None recognises it by the first row."""
    problems: list[Problem] = []
    places: dict[str, str] = {}
    mistakes: list[str] = []
    for where, row in rows:
        chosen = chosen or detect_format(row, where)
        try:
            if missing := chosen.missing(row):
                raise UserError(f"{where}: lacks {', '.join(missing)} (the rows are read as {chosen.title})")
            problem = chosen.read(row, where)
            if problem.task_id in places:
                raise UserError(
                    f"{where}: repeats task_id {problem.task_id!r}, first seen at {places[problem.task_id]}"
                )
        except UserError as error:
            mistakes += error.problems
            if len(mistakes) >= _MAX_MESSAGES:
                break
            continue
        places[problem.task_id] = where
        problems.append(problem)
        if limit is not None and len(problems) == limit:
            break
    if mistakes:
        raise UserError(*mistakes)
    return problems
