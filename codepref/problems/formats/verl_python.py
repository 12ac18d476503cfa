"""Rows of verl whose ground truth is Python: asserts, a check of a function or method, or a file of pytest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from codepref.errors import UserError
from codepref.problems.calls import CLASS
from codepref.problems.columns import first_text, is_list, listed, programs, struct_of
from codepref.problems.fields import Row
from codepref.problems.formats.prelude import PRELUDE
from codepref.problems.formats.python_tests import entry_point_of, starter_method, text_tests
from codepref.problems.source import definitions, parse, read_statements
from codepref.records import Problem, Test

ASSERTS, CHECK, PYTEST = "assert_case", "functional", "pytest"


def holds_python(truth: Any) -> bool:
    """Return whether a decoded ground truth holds tests in Python."""
    return isinstance(truth, Mapping) and any(truth.get(key) for key in (ASSERTS, CHECK, PYTEST))


def python_problem(
    row: Row,
    truth: Mapping[str, Any],
    *,
    task_id: str,
    statement: str,
    meta: Mapping[str, Any],
    where: str,
) -> Problem:
    """Return the problem of a row whose ground truth holds tests in Python.

    truth: holds a list of asserts under `assert_case`, the text of a check under `functional`, or the text of a file
    under `pytest`. It may also hold blank inputs and outputs. In `extra_info`, code-r1 keeps a prefix, which is code
    that comes before each solution, and a reference solution. The reference becomes the gold solution if Python can
    read it and it defines the entry point. Raises UserError if several of the three keys hold tests, for inputs or
    outputs that are not blank, for a blank statement, for malformed tests, and for tests that call no function of a
    solution.
    """
    (name, *others) = [key for key in (ASSERTS, CHECK, PYTEST) if truth.get(key)]
    if others or any(_holds_something(truth.get(key)) for key in ("inputs", "outputs")):
        raise UserError(f"{where}: ground_truth holds other tests beside {name}")
    texts = listed(truth[name], name, where) if name == ASSERTS else [truth[name]]
    tests = text_tests(texts, task_id, name, where)
    if not statement.strip():
        raise UserError(f"{where}: the row holds no statement")
    info = struct_of(row.get("extra_info"), "extra_info", where)
    before = first_text(info, "prefix")
    before = f"{before.rstrip()}\n" if before and parse(before) is not None else ""
    if [test.kind for test in tests] == ["check"]:
        tests = _called(tests[0], statement)
    gold = next((text for text in programs(info.get("reference")) if parse(text) is not None), None)
    entry_point = entry_point_of(tests, gold, where, statement=statement, helpers=before)
    if gold is not None and entry_point not in definitions(read_statements(gold).statements):
        gold = None
    return Problem(
        task_id=task_id,
        prompt=statement,
        entry_point=entry_point,
        tests=tests,
        gold=gold,
        style="instruct",
        helpers=before,
        preamble=PRELUDE + before,
        meta=meta,
    )


def _called(test: Test, statement: str) -> tuple[Test, ...]:
    """Return the test, with a call of `check` if the statement holds the head of one method of `Solution`."""
    method = starter_method(statement)
    if not method:
        return (test,)
    call = f"check({CLASS}().{method})"
    return (Test(test.task_id, test.test_id, f"{test.source.rstrip()}\n\n\n{call}\n", "asserts"),)


def _holds_something(value: Any) -> bool:
    """Return whether inputs or outputs hold text that is not blank, or other values."""
    items = value if is_list(value) else [value]
    return any(item is not None and not (isinstance(item, str) and not item.strip()) for item in items)
