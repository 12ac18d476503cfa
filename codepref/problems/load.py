"""Loads Problem records from a file, a hub data set, the starter or rows."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from codepref.errors import UserError
from codepref.problems.formats import FORMATS, Format, detect_format
from codepref.problems.hub import is_hub_name, read_hub
from codepref.problems.left_out import Mistakes, ProblemList
from codepref.records import Problem
from codepref.storage.files import read_jsonl, read_parquet

if TYPE_CHECKING:
    from typing import Literal

FORMAT_MARK = "#"
"""Separates a source from the name of its format: `problems.jsonl#mbpp`."""

SHORT_NAMES = {"instruct": "bigcodebench-instruct"}
"""Short names of formats, and the names that they stand for."""

STARTER_SPLITS = ("train", "validation", "heldout", "pretrain")
_UNKNOWN_ROWS = 100
"""A source has an unknown format if none of this many rows at its beginning has a known one."""

_SUFFIXES = (".jsonl", ".json", ".gz", ".parquet")


def load_problems(
    source: str | Path, *, limit: int | None = None, format: str | None = None, strict: bool = False
) -> ProblemList:
    """Load problems, at most `limit` of them.

    source: a file (JSON lines, a JSON array or Parquet; JSON lines also as .gz), a hub data set ("owner/name",
    "owner/name:config", "owner/name:config:split"), "starter" (its training problems) or "starter:SPLIT".
    format: a name in `codepref.problems.formats.FORMATS`. None recognises the format by the first row that has one.
    Without `format`, "#NAME" at the end of `source` chooses a format too, for example in a recipe.
    BigCodeBench's rows hold two prompts: the format `bigcodebench` takes the code, `bigcodebench-instruct` (or
    "#instruct") takes the request in words.

    strict: refuse a source with a bad row among those that are read. By default bad rows are left out, with a
    LeftOutWarning that names the first ten. The attribute `left_out` of the result describes them. A row is bad if it
    is no JSON object, lacks a column, is malformed, shows no entry point, or repeats a task id.

    Raises UserError for a limit below 1, an unknown format or split, a source that is missing, malformed or without a
    usable row, and unknown columns. Messages about rows name the source and the line or row. With `strict`, raises
    UserError for bad rows, and reading stops after ten messages. Raises MachineError if the hub cannot be reached or
    the package `datasets` is missing.

    >>> [problem.entry_point for problem in load_problems("HumanEval.jsonl.gz", limit=2)]  # doctest: +SKIP
    ['has_close_elements', 'separate_paren_groups']
    """
    if limit is not None and limit < 1:
        raise UserError(f"the limit must be at least 1, not {limit}")
    name = str(source)
    if isinstance(source, str) and (source == "starter" or source.startswith("starter:")):
        return ProblemList(_load_starter(source, limit))
    if format is None and FORMAT_MARK in name and not Path(name).exists():
        name, _, format = name.rpartition(FORMAT_MARK)
    mistakes = Mistakes(strict=strict)
    problems = _read_problems(read_rows(name, mistakes.line), limit, _chosen(format, name), mistakes)
    problems.left_out = mistakes.result(len(problems), name)
    if not problems:
        raise UserError(f"{name}: holds no problem")
    return problems


def problems_from_rows(
    rows: Iterable[Mapping[str, Any]], *, limit: int | None = None, format: str | None = None, strict: bool = False
) -> ProblemList:
    """Return the problems in rows of a known format, such as the rows of a `datasets.Dataset`.

    limit, format, strict: as in `load_problems`, except that a limit below 1 is no error and has no effect. No rows
    give []. Raises UserError for an unknown format, for unknown columns, if all rows are bad, and with `strict` for bad
    rows, with the numbers of the rows.
    """
    mistakes = Mistakes(strict=strict)
    numbered = ((f"row {place}", dict(row)) for place, row in enumerate(rows))
    problems = _read_problems(numbered, limit, _chosen(format, "rows"), mistakes)
    problems.left_out = mistakes.result(len(problems), "the rows")
    return problems


def read_rows(source: str, bad_line: Callable[[str], None] | None = None) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (place, row) for each row of a file or a hub data set with any columns.

    `place` names the source, and the line or the number of the row. bad_line: called with the message about a line or
    an item that is no JSON object. The line or item is then left out.

    Raises UserError for a source that is missing or malformed, and for such a line if `bad_line` is None. For a
    hub data set, raises what `read_hub` raises.
    """
    path = Path(source)
    if not path.exists() and is_hub_name(source) and not source.endswith(_SUFFIXES):
        yield from read_hub(source)
    elif path.suffix == ".parquet":
        yield from ((f"{source} row {place}", row) for place, row in enumerate(read_parquet(path)))
    elif path.suffix == ".json":
        yield from _read_array(path, bad_line)
    else:
        yield from ((f"{source}:{number}", row) for number, row in read_jsonl(path, bad_line))


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


def _read_array(path: Path, bad_item: Callable[[str], None] | None) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (ValueError, RecursionError) as error:
        raise UserError(
            f"{path}: the file is not valid JSON ({error}). If it is a file of JSON lines, name it .jsonl"
        ) from None
    if not isinstance(rows, list) or (bad_item is None and not all(isinstance(row, dict) for row in rows)):
        raise UserError(
            f"{path}: the file must hold a list of JSON objects. If it is a file of JSON lines, name it .jsonl"
        )
    for place, row in enumerate(rows):
        if isinstance(row, dict):
            yield f"{path}[{place}]", row
        elif bad_item is not None:
            bad_item(f"{path}[{place}]: must be a JSON object, not {type(row).__name__}")


def _read_problems(
    rows: Iterator[tuple[str, dict[str, Any]]], limit: int | None, chosen: Format | None, mistakes: Mistakes
) -> ProblemList:
    """Return the problems in (place, row) pairs, and record rows that cannot be used in `mistakes`.

    chosen: the format; None recognises it.
    """
    problems = ProblemList()
    places: dict[str, str] = {}
    known, rows = (chosen, rows) if chosen else _recognised(rows)
    for where, row in rows:
        assert known is not None  # without a format there is no row
        try:
            if missing := known.missing(row):
                raise UserError(f"{where}: lacks {', '.join(missing)} (the rows are read as {known.title})")
            problem = known.read(row, where)
            if problem.task_id in places:
                raise UserError(
                    f"{where}: repeats task_id {problem.task_id!r}, first seen at {places[problem.task_id]}"
                )
        except UserError as error:
            mistakes.row(row, error)
            continue
        places[problem.task_id] = where
        problems.append(problem)
        if limit is not None and len(problems) == limit:
            break
    return problems


def _recognised(
    rows: Iterator[tuple[str, dict[str, Any]]],
) -> tuple[Format | None, Iterator[tuple[str, dict[str, Any]]]]:
    """Return the format of the first row that has a known format, and all rows. Without rows the format is None.

    Raises UserError if none of the first rows has a known format. Its message is about the first row.
    """
    read: list[tuple[str, dict[str, Any]]] = []
    first_error: UserError | None = None
    for where, row in rows:
        read.append((where, row))
        try:
            return detect_format(row, where), chain(read, rows)
        except UserError as error:
            first_error = first_error or error
            if len(read) == _UNKNOWN_ROWS:
                break
    if first_error is not None:
        raise first_error
    return None, iter(())
