"""The entries of `tests` in codepref's own format. An entry is a text, or an object that names its kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from codepref.errors import UserError
from codepref.problems.fields import Row, defines_check, depends_on_solution, why_unreadable
from codepref.problems.source import parse
from codepref.problems.stdio import check_stdio, stdio_source
from codepref.records import Test, TestKind

_PYTHON_KINDS = ("asserts", "check", "unittest")


def read_tests(row: Row, task_id: str, where: str) -> tuple[Test, ...]:
    """All tests of a row.

    Raises UserError for a malformed entry, a test that is not Python, and stdio tests together with other kinds.
    """
    entries = row.get("tests")
    if entries is None or entries == "":
        return ()
    if isinstance(entries, str) or not hasattr(entries, "__iter__"):
        raise UserError(f"{where}: tests must be a list of texts or of objects with a kind")
    tests = tuple(_test(entry, task_id, place, where) for place, entry in enumerate(entries))
    if len({test.kind == "stdio" for test in tests}) > 1:
        raise UserError(f"{where}: tests of kind stdio cannot be mixed with other kinds")
    return tests


def check_dependence(tests: Sequence[Test], entry_point: str, helpers: str, where: str) -> None:
    """Raise UserError for a test that names nothing that a solution defines: every solution has the same result."""
    for place, test in enumerate(tests):
        if test.kind != "stdio" and not depends_on_solution(test.source, entry_point, helpers):
            raise UserError(
                f"{where}: test {place} does not depend on the solution: it names neither {entry_point} nor anything "
                f"else that a solution defines. Remove or correct it: {test.source[:80]!r}"
            )


def _test(entry: Any, task_id: str, place: int, where: str) -> Test:
    if isinstance(entry, str):
        return _python(entry, "check" if defines_check(entry) else "asserts", task_id, place, where)
    if not isinstance(entry, Mapping):
        raise UserError(f"{where}: tests must be a list of texts or of objects with a kind")
    kind = entry.get("kind")
    if kind == "stdio":
        stdin, expected = entry.get("input"), entry.get("output")
        if not isinstance(stdin, str) or not isinstance(expected, str):
            raise UserError(f'{where}: test {place} of kind "stdio" needs the texts input and output')
        source = stdio_source(stdin, expected)
        check_stdio(source, f"{where}: test {place}")
        return Test(task_id, str(place), source, "stdio")
    if kind not in _PYTHON_KINDS:
        raise UserError(f"{where}: test {place}: kind must be stdio, {', '.join(_PYTHON_KINDS)}, not {kind!r}")
    if not isinstance(entry.get("source"), str):
        raise UserError(f"{where}: test {place} of kind {kind!r} needs the text source")
    return _python(entry["source"], str(kind), task_id, place, where)


def _python(source: str, kind: str, task_id: str, place: int, where: str) -> Test:
    if parse(source) is None:
        raise UserError(f"{where}: test {place} is not Python ({why_unreadable(source)}): {source[:80]!r}")
    return Test(task_id, str(place), source, cast(TestKind, kind))
