"""Rows of a source of problems that were left out because something is wrong with them, and how users learn of it."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from codepref.errors import UserError
from codepref.records import Problem

MAX_MESSAGES = 10
"""Largest number of left-out rows that the warning describes. The other rows are counted."""

MAX_REASONS = 100
"""Largest number of reasons that are counted separately. Rows with other reasons are counted together."""

MAX_EXAMPLES = 3
"""Largest number of messages that are kept for a reason."""

_OTHER = "another reason"
_PLACE = re.compile(r"^.*?(?::\d+|\[\d+\]| row \d+): |^row \d+: ")
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_NUMBER = re.compile(r"\b\d[\d,.]*")
_IN_BRACKETS = re.compile(r" \((?:[^()]|\([^()]*\))*\)")
_REASON_CHARACTERS = 150

_IDS = ("task_id", "problem_id", "question_id", "id", "name")
"""Columns that may hold the task id of a row."""


class LeftOutWarning(UserWarning):
    """Says that rows, answers or columns of a source were left out."""


@dataclass(slots=True)
class Reason:
    """The number of rows that were left out for one reason, and the messages about the first MAX_EXAMPLES of them."""

    rows: int = 0
    examples: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """The rows of a source that were left out.

    Attributes: `messages` holds what is wrong with the first MAX_MESSAGES of them, each with its place in the source.
    `tasks` holds the texts and whole numbers in their columns of ids, such as `task_id` and `name`. A whole number is
    there as "2" and as "Mbpp/2". `reasons` counts the rows by what is wrong with them (see `reason_of`).
    """

    rows: int = 0
    messages: tuple[str, ...] = ()
    tasks: frozenset[str] = frozenset()
    reasons: Mapping[str, Reason] = field(default_factory=dict)

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
    that do not meet the conditions in the source's name.
    """

    left_out = LeftOut()
    not_chosen = 0


def left_out_of(problems: Iterable[Problem]) -> LeftOut:
    """Return what was left out when `problems` was loaded. Other lists than a `ProblemList` give no rows."""
    return problems.left_out if isinstance(problems, ProblemList) else LeftOut()


class Mistakes:
    """Collects the rows of a source that cannot be used.

    strict: raise UserError at the tenth message, and in `result` if there is any message. keep_tasks: keep the ids of
    the rows, which need memory.
    """

    def __init__(self, *, strict: bool, keep_tasks: bool = True) -> None:
        self._strict, self._rows, self._keep_tasks = strict, 0, keep_tasks
        self._messages: list[str] = []
        self._tasks: set[str] = set()
        self._reasons: dict[str, Reason] = {}

    def line(self, message: str) -> None:
        """Record the message about a line that holds no row. Raises what `row` raises."""
        self.row({}, UserError(message))

    def row(self, row: Mapping[str, Any], error: UserError) -> None:
        """Record a row and what is wrong with it. Raises UserError if `strict` is set and there are ten messages."""
        self._rows += 1
        if self._strict or self._rows <= MAX_MESSAGES:
            self._messages += error.problems if self._strict else error.problems[:1]
        self._count(error.problems[0] if error.problems else "")
        if self._keep_tasks:
            self._tasks.update(name for column in _IDS for name in _names(row.get(column)))
        if self._strict and len(self._messages) >= MAX_MESSAGES:
            raise UserError(*self._messages)

    def _count(self, message: str) -> None:
        name = reason_of(message)
        if name not in self._reasons and len(self._reasons) >= MAX_REASONS:
            name = _OTHER
        reason = self._reasons.setdefault(name, Reason())
        reason.rows += 1
        if len(reason.examples) < MAX_EXAMPLES:
            reason.examples.append(message)

    def so_far(self) -> LeftOut:
        """Return what was left out, without a warning."""
        return LeftOut(self._rows, tuple(self._messages), frozenset(self._tasks), self._reasons)

    def result(self, problems: int, source: str) -> LeftOut:
        """Return what was left out, and warn if rows were left out. problems: the number of rows that were used.

        Raises UserError if rows were recorded, and `strict` is set or no row was used.
        """
        result = self.so_far()
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


def reason_of(message: str) -> str:
    """Return the reason that a message gives, without its place in the source. Similar messages have the same reason.

    Quoted texts become …, numbers become N, and texts in parentheses are left out. The result is cut to 150 characters.

    >>> reason_of("a.jsonl:7: test 3: 'x = ' is no JSON (line 1)")
    'test N: … is no JSON'
    """
    text = _IN_BRACKETS.sub("", " ".join(_PLACE.sub("", message, count=1).split()))
    return _NUMBER.sub("N", _QUOTED.sub("…", text))[:_REASON_CHARACTERS]


def count_rows(left_out: int, total: int) -> str:
    """Return the subject and verb of a sentence about rows, such as "1 of 20 rows is"."""
    return f"{left_out:,} of {total:,} rows {'is' if left_out == 1 else 'are'}"


def _names(task_id: Any) -> Iterator[str]:
    if isinstance(task_id, str | int):
        yield str(task_id)
    if isinstance(task_id, int):
        yield f"Mbpp/{task_id}"
