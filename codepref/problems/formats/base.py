"""The class `Format`, which describes a form of published problems."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from codepref.problems.fields import Row
from codepref.records import Problem


@dataclass(frozen=True)
class Format:
    """A form in which problems are published.

    title: the name of the format in messages. columns: the columns that every row has. either: groups of columns; a row
    has at least one column of each group. By default, a row that has these columns has the format. A format whose
    columns are a part of another format's columns must therefore be tried after the other format. read:
    `read(row, where)` returns the Problem of one row. For a missing or wrong field it raises UserError, with a message
    that begins with `where` (the file and the line).
    """

    title: str
    columns: frozenset[str]
    read: Callable[[Row, str], Problem]
    either: tuple[tuple[str, ...], ...] = ()

    def matches(self, row: Row) -> bool:
        """Return whether `row` has this format. A subclass can look at values too."""
        return not self.missing(row)

    def missing(self, row: Row) -> list[str]:
        """Return the columns that `row` lacks, in alphabetical order, and then the groups that it lacks.

        A group of `either` of which `row` has no column is one item, such as "a or b".
        """
        groups = [" or ".join(group) for group in self.either if not row.keys() & set(group)]
        return [*sorted(self.columns - row.keys()), *groups]

    @property
    def needed(self) -> list[str]:
        """The columns that a row needs, in the form that `missing` returns."""
        return self.missing({})
