"""The kinds of tests: what codepref must know of a kind outside the sandbox. One line a kind in `KINDS`.

To add a kind: add a line to KINDS below, write a file in `codepref/execution/sandbox/kinds/` that runs such tests, and
add a line to the table there. No other code decides by the name of a kind. The two tables are separate because the
sandbox imports nothing of codepref; a test checks that they name the same kinds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from codepref.errors import UserError
from codepref.problems.fields import why_unreadable
from codepref.problems.inputs import parse_inputs
from codepref.problems.source import parse
from codepref.problems.stdio import check_stdio, stdio_entry
from codepref.records import Test


def unchanged(source: str, where: str) -> Any:
    """The source itself: a kind whose source the sandbox takes as it is."""
    return source


def inputs_fields(source: str, where: str) -> Any:
    """The six fields of a test of the kind "inputs". Raises UserError for a malformed source."""
    try:
        parsed = parse_inputs(source)
    except UserError as error:
        raise UserError(*(f"{where}: {line}" for line in error.problems)) from None
    fields = (parsed.entry_point, parsed.inputs, parsed.reference, float(parsed.atol))
    return (*fields, parsed.compare, parsed.oracle)


def checked_stdio(source: str, where: str) -> Any:
    """The source itself. Raises UserError unless it is a document of the kind "stdio"."""
    check_stdio(source, where)
    return source


def python_entry(entry: Mapping[str, Any], where: str) -> str:
    """The source of an entry of `tests` that holds Python. Raises UserError if it is missing or is not Python."""
    source = entry.get("source")
    if not isinstance(source, str):
        raise UserError(f"{where} of kind {entry.get('kind')!r} needs the text source")
    if parse(source) is None:
        raise UserError(f"{where} is not Python ({why_unreadable(source)}): {source[:80]!r}")
    return source


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of test.

    python: the source is Python text. calls_entry_point: it is statements that call the entry point by name, so the
    name and the arguments can be read from it. whole_program: the solution is a program, and no function is called.
    has_reference: the test holds a reference solution, which yields the expected outputs and the time limit.
    for_sandbox(source, where): the source as the sandbox takes it; raises UserError for a malformed one.
    from_entry(entry, where): the source of an entry in codepref's own format; raises UserError. None where that format
        has no such entries.
    """

    python: bool = False
    calls_entry_point: bool = False
    whole_program: bool = False
    has_reference: bool = False
    for_sandbox: Callable[[str, str], Any] = unchanged
    from_entry: Callable[[Mapping[str, Any], str], str] | None = None


KINDS: Mapping[str, Kind] = {
    "stdio": Kind(whole_program=True, for_sandbox=checked_stdio, from_entry=stdio_entry),
    "asserts": Kind(python=True, calls_entry_point=True, from_entry=python_entry),
    "check": Kind(python=True, from_entry=python_entry),
    "unittest": Kind(python=True, from_entry=python_entry),
    "inputs": Kind(has_reference=True, for_sandbox=inputs_fields),
}


def kind_of(test: Test) -> Kind:
    """The kind of a test. Raises UserError for a kind that does not exist."""
    kind = KINDS.get(test.kind)
    if kind is None:
        known = ", ".join(KINDS)
        raise UserError(f"{test.task_id}, test {test.test_id}: unknown kind {test.kind!r}; known: {known}")
    return kind


def check_together(tests: Iterable[Test], where: str) -> None:
    """Raise UserError where tests for whole programs stand beside tests that call functions."""
    if len({kind_of(test).whole_program for test in tests}) > 1:
        names = ", ".join(name for name, kind in KINDS.items() if kind.whole_program)
        raise UserError(f"{where}: tests of kind {names} cannot be mixed with other kinds")
