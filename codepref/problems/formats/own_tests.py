"""Reads the entries of `tests` in codepref's own format. An entry is a text, or an object that names its kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from codepref.errors import UserError
from codepref.problems.fields import Row
from codepref.problems.kinds import KINDS, check_together
from codepref.problems.test_text import read_test_text
from codepref.records import Test


def read_tests(row: Row, task_id: str, where: str) -> tuple[Test, ...]:
    """Return all tests of a row.

    A missing field, null and "" give (). Raises UserError if the field is another text, one object or no list, for a
    malformed entry, for a source that must be Python and is not, and for tests of whole programs beside other kinds.
    """
    entries = row.get("tests")
    if entries is None or entries == "":
        return ()
    if isinstance(entries, str | Mapping) or not hasattr(entries, "__iter__"):
        raise UserError(f"{where}: tests must be a list of texts or of objects with a kind")
    tests = tuple(_test(entry, task_id, place, where) for place, entry in enumerate(entries))
    check_together(tests, where)
    return tests


def _test(entry: Any, task_id: str, place: int, where: str) -> Test:
    if isinstance(entry, str):
        entry = {"kind": "asserts", "source": entry}
    if not isinstance(entry, Mapping):
        raise UserError(f"{where}: tests must be a list of texts or of objects with a kind")
    kind = entry.get("kind")
    facts = KINDS.get(kind) if isinstance(kind, str) else None
    read = facts.from_entry if facts is not None else None
    if read is None:
        names = ", ".join(name for name, known in KINDS.items() if known.from_entry is not None)
        raise UserError(f"{where}: test {place}: kind must be one of {names}, not {kind!r}")
    if facts is not None and facts.calls_entry_point and isinstance(entry.get("source"), str):
        kind, source = read_test_text(entry["source"])  # the text shows what it is
        entry, read = {**entry, "kind": kind, "source": source}, KINDS[kind].from_entry
        assert read is not None
    return Test(task_id, str(place), read(entry, f"{where}: test {place}"), str(kind))
