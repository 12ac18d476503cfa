"""Rows of a source of problems that were left out because something is wrong with them, and how users learn of it."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from codepref.errors import UserError
from codepref.records import Problem

MAX_MESSAGES = 10
"""Largest number of left-out rows that the warning describes. The other rows are counted."""

_IDS = ("task_id", "problem_id", "question_id", "id", "name")
"""Columns that may hold the task id of a row."""


class LeftOutWarning(UserWarning):
    """Says that rows of a source were left out, or that answers to such rows were left out."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """The rows of a source that were left out.

    Attributes: `messages` holds what is wrong with the first MAX_MESSAGES of them, each with its place in the source.
    `tasks` holds the texts and whole numbers in their columns of ids, such as `task_id` and `name`. A whole number is
    there as "2" and as "Mbpp/2".
    """

    rows: int = 0
    messages: tuple[str, ...] = ()
    tasks: frozenset[str] = frozenset()

    def lines(self) -> list[str]:
        """Return the messages. If there are rows without a message, a last line counts them."""
        more = self.rows - len(self.messages)
        return [*self.messages, *([f"and {more:,} other rows"] if more else [])]

    def as_dict(self) -> dict[str, Any]:
        """Return the number of rows and the messages, as summaries record them."""
        return {"rows": self.rows, "messages": [*self.messages]}


class ProblemList(list[Problem]):
    """A list of problems.

    Attributes: `left_out` describes the rows of their source that were left out. `not_chosen` is the number of rows
    that did not meet the conditions of the source's name.
    """

    left_out = LeftOut()
    not_chosen = 0


def left_out_of(problems: Iterable[Problem]) -> LeftOut:
    """Return what was left out when `problems` was loaded. Other lists than a `ProblemList` give no rows."""
    return problems.left_out if isinstance(problems, ProblemList) else LeftOut()


class Mistakes:
    """Collects the rows of a source that cannot be used.

    strict: raise UserError at the tenth message, and in `result` if there is any message.
    """

    def __init__(self, *, strict: bool) -> None:
        self._strict, self._rows = strict, 0
        self._messages: list[str] = []
        self._tasks: set[str] = set()

    def line(self, message: str) -> None:
        """Record the message about a line that holds no row. Raises what `row` raises."""
        self.row({}, UserError(message))

    def row(self, row: Mapping[str, Any], error: UserError) -> None:
        """Record a row and what is wrong with it. Raises UserError if `strict` is set and there are ten messages."""
        self._rows += 1
        if self._strict or self._rows <= MAX_MESSAGES:
            self._messages += error.problems if self._strict else error.problems[:1]
        self._tasks.update(name for column in _IDS for name in _names(row.get(column)))
        if self._strict and len(self._messages) >= MAX_MESSAGES:
            raise UserError(*self._messages)

    def result(self, problems: int, source: str) -> LeftOut:
        """Return what was left out, and warn if rows were left out. problems: the number of rows that were used.

        Raises UserError if rows were recorded, and `strict` is set or no row was used.
        """
        result = LeftOut(self._rows, tuple(self._messages), frozenset(self._tasks))
        if self._rows and (self._strict or not problems):
            raise UserError(*result.messages, *([] if self._strict else result.lines()[len(self._messages) :]))
        if self._rows:
            listing = "".join(f"\n  {line}" for line in result.lines())
            warnings.warn(
                f"{source}: {count_rows(self._rows, problems + self._rows)} left out (--strict, or strict=True, "
                f"refuses the source instead):{listing}",
                LeftOutWarning,
                stacklevel=4,
            )
        return result


def count_rows(left_out: int, total: int) -> str:
    """Return the subject and verb of a sentence about rows, such as "1 of 20 rows is"."""
    return f"{left_out:,} of {total:,} rows {'is' if left_out == 1 else 'are'}"


def _names(task_id: Any) -> Iterator[str]:
    if isinstance(task_id, str | int):
        yield str(task_id)
    if isinstance(task_id, int):
        yield f"Mbpp/{task_id}"
