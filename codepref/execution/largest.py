"""Chooses the tests of a problem with the largest inputs, on which the speed of programs differs most. Pure."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from codepref.errors import UserError
from codepref.problems.inputs import parse_inputs
from codepref.problems.kinds import kind_of
from codepref.records import Problem, Test
from codepref.sampling.probes import literal_call

MAX_NUMBER = 100_000
"""The largest size of an argument that is a whole number."""


def largest_tests(problem: Problem, tests: Sequence[Test], count: int) -> list[Test]:
    """Return at most `count` tests, those with the largest inputs. The test with the largest inputs comes first.

    The size of the arguments of a call is the number of the elements and characters in them. The size of an argument
    that is a whole number is its absolute value, up to MAX_NUMBER, since it often is a length or a bound. Of a test of
    kind "asserts", only the call that `literal_call` finds is measured. The size of a program's standard input is its
    number of characters. A test of kind "inputs" holds many inputs. It is replaced by a test of its `count` largest
    inputs, and the sizes of these are added. If the inputs of a test cannot be read, its size is the number of
    characters in its source. Probes are left out.
    """
    proper = [test for test in tests if test.count]
    shortened = [_shortened(test, count) for test in proper]
    sizes = [_size(test, problem.entry_point) for test in shortened]
    order = sorted(range(len(proper)), key=lambda at: -sizes[at])
    return [shortened[at] for at in order[:count]]


def arguments_size(arguments: Sequence[Any]) -> int:
    """Return the size of the arguments of one call; see `largest_tests`.

    >>> arguments_size([[1, 2, 3], "ab", 7])
    12
    """
    return sum(min(abs(one), MAX_NUMBER) if type(one) is int else _elements(one) for one in arguments)


def _elements(value: Any) -> int:
    if isinstance(value, str | bytes):
        return len(value)
    if isinstance(value, Mapping):
        return sum(_elements(key) + _elements(item) for key, item in value.items())
    if isinstance(value, list | tuple | set | frozenset):
        return sum(map(_elements, value))
    return 1


def _size(test: Test, entry_point: str) -> int:
    try:
        measured = _SIZES.get(test.kind, _text_size)(test.source, entry_point)
    except (UserError, ValueError, TypeError, KeyError, SyntaxError, RecursionError, MemoryError):
        measured = None
    return len(test.source) if measured is None else measured


def _text_size(source: str, entry_point: str) -> int | None:
    return None


def _assert_size(source: str, entry_point: str) -> int | None:
    arguments = literal_call(source, entry_point)
    return None if arguments is None else arguments_size(arguments)


def _call_size(source: str, entry_point: str) -> int | None:
    arguments = json.loads(source)["arguments"]
    return arguments_size(ast.literal_eval(arguments) if isinstance(arguments, str) else arguments)


def _stdin_size(source: str, entry_point: str) -> int | None:
    return len(json.loads(source)["input"])


def _inputs_size(source: str, entry_point: str) -> int | None:
    return sum(map(_node_size, _input_nodes(parse_inputs(source).inputs)))


_SIZES: Mapping[str, Callable[[str, str], int | None]] = {
    "asserts": _assert_size,
    "calls": _call_size,
    "stdio": _stdin_size,
    "checker": _stdin_size,
    "inputs": _inputs_size,
}


def _shortened(test: Test, count: int) -> Test:
    """Return a test of kind "inputs" with its `count` largest inputs.

    A test of another kind, and a test whose inputs cannot be read, is returned unchanged.
    """
    if not kind_of(test).has_reference:
        return test
    try:
        parsed = parse_inputs(test.source)
        nodes = sorted(_input_nodes(parsed.inputs), key=_node_size, reverse=True)[:count]
        inputs = "[" + ", ".join(map(ast.unparse, nodes)) + "]"
    except (UserError, ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return test
    return replace(test, source=replace(parsed, inputs=inputs).to_source()) if nodes else test


def _input_nodes(text: str) -> list[ast.expr]:
    """Return the nodes of the argument lists, or an empty list if the text is not a list display.

    The text is only parsed, since evaluating it would run code.
    """
    body = ast.parse(text, mode="eval").body
    return body.elts if isinstance(body, ast.List) else []


def _node_size(node: ast.expr) -> int:
    try:
        return arguments_size(ast.literal_eval(node))
    except (ValueError, TypeError):
        return sum(
            isinstance(one, ast.Constant) for one in ast.walk(node)
        )  # it holds a value such as float('inf'), which is no literal
