"""Reads the names of sources. The name of a file, folder or data set may end in `#` and options.

`tests.parquet#verl&difficulty=easy|medium&from=2024-08-01` names the rows of tests.parquet that meet two conditions.
They are read in the format verl.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

from codepref.problems.conditions import Condition, date_bound, read_condition

MARK, SEPARATOR = "#", "&"


@dataclass(frozen=True, slots=True)
class SourceName:
    """The parts of the name of a source.

    Attributes: `place` is the file, the folder or the data set. `format` is the name of a format, or "". `conditions`
    are those that a row must meet.
    """

    place: str
    format: str = ""
    conditions: tuple[Condition, ...] = ()


def read_source_name(source: str) -> SourceName:
    """Return the parts of a name. If a file or folder has the whole name, the name has no options.

    `%26` in an option stands for `&`, as in web addresses. Raises UserError for a malformed condition, and for `from`
    or `to` without a date.

    >>> read_source_name("a/b#mbpp").format, read_source_name("a/b#rating<1600").conditions[0].value
    ('mbpp', '1600')
    """
    if MARK not in source or Path(source).exists():
        return SourceName(source)
    place, options = _split(source)
    format, conditions = "", list[Condition]()
    for option in filter(None, map(str.strip, options.split(SEPARATOR))):
        name, sign, value = option.partition("=")
        if sign and name in ("from", "to"):
            conditions.append(date_bound(name, unquote(value), place))
        elif sign and name == "format":
            format = value
        elif not any(mark in option for mark in "=<>~"):
            format = option
        else:
            conditions.append(read_condition(unquote(option), place))
    return SourceName(place, format, tuple(conditions))


def with_conditions(source: str, conditions: Iterable[str]) -> str:
    """Return the name of a source with further conditions, such as those of --where.

    >>> with_conditions("a.jsonl", ["rating<1600", "tags~dp & greedy"])
    'a.jsonl#rating<1600&tags~dp %26 greedy'
    """
    options = [
        quote(text, safe="".join(map(chr, range(32, 127))).replace("&", "").replace("%", "")) for text in conditions
    ]
    if not options:
        return source
    has_options = MARK in source and not Path(source).exists()
    return f"{source}{SEPARATOR if has_options else MARK}{SEPARATOR.join(options)}"


def _split(source: str) -> tuple[str, str]:
    """Split a name at the first mark that follows the name of an existing file or folder, or else at the first mark."""
    places = [at for at, character in enumerate(source) if character == MARK]
    at = next((at for at in places if at and Path(source[:at]).exists()), places[0])
    return source[:at], source[at + 1 :]
