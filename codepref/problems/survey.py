"""Describes a stream of problems: kinds of tests, lengths, facts by which problems can be chosen, uses of the columns.

Only some numbers are kept for each problem, so that a stream of millions of problems fits into memory.
"""

from __future__ import annotations

import json
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from codepref.problems.load import WatchedRow
from codepref.records import Problem

MAX_VALUES = 12
"""The largest number of different values of a key of `meta` that are counted.

If there are more values, the figures hold the lowest and the highest value. If not all values are numbers, the figures
hold this limit instead.
"""

MAX_VALUE_CHARACTERS = 40
_SEARCHED = 4000
"""The largest number of characters that `_texts` yields of one text."""

_NOT_FACTS = {"format", "other_entry_point"}
_TESTS = ("test", "input", "output", "case", "ground_truth", "example", "reward_model", "assert", "checker")


class Survey:
    """Collects figures about problems, one by one. `figures` returns them."""

    def __init__(self) -> None:
        self.problems = 0
        self._tests: Counter[str] = Counter()
        self._problems_with: Counter[str] = Counter()
        self._styles: Counter[str] = Counter()
        self._lengths = {name: array("q") for name in ("statement", "gold solution", "tests", "tests of a problem")}
        self._facts: dict[str, _Fact] = {}
        self._columns: dict[str, Counter[str]] = {}
        self._rows = 0

    def add(self, problem: Problem) -> None:
        """Count a problem."""
        self.problems += 1
        self._styles[problem.style] += 1
        kinds = Counter(test.kind for test in problem.tests)
        self._tests.update(kinds)
        self._problems_with.update(kinds.keys() or {"none"})
        self._lengths["statement"].append(len(problem.prompt))
        if problem.gold:
            self._lengths["gold solution"].append(len(problem.gold))
        self._lengths["tests"].append(sum(len(test.source) for test in problem.tests))
        self._lengths["tests of a problem"].append(len(problem.tests))
        for name, value in problem.meta.items():
            if name not in _NOT_FACTS and (value is None or isinstance(value, str | int | float | bool)):
                self._facts.setdefault(name, _Fact()).add(value)

    def watch(self, row: Mapping[str, Any], problem: Problem) -> None:
        """Record what the columns of a row were used for. Rows that are no WatchedRow are skipped."""
        if not isinstance(row, WatchedRow):
            return
        self._rows += 1
        used = set(row.used)
        for column, value in dict(row).items():
            uses = self._columns.setdefault(column, Counter())
            uses.update(_uses(column, value, problem) if column in used or column in problem.meta else ())
            uses.update(["used"] if column in used else [])

    @property
    def with_gold(self) -> int:
        """The number of problems with a gold solution."""
        return len(self._lengths["gold solution"])

    def figures(self) -> dict[str, Any]:
        """Return the figures as plain JSON values."""
        return {
            "problems": self.problems,
            "styles": dict(self._styles.most_common()),
            "kinds": {
                kind: {"tests": self._tests[kind], "problems": problems}
                for kind, problems in self._problems_with.most_common()
            },
            "tests": self._tests.total(),
            "with_gold": self.with_gold,
            "lengths": {name: _quantiles(values) for name, values in self._lengths.items() if values},
            "facts": {name: fact.figures() for name, fact in self._facts.items()},
            "columns": [{"column": name, "use": _named_use(uses)} for name, uses in self._columns.items()],
        }


class _Fact:
    """The values of one key of `meta`."""

    def __init__(self) -> None:
        self.counts: Counter[str] | None = Counter()
        self.problems = 0
        self.low = self.high = 0.0
        self.numbers = 0

    def add(self, value: Any) -> None:
        self.problems += 1
        if isinstance(value, int | float) and not isinstance(value, bool):
            self.low = value if not self.numbers else min(self.low, value)
            self.high = value if not self.numbers else max(self.high, value)
            self.numbers += 1
        if self.counts is not None:
            self.counts[str(value)[:MAX_VALUE_CHARACTERS]] += 1
            if len(self.counts) > MAX_VALUES:
                self.counts = None

    def figures(self) -> dict[str, Any]:
        if self.counts is not None:
            return {"problems": self.problems, "values": dict(self.counts.most_common())}
        if self.numbers == self.problems:
            return {"problems": self.problems, "low": self.low, "high": self.high}
        return {"problems": self.problems, "more_than": MAX_VALUES}


def _quantiles(values: array[int]) -> dict[str, int]:
    counts = np.frombuffer(values, dtype=np.int64)
    low, median, high, most = np.percentile(counts, (0, 50, 95, 100), method="lower")
    return {"least": int(low), "median": int(median), "p95": int(high), "most": int(most)}


def _named_use(uses: Counter[str]) -> str:
    """Return what a column became, such as "statement", or "used" or "not used" if no part of the problem shows it."""
    named = [use for use, _ in uses.most_common() if use != "used"]
    return ", ".join(named[:2]) or ("used" if uses["used"] else "not used")


def _uses(column: str, value: Any, problem: Problem) -> Iterator[str]:
    """Yield the part of a problem that the value of a column became, as far as the value shows it."""
    if column in problem.meta and not isinstance(value, list | tuple | Mapping):
        yield "fact"
    elif isinstance(value, str | int) and "test" not in column and problem.task_id.endswith(str(value) or " "):
        yield "id"
    elif isinstance(value, str) and _is_in(value, problem.prompt):
        yield "statement"
    elif isinstance(value, str) and problem.gold and _is_in(problem.gold, value):
        yield "gold solution"
    elif any(word in column.lower() for word in _TESTS):
        yield "tests"
    else:
        texts = list(_texts(value))
        if problem.gold and any(_is_in(text, problem.gold) or _is_in(problem.gold, text) for text in texts):
            yield "gold solution"
        elif any(_is_in(text, test.source) for text in texts for test in problem.tests[:20]):
            yield "tests"
        elif any(_is_in(text, problem.prompt) for text in texts):
            yield "statement"


def _texts(value: Any, depth: int = 0) -> Iterator[str]:
    """Yield the texts in a value and in its JSON texts. Long texts and lists are cut."""
    if isinstance(value, str):
        yield value[:_SEARCHED]
        if depth < 3 and value.lstrip()[:1] in ("[", "{") and len(value) < 100 * _SEARCHED:
            try:
                yield from _texts(json.loads(value), depth + 1)
            except (ValueError, RecursionError):
                return
    elif isinstance(value, Mapping):
        for item in list(value.values())[:20]:
            yield from _texts(item, depth + 1)
    elif isinstance(value, list | tuple):
        for item in list(value)[:20]:
            yield from _texts(item, depth + 1)


def _is_in(text: str, whole: str) -> bool:
    words = " ".join(text.split())[:200]
    return len(words) > 2 and words in " ".join(whole[: 4 * _SEARCHED].split())
