"""What a format of problems is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from codepref.problems.fields import Row
from codepref.records import Problem


@dataclass(frozen=True)
class Format:
    """A form in which problems are published.

    title: the format in messages. columns: the keys that every row has; a row with all of them is recognised, so a
    format with fewer columns belongs after one with more. read: `read(row, where)` gives the Problem of one row, and
    raises UserError that begins with `where` (the file and the line) for a missing or wrong field.
    """

    title: str
    columns: frozenset[str]
    read: Callable[[Row, str], Problem]

    def matches(self, row: Row) -> bool:
        """Whether a file whose first row is `row` has this format. A subclass can look at values too."""
        return self.columns <= row.keys()

    def missing(self, row: Row) -> list[str]:
        """The columns that `row` lacks, in alphabetical order."""
        return sorted(self.columns - row.keys())
