"""Counts the columns that hold something and are not read, and warns of them."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from codepref.conversations.prompts import filled
from codepref.problems.left_out import LeftOutWarning

_MAX_NAMES = 12


class Columns:
    """Counters for a source: its rows and, for each column, the rows in which it holds something that was not read."""

    def __init__(self) -> None:
        self._unused: Counter[str] = Counter()
        self.rows = 0

    def row(self, row: Mapping[str, Any], used: Iterable[str]) -> None:
        """Count one row. used: the columns that were read."""
        self.rows += 1
        read = set(used)
        self._unused.update(str(name) for name, value in row.items() if name not in read and filled(value))

    def warn(self, source: str, left_out: Mapping[str, int] | None = None) -> None:
        """Warn of columns that hold something and were not read, and of what was left out. Without either, do nothing.

        left_out: the numbers of what was left out, by reason.
        """
        lines = [f"{count:,} left out: {reason}" for reason, count in (left_out or {}).items()]
        if self._unused:
            names = [
                name if count == self.rows else f"{name} ({count:,} rows)"
                for name, count in self._unused.most_common(_MAX_NAMES)
            ]
            more = len(self._unused) - len(names)
            listing = ", ".join(names) + (f" and {more} more" if more else "")
            lines.append(f"columns that are not used: {listing}")
        if lines:
            warnings.warn(f"{source}: {'; '.join(lines)}", LeftOutWarning, stacklevel=3)
