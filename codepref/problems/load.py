"""Loads Problem records from a file, a hub data set, the starter or rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from codepref.errors import UserError
from codepref.problems.conditions import Selection
from codepref.problems.formats import FORMATS, Format, detect_format
from codepref.problems.left_out import LeftOut, Mistakes, ProblemList
from codepref.problems.rows import read_place
from codepref.problems.rows import read_rows as read_rows
from codepref.problems.source_names import read_source_name
from codepref.records import Problem

if TYPE_CHECKING:
    from typing import Literal

SHORT_NAMES = {"instruct": "bigcodebench-instruct"}
"""Short names of formats, and the names that they stand for."""

STARTER_SPLITS = ("train", "validation", "heldout", "pretrain")
WATCHED = 20
"""The number of rows at the beginning of a source that show which columns its format reads."""

_UNKNOWN_ROWS = 100
"""A source has an unknown format if none of this many rows at its beginning has a known one."""


def load_problems(
    source: str | Path, *, limit: int | None = None, format: str | None = None, strict: bool = False
) -> ProblemList:
    """Load problems, at most `limit` of them.

    source: a file (JSON lines or a JSON array, also as .gz and .zst, Parquet or Arrow), a folder or a pattern of such
    files, a hub data set ("owner/name", "owner/name:config", "owner/name:config:split"), files of a hub data set
    ("owner/name/path/file.jsonl@revision"), "starter" (its training problems) or "starter:SPLIT".
    Options may follow after "#", separated by "&": the name of a format, conditions such as "difficulty=easy", and the
    dates "from=2024-08-01" and "to=2025-02-01" (see `codepref.problems.source_names`). Rows that do not meet the
    conditions are skipped. The attribute `not_chosen` of the result is the number of such rows that were read.
    format: a name in `codepref.problems.formats.FORMATS`. With None, the first row that has a known format decides.
    BigCodeBench's rows hold two prompts: the format `bigcodebench` takes the code, and `bigcodebench-instruct` (or
    "#instruct") takes the request in words.

    strict: refuse a source with a bad row among those that are read. By default bad rows are left out, with a
    LeftOutWarning that names the first ten. The attribute `left_out` of the result describes them. A row is bad if it
    is no JSON object, lacks a column, is malformed, shows no entry point, or repeats a task id.

    Raises UserError for a limit below 1, an unknown format or split, a source that is missing, malformed or without a
    usable row, unknown columns, and malformed conditions. Messages about rows name the source and the line or row. With
    `strict`, raises UserError for bad rows, and reading stops after ten messages. Raises MachineError if the hub cannot
    be reached, its files cannot be kept on disk, or the package `datasets` is missing.

    >>> [problem.entry_point for problem in load_problems("HumanEval.jsonl.gz", limit=2)]  # doctest: +SKIP
    ['has_close_elements', 'separate_paren_groups']
    """
    if limit is not None and limit < 1:
        raise UserError(f"the limit must be at least 1, not {limit}")
    stream = ProblemStream(source, format=format, strict=strict)
    problems = ProblemList(stream if limit is None else islice(stream, limit))
    problems.left_out = stream.finish()
    problems.not_chosen = stream.not_chosen
    return problems


class ProblemStream:
    """A stream of the problems of a source. They need not fit into memory together.

    source, format, strict: as in `load_problems`. compact: keep less about each row in memory. Messages about repeated
    ids then name no place, and `finish` returns no ids. watch: called with each row that becomes a problem, and the
    problem. The first WATCHED rows are WatchedRows. The starter has no rows. Raises UserError for an unknown format,
    for malformed conditions, and for conditions on the starter.

    Attributes: `strict` is as given. `problems` is the number of problems so far. `format` is the format of the rows,
    or None before the first row and for the starter.
    """

    def __init__(
        self,
        source: str | Path,
        *,
        format: str | None = None,
        strict: bool = False,
        compact: bool = False,
        watch: Callable[[Mapping[str, Any], Problem], None] | None = None,
    ) -> None:
        self._name = read_source_name(str(source))
        self._is_starter = isinstance(source, str) and is_starter(source)
        self._chosen = _chosen(format or self._name.format, self._name.place)
        self._mistakes = Mistakes(strict=strict, keep_tasks=not compact)
        self._selection = Selection(self._name.conditions, self._name.place)
        if self._is_starter and self._name.conditions:
            raise UserError(
                f"{self._name.place}: conditions choose rows by columns, and the starter's problems have no columns"
            )
        self._compact, self._watch, self.strict = compact, watch, strict
        self.problems = 0
        self.format: Format | None = None

    def __iter__(self) -> Iterator[Problem]:
        """Yield the problems.

        Raises what `load_problems` raises for a source that cannot be read and for unknown columns. With `strict`,
        raises UserError at the tenth message about bad rows.
        """
        if self._is_starter:
            for problem in _load_starter(self._name.place):
                self.problems += 1
                yield problem
            return
        rows = read_place(self._name.place, self._mistakes.line)
        if self._name.conditions:
            rows = self._selection.kept(rows)
        self.format, rows = (self._chosen, rows) if self._chosen else _recognised(rows)
        if self.format is not None:
            yield from self._read(rows, self.format)

    def _read(self, rows: Iterator[tuple[str, dict[str, Any]]], known: Format) -> Iterator[Problem]:
        for row, problem in read_problems(
            rows, known, self._mistakes, compact=self._compact, watched=WATCHED if self._watch else 0
        ):
            self.problems += 1
            if self._watch is not None:
                self._watch(row, problem)
            yield problem

    @property
    def not_chosen(self) -> int:
        """The number of rows so far that do not meet the conditions in the source's name."""
        return self._selection.left

    def left_out(self) -> LeftOut:
        """Return what was left out so far, without a warning."""
        return self._mistakes.so_far()

    def finish(self) -> LeftOut:
        """Return what was left out, and warn if rows were left out.

        Raises UserError if there is no problem, and with `strict` if a row was left out.
        """
        place = self._name.place
        left_out = self._mistakes.result(self.problems, place)
        if not self.problems:
            conditions = " and ".join(repr(condition.text) for condition in self._name.conditions)
            left = self.not_chosen
            raise UserError(
                f"{place}: {f'none of its {left:,} rows meets {conditions}' if left else 'the source holds no problem'}"
            )
        return left_out


def problems_from_rows(
    rows: Iterable[Mapping[str, Any]], *, limit: int | None = None, format: str | None = None, strict: bool = False
) -> ProblemList:
    """Return the problems in rows of a known format, such as the rows of a `datasets.Dataset`.

    limit, format, strict: as in `load_problems`, except that a limit below 1 is no error and has no effect. No rows
    give []. Raises UserError for an unknown format, for unknown columns, if all rows are bad, and with `strict` for bad
    rows, with the numbers of the rows.
    """
    mistakes, chosen = Mistakes(strict=strict), _chosen(format, "rows")
    numbered: Iterator[tuple[str, dict[str, Any]]] = ((f"row {place}", dict(row)) for place, row in enumerate(rows))
    known, numbered = (chosen, numbered) if chosen else _recognised(numbered)
    read = read_problems(numbered, known, mistakes) if known else iter(())
    problems = ProblemList(problem for _, problem in (islice(read, limit) if limit and limit > 0 else read))
    problems.left_out = mistakes.result(len(problems), "the rows")
    return problems


def _chosen(name: str | None, source: str) -> Format | None:
    name = SHORT_NAMES.get(name or "", name)
    if name and (mistake := FORMATS.mistake(name)):
        raise UserError(f"{source}: {mistake}")
    return FORMATS.load(name) if name else None


def is_starter(source: str) -> bool:
    """Return whether a source of problems names the starter: `starter` or `starter:SPLIT`."""
    return source == "starter" or source.startswith("starter:")


def _load_starter(source: str) -> list[Problem]:
    from codepref import starter

    split = source.partition(":")[2] or "train"
    if split not in STARTER_SPLITS:
        raise UserError(
            f"{source}: there is no such split. Choose one of {', '.join(f'starter:{name}' for name in STARTER_SPLITS)}"
        )
    known = cast("Literal['train', 'validation', 'heldout', 'pretrain']", split)
    return list(starter.load_problems(known))


def read_problems(
    rows: Iterator[tuple[str, dict[str, Any]]],
    known: Format,
    mistakes: Mistakes,
    *,
    compact: bool = False,
    watched: int = 0,
) -> Iterator[tuple[Mapping[str, Any], Problem]]:
    """Yield the row and the problem of each (place, row) pair, and record rows that cannot be used in `mistakes`.

    compact: keep a hash of each task id instead of the id and its place. watched: the number of rows at the
    beginning that become a `WatchedRow`, which records the columns that are read.
    """
    places: dict[str | int, str | None] = {}
    for number, (where, plain) in enumerate(rows):
        row = WatchedRow(plain) if number < watched else plain
        try:
            if missing := known.missing(row):
                raise UserError(f"{where}: the row lacks {', '.join(missing)} (the rows are read as {known.title})")
            problem = known.read(row, where)
            key = hash(problem.task_id) if compact else problem.task_id
            if key in places:
                first = places[key]
                seen = f", first seen at {first}" if first else ", which an earlier row has"
                raise UserError(f"{where}: the row repeats task_id {problem.task_id!r}{seen}")
        except UserError as error:
            mistakes.row(plain, error)
            continue
        places[key] = None if compact else where
        yield row, problem


class WatchedRow(dict[str, Any]):
    """A row that records in `used` the columns for which `[]` or `get` was called."""

    def __init__(self, row: Mapping[str, Any]) -> None:
        super().__init__(row)
        self.used: set[str] = set()

    def __getitem__(self, key: str) -> Any:
        self.used.add(key)
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of a column, or `default`."""
        self.used.add(key)
        return super().get(key, default)


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
