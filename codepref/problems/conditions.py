"""Conditions on the columns of a row, such as `difficulty=easy|medium` and `average_test_score>=0.8`. Pure.

A condition consists of a column, a sign and a value. It runs no code. A row must meet all conditions of its source.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from codepref.errors import UserError

DATE_COLUMNS = ("contest_date", "release_date", "estimated_date", "date", "contest_start", "start_date", "created_at")
"""The columns that may hold the date of a problem. The options `from` and `to` use the first of them that a row has."""

FORM = "COLUMN=VALUE, COLUMN=VALUE|VALUE, COLUMN!=VALUE, COLUMN>=NUMBER, COLUMN<DATE or COLUMN~TEXT"

_CONDITION = re.compile(r"\s*([^=<>!~]*?)\s*(==|!=|>=|<=|=|>|<|~)\s*(.*?)\s*\Z", re.DOTALL)
_DATE = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?\Z")
_MILLISECONDS = 10**11
"""Times from this number on are milliseconds since 1970, and smaller ones are seconds."""

_ORDER: Mapping[str, Callable[[float, float], bool]] = {
    ">=": lambda cell, value: cell >= value,
    "<=": lambda cell, value: cell <= value,
    ">": lambda cell, value: cell > value,
    "<": lambda cell, value: cell < value,
}


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition on one column, or on the date of a problem.

    Attributes:
        columns: names of columns. The first of them that a row has counts. A name may be a path, such as
        "extra_info.split", which looks into a struct or into the JSON text of an object.
        sign: one of =, !=, >=, <=, >, < and ~.
        value: what follows the sign.
        text: the condition as the user wrote it.
    """

    columns: tuple[str, ...]
    sign: str
    value: str
    text: str

    def cells(self, row: Mapping[str, Any]) -> list[Any] | None:
        """Return the items of a list in the column, or any other value as the only item.

        Return None if the row has none of the columns.
        """
        for name in self.columns:
            found = _at(row, name)
            if found is not None:
                (value,) = found
                return list(value) if isinstance(value, list | tuple) else [value]
        return None

    def holds(self, row: Mapping[str, Any]) -> bool:
        """Return whether a row meets the condition. In a list, one item must meet it. With !=, all items must meet it.

        A row without the column meets no condition, except that != treats the missing value as null.

        - `=` and `!=` compare numbers as numbers, dates such as 2024-08 as periods, and other values as texts. Upper
          and lower case count as equal. `a|b` stands for a or b. `true` and `false` stand for truth values, which equal
          no number. A blank value stands for null, a blank text and an empty list.
        - `>=`, `<=`, `>` and `<` compare numbers or dates such as 2024-08-01. A number may be a text, such as "0.9" or
          "85%", which is 0.85. The value 2024-08-01 stands for the whole day, and 2024-08 for the whole month. In a
          condition on one column, 2024 is a number and not a year. A cell that is no number or date does not meet the
          condition.
        - `~` asks whether the cell contains the text. Upper and lower case count as equal. A struct is searched as
          JSON text.
        """
        cells = self.cells(row)
        if self.sign == "!=":
            return not any(self._equal(cell) for cell in cells or [None])
        if self.sign == "=":
            return any(self._equal(cell) for cell in (cells or [None] if cells is not None else []))
        if self.sign == "~":
            return any(self.value.casefold() in _text(cell).casefold() for cell in cells or ())
        return any(self._ordered(cell) for cell in cells or ())

    def _equal(self, cell: Any) -> bool:
        return any(_same(cell, choice.strip()) for choice in self.value.split("|"))

    def _ordered(self, cell: Any) -> bool:
        compare = _ORDER[self.sign]
        if (bound := _number(self.value)) is not None and len(self.columns) == 1:
            number = _number(cell)
            return number is not None and compare(number, bound)
        span, moment = _span(self.value), _moment(cell)
        if span is None or moment is None:
            return False
        first, after = span
        return (
            moment >= first
            if self.sign == ">="
            else moment < after
            if self.sign == "<="
            else (moment >= after if self.sign == ">" else moment < first)
        )


def read_condition(text: str, where: str) -> Condition:
    """Return the condition that a text such as "rating<1600" states.

    where: the source, for messages. Raises UserError for a text in another form, and if neither a number nor a date
    follows >=, <=, > or <.

    >>> read_condition("difficulty = easy|medium", "").holds({"difficulty": "EASY"})
    True
    """
    match = _CONDITION.match(text)
    if match is None or not match.group(1):
        raise UserError(f"{where}: {text!r} is no condition. Conditions have the form {FORM}")
    column, sign, value = match.groups()
    sign = "=" if sign == "==" else sign
    if sign in _ORDER and _number(value) is None and _span(value) is None:
        raise UserError(f"{where}: {text!r} needs a number or a date such as 2024-08-01 after {sign}")
    return Condition((column,), sign, value, text.strip())


def date_bound(name: str, value: str, where: str) -> Condition:
    """Return the condition of the option `from` or `to` of a source. The date itself is allowed.

    Raises UserError for a value that is no date.
    """
    if _span(value) is None:
        raise UserError(f"{where}: {name} must be a date such as 2024-08-01, not {value!r}")
    return Condition(DATE_COLUMNS, ">=" if name == "from" else "<=", value, f"{name}={value}")


class Selection:
    """Selects the rows of a source that meet all of its conditions, and counts the others.

    Attributes: `left` is the number of rows so far that do not meet all conditions.
    """

    CHECKED = 1000
    """If none of this many rows at the beginning has a column, the name of the column is taken for a mistake."""

    def __init__(self, conditions: Iterable[Condition], source: str) -> None:
        self.conditions, self.source = tuple(conditions), source
        self.left = 0

    def kept(self, rows: Iterable[tuple[str, dict[str, Any]]]) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the (place, row) pairs that meet all conditions.

        Raises UserError if no row has the column of one of the conditions. It is raised after the last row, or after
        CHECKED rows. Without rows nothing is raised.
        """
        unseen, columns, number = list(self.conditions), dict[str, None](), 0
        for number, (place, row) in enumerate(rows, start=1):
            if unseen:
                columns |= dict.fromkeys(row)
                unseen = [condition for condition in unseen if condition.cells(row) is None]
                if unseen and number == self.CHECKED:
                    break
            if all(condition.holds(row) for condition in self.conditions):
                yield place, row
            else:
                self.left += 1
        if unseen and number:
            names = " or ".join(unseen[0].columns)
            raise UserError(
                f"{self.source}: the condition {unseen[0].text!r} needs the column {names}, and no row has it "
                f"(rows read: {number:,}). The columns are {', '.join(columns)}"
            )


def _at(row: Mapping[str, Any], name: str) -> tuple[Any] | None:
    """Return the value of a column or path in a tuple of one item, or None if the row lacks the column or path."""
    if name in row:
        return (row[name],)
    value: Any = row
    for part in name.split("."):
        if isinstance(value, str) and value.lstrip()[:1] == "{":
            try:
                value = json.loads(value)
            except (ValueError, RecursionError):
                return None
        if not isinstance(value, Mapping) or part not in value:
            return None
        value = value[part]
    return (value,)


def _text(cell: Any) -> str:
    if isinstance(cell, str):
        return cell
    return "" if cell is None else json.dumps(cell, ensure_ascii=False, default=str)


def _same(cell: Any, choice: str) -> bool:
    if isinstance(cell, bool):
        return choice.casefold() == str(cell).casefold()
    number, wanted = _number(cell), _number(choice)
    if number is not None and wanted is not None:
        return number == wanted
    if re.match(r"\d{4}-\d", choice) and (span := _span(choice)) and (moment := _moment(cell)):
        return span[0] <= moment < span[1]
    if cell is None:
        return choice.casefold() in ("", "null", "none")
    return _text(cell).strip().casefold() == choice.casefold()


def _number(value: Any) -> float | None:
    """Return the finite number that a value is, or that a text such as "0.9" or "85%" stands for, or None."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        text = value.strip()
        percent = text.endswith("%")
        try:
            number = float(text.removesuffix("%")) / (100 if percent else 1)
        except ValueError:
            return None
    elif isinstance(value, int | float):
        try:
            number = float(value)
        except OverflowError:
            return None
    else:
        return None
    return number if math.isfinite(number) else None


def _span(value: str) -> tuple[datetime, datetime] | None:
    """Return the first moment of a year, month, day or time, and the first moment after it. None for other texts."""
    match = _DATE.match(value)
    try:
        if match is None:
            moment = _moment(value)
            return None if moment is None else (moment, moment + timedelta(microseconds=1))
        year, month, day = (int(part) if part else None for part in match.groups())
        assert year is not None
        first = datetime(year, month or 1, day or 1)
        if day is not None:
            return first, first + timedelta(days=1)
        return first, datetime(year + (month or 12) // 12, (month or 12) % 12 + 1, 1)
    except (ValueError, OverflowError):
        return None


def _moment(cell: Any) -> datetime | None:
    """Return the time that a cell holds, in UTC and without a zone, or None.

    The cell may be an ISO text, a number of seconds or milliseconds since 1970, a date or a datetime.
    """
    try:
        if isinstance(cell, str):
            cell = datetime.fromisoformat(cell.strip())
        elif isinstance(cell, int | float) and not isinstance(cell, bool):
            cell = datetime.fromtimestamp(cell / (1000 if cell >= _MILLISECONDS else 1), UTC)
        if isinstance(cell, datetime):
            return cell.astimezone(UTC).replace(tzinfo=None) if cell.tzinfo else cell
        return datetime(cell.year, cell.month, cell.day) if isinstance(cell, date) else None
    except (ValueError, OverflowError, OSError):
        return None
