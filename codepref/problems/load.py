"""Loads Problem records from a file, a hub data set, the starter or rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from codepref.errors import UserError
from codepref.problems.conditions import Selection
from codepref.problems.formats import FORMATS, Format, detect_format
from codepref.problems.left_out import Mistakes, ProblemList
from codepref.problems.rows import read_place
from codepref.problems.rows import read_rows as read_rows
from codepref.problems.source_names import read_source_name
from codepref.records import Problem

if TYPE_CHECKING:
    from typing import Literal

SHORT_NAMES = {"instruct": "bigcodebench-instruct"}
"""Short names of formats, and the names that they stand for."""

STARTER_SPLITS = ("train", "validation", "heldout", "pretrain")
_UNKNOWN_ROWS = 100
"""A source has an unknown format if none of this many rows at its beginning has a known one."""


def load_problems(
    source: str | Path, *, limit: int | None = None, format: str | None = None, strict: bool = False
) -> ProblemList:
    """Load problems, at most `limit` of them.

    source: a file (JSON lines or a JSON array, also as .gz and .zst, or Parquet), a folder or a pattern of such files,
    a hub data set ("owner/name", "owner/name:config", "owner/name:config:split"), files of one
    ("owner/name/path/file.jsonl@revision"), "starter" (its training problems) or "starter:SPLIT".
    After "#" stand options, separated by "&": the name of a format, conditions such as "difficulty=easy", and a window
    by date, "from=2024-08-01" and "to=2025-02-01" (see `codepref.problems.source_names`). Rows that do not meet the
    conditions are not read. The attribute `not_chosen` of the result is their number.
    format: a name in `codepref.problems.formats.FORMATS`. None recognises the format by the first row that has one.
    BigCodeBench's rows hold two prompts: the format `bigcodebench` takes the code, `bigcodebench-instruct` (or
    "#instruct") takes the request in words.

    strict: refuse a source with a bad row among those that are read. By default bad rows are left out, with a
    LeftOutWarning that names the first ten. The attribute `left_out` of the result describes them. A row is bad if it
    is no JSON object, lacks a column, is malformed, shows no entry point, or repeats a task id.

    Raises UserError for a limit below 1, an unknown format or split, a source that is missing, malformed or without a
    usable row, unknown columns, and malformed conditions. Messages about rows name the source and the line or row. With
    `strict`, raises UserError for bad rows, and reading stops after ten messages. Raises MachineError if the hub cannot
    be reached or the package `datasets` is missing.

    >>> [problem.entry_point for problem in load_problems("HumanEval.jsonl.gz", limit=2)]  # doctest: +SKIP
    ['has_close_elements', 'separate_paren_groups']
    """
    if limit is not None and limit < 1:
        raise UserError(f"the limit must be at least 1, not {limit}")
    name = read_source_name(str(source))
    if isinstance(source, str) and (source == "starter" or source.startswith("starter:")):
        return ProblemList(_load_starter(source, limit))
    mistakes, selection = Mistakes(strict=strict), Selection(name.conditions, name.place)
    rows = read_place(name.place, mistakes.line)
    rows = selection.kept(rows) if name.conditions else rows
    problems = _read_problems(rows, limit, _chosen(format or name.format, name.place), mistakes)
    problems.left_out = mistakes.result(len(problems), name.place)
    problems.not_chosen = selection.left
    if not problems:
        conditions = " and ".join(repr(condition.text) for condition in name.conditions)
        reason = f"none of its {selection.left:,} rows meets {conditions}" if selection.left else "holds no problem"
        raise UserError(f"{name.place}: {reason}")
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
