"""The class `Format`, which describes a form of published problems."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from codepref.problems.fields import Row
from codepref.records import Problem


@dataclass(frozen=True)
class Format:
    """A form in which problems are published.

    title: the name of the format in messages. columns: the columns that every row has. By default, a file has the
    format if its first row has all of these columns. A format whose columns are a part of another format's columns must
    therefore be tried after the other format. read: `read(row, where)` returns the Problem of one row. For a missing or
    wrong field it raises UserError, with a message that begins with `where` (the file and the line).
    """

    title: str
    columns: frozenset[str]
    read: Callable[[Row, str], Problem]

    def matches(self, row: Row) -> bool:
        """Return whether a file whose first row is `row` has this format. A subclass can look at values too."""
        return self.columns <= row.keys()

    def missing(self, row: Row) -> list[str]:
        """Return the columns that `row` lacks, in alphabetical order."""
        return sorted(self.columns - row.keys())
