"""The kinds of tests, and the facts about each kind that codepref uses outside the sandbox.

To add a kind, add a line to KINDS below, write a file in `codepref/execution/sandbox/kinds/` that runs such tests, and
add a line to the table there. Readers of formats name the kinds of the tests that they make. The two tables are
separate because the sandbox imports nothing from the rest of codepref. A test checks that both name the same kinds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from codepref.errors import UserError
from codepref.problems.calls import call_entry, check_call, names_called
from codepref.problems.checkers import check_checker_source, checker_entry
from codepref.problems.entries import source_of
from codepref.problems.fields import why_unreadable
from codepref.problems.inputs import parse_inputs
from codepref.problems.proven import check_proves, output_proves, statements_call, statements_prove
from codepref.problems.source import parse
from codepref.problems.stdio import check_stdio, stdio_entry
from codepref.records import Test


def unchanged(source: str, where: str) -> Any:
    """Return the source unchanged, for kinds whose source the sandbox reads itself."""
    return source


def inputs_fields(source: str, where: str) -> Any:
    """Return the six fields of a test of kind "inputs". Raises UserError for a malformed source."""
    try:
        parsed = parse_inputs(source)
    except UserError as error:
        raise UserError(*(f"{where}: {line}" for line in error.problems)) from None
    fields = (parsed.entry_point, parsed.inputs, parsed.reference, float(parsed.atol))
    return (*fields, parsed.compare, parsed.oracle)


def inputs_entry(entry: Mapping[str, Any], where: str) -> str:
    """Return the source of an entry of `tests` with inputs and a reference. Raises UserError for a malformed entry."""
    source = source_of({key: value for key, value in entry.items() if key != "kind"}, where)
    inputs_fields(source, where)
    return source


def unknown(source: str, entry_point: str, helpers: str) -> bool:
    """Return False, for kinds whose texts are not searched for a proof that a program which does nothing fails."""
    return False


def checked_stdio(source: str, where: str) -> Any:
    """Return the source unchanged. Raises UserError if it is no source of a test of kind "stdio"."""
    check_stdio(source, where)
    return source


def examples_entry(entry: Mapping[str, Any], where: str) -> str:
    """Return the source of an entry of `tests` that holds examples. Raises UserError if it holds none."""
    source = entry.get("source")
    if not isinstance(source, str) or ">>>" not in source:
        raise UserError(f'{where} of kind "doctest" needs a text with examples (>>>) under the key source')
    return source


def python_entry(entry: Mapping[str, Any], where: str) -> str:
    """Return the source of an entry of `tests` that holds Python. Raises UserError if `parse` cannot read it."""
    source = entry.get("source")
    if not isinstance(source, str):
        raise UserError(f"{where} of kind {entry.get('kind')!r} needs a text under the key source")
    if parse(source) is None:
        raise UserError(f"{where} cannot be read as Python ({why_unreadable(source)}): {source[:80]!r}")
    return source


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of test.

    Attributes:

    - `python`: whether the source is Python text.
    - `calls_entry_point`: whether the source is statements that call the entry point by name, so that the name and the
      arguments can be read from it.
    - `names_entry_point`: whether the source is Python that uses the entry point under its own name.
    - `whole_program`: whether the test runs the solution as a whole program and calls none of its functions.
    - `fields`: whether the source is a JSON object. An entry of `tests` then has `kind` and the keys of this object.
      The entries of other kinds have the source under the key `source`.
    - `has_reference`: whether the test holds a reference solution. The reference solution gives the expected outputs,
      and the time limit of the test depends on the time that it takes.
    - `for_sandbox(source, where)` returns the source as the sandbox needs it. For a malformed source it raises
      UserError, unless the sandbox reads the source itself.
    - `proves(source, entry_point, helpers)` returns True only if a program that does nothing certainly fails the test.
    - `calls(source, entry_point, helpers)` returns True only if a program certainly fails the test when all its
      functions raise an exception.
    - `names(source)` returns the names that the test takes from the solution, such as "f" or "Solution.f". It is None
      for kinds whose names cannot be read in this way.
    - `from_entry(entry, where)` returns the source of an entry of `tests` in codepref's own format, and raises
      UserError if the entry is malformed. It is None if entries cannot have this kind.
    """

    python: bool = False
    calls_entry_point: bool = False
    names_entry_point: bool = False
    whole_program: bool = False
    fields: bool = False
    has_reference: bool = False
    for_sandbox: Callable[[str, str], Any] = unchanged
    proves: Callable[[str, str, str], bool] = unknown
    calls: Callable[[str, str, str], bool] = unknown
    names: Callable[[str], set[str]] | None = None
    from_entry: Callable[[Mapping[str, Any], str], str] | None = None


KINDS: Mapping[str, Kind] = {
    "stdio": Kind(
        whole_program=True, fields=True, for_sandbox=checked_stdio, proves=output_proves, from_entry=stdio_entry
    ),
    "asserts": Kind(
        python=True,
        calls_entry_point=True,
        names_entry_point=True,
        proves=statements_prove,
        calls=statements_call,
        from_entry=python_entry,
    ),
    "check": Kind(python=True, proves=check_proves, from_entry=python_entry),
    "unittest": Kind(python=True, names_entry_point=True, from_entry=python_entry),
    "pytest": Kind(python=True, names_entry_point=True, from_entry=python_entry),
    "doctest": Kind(from_entry=examples_entry),
    "calls": Kind(fields=True, for_sandbox=check_call, from_entry=call_entry, names=names_called),
    "inputs": Kind(fields=True, has_reference=True, for_sandbox=inputs_fields, from_entry=inputs_entry),
    "checker": Kind(whole_program=True, fields=True, for_sandbox=check_checker_source, from_entry=checker_entry),
    "run": Kind(whole_program=True),
}


def kind_of(test: Test) -> Kind:
    """Return the kind of a test. Raises UserError for a kind that does not exist."""
    kind = KINDS.get(test.kind)
    if kind is None:
        known = ", ".join(KINDS)
        raise UserError(f"{test.task_id}, test {test.test_id}: unknown kind {test.kind!r}; known: {known}")
    return kind


def check_together(tests: Iterable[Test], where: str) -> None:
    """Raise UserError if `tests` mixes tests for whole programs with other kinds, or holds an unknown kind."""
    if len({kind_of(test).whole_program for test in tests}) > 1:
        names = ", ".join(name for name, kind in KINDS.items() if kind.whole_program)
        raise UserError(f"{where}: tests of kind {names} cannot be mixed with other kinds")
