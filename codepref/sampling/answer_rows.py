"""Finds the problems of rows of answers, and reads the texts of the rows."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from codepref.errors import UserError
from codepref.problems.left_out import LeftOutWarning, left_out_of
from codepref.records import Problem

Row = Mapping[str, Any]
_MAX_MESSAGES = 10

_NUMBERED = re.compile(r".*/(\d+)\Z", re.DOTALL)


class Tasks:
    """The problems by the names that rows may use for them, and the tasks that were left out.

    A problem is found by its task id. It is also found by the number after the last slash of its id, such as 2 for
    Mbpp/2, which MBPP's own files use. If several problems have the number, it finds none of them, unless the number is
    the whole id of a problem.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        left_out = left_out_of(problems).tasks
        self._left_out = left_out | {match[1] for task in left_out if (match := _NUMBERED.match(task))}
        self._known = {problem.task_id: problem for problem in problems}
        self._numbers: dict[str, list[Problem]] = {}
        for task, problem in self._known.items():
            if match := _NUMBERED.match(task):
                self._numbers.setdefault(match[1], []).append(problem)

    def find(self, task_id: Any) -> Problem | None:
        """Return the problem with this id, or else the only problem with this number, or None."""
        name = name_of(task_id)
        named = self._numbers.get(name, ())
        return self._known.get(name) or (named[0] if len(named) == 1 else None)

    def is_left_out(self, task_id: Any) -> bool:
        """Return whether the row of this task was left out when the problems were loaded."""
        return name_of(task_id) in self._left_out

    def unknown(self, row: Row) -> str:
        """Return why `find` finds no problem for a row, as a part of a message."""
        task_id = row.get("task_id")
        if task_id is None:
            return f"has no task_id (columns: {', '.join(map(str, row))})"
        if named := self._numbers.get(name_of(task_id)):
            several = ", ".join(problem.task_id for problem in named[:3])
            return f"task {task_id!r} can be {several}. Give the whole id"
        example = f", whose task ids look like {next(iter(self._known))!r}" if self._known else ""
        return f"task {task_id!r} is not among the problems{example}"


def name_of(task_id: Any) -> str:
    """Return a task id as text. The float 9.0 gives "9", since tables with missing values hold such floats."""
    return str(int(task_id)) if isinstance(task_id, float) and task_id.is_integer() else str(task_id)


def answers(rows: Iterable[tuple[str, Row]], tasks: Tasks, field: str) -> Iterator[tuple[str, Row, Problem]]:
    """Yield (place, row, problem) for each row of a known task that has `field` or "completion".

    Rows of tasks that were left out are not yielded, and a warning after the last row counts them. Any other row is a
    mistake. After the first mistake nothing is yielded, and UserError is raised after the last row or the tenth
    mistake.
    """
    mistakes: list[str] = []
    left_out = 0
    for where, row in rows:
        problem = tasks.find(row.get("task_id"))
        if problem is None and tasks.is_left_out(row.get("task_id")):
            left_out += 1
            continue
        if problem is None:
            mistakes.append(f"{where}: {tasks.unknown(row)}")
        elif field not in row and "completion" not in row:
            mistakes.append(f'{where}: needs "{field}" or "completion". Its columns are {", ".join(map(str, row))}')
        elif not mistakes:
            yield where, row, problem
        if len(mistakes) >= _MAX_MESSAGES:
            break
    if mistakes:
        raise UserError(*mistakes)
    if left_out:
        noun = "solutions" if field == "solution" else "lines of tests"
        warnings.warn(
            f"{left_out:,} {noun} of problems that were left out are left out too", LeftOutWarning, stacklevel=2
        )


def text_of(row: Row, field: str, where: str) -> str | None:
    """Return a text, or None if it is missing, null or NaN, which some programs write for null.

    Raises UserError for a value of another type.
    """
    value = row.get(field)
    if isinstance(value, float) and value != value:
        return None
    if value is not None and not isinstance(value, str):
        raise UserError(f"{where}: {field} must be text, not {type(value).__name__}")
    return value
