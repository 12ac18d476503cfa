"""Reads tests that are inputs and outputs: of a whole program, or of a function or method. Many data sets have them.

They come as a struct of lists, as a list of structs, or as a list of pairs. `read_cases` gives them one form.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from codepref.errors import UserError
from codepref.problems.calls import call_source
from codepref.problems.columns import decoded, is_list, struct_of, structs, text_of_lines
from codepref.problems.formats.comparisons import stated_comparison, stated_tolerance
from codepref.problems.nodes import node_forms
from codepref.problems.stdio import check_stdio, stdio_source
from codepref.records import Test

_INPUTS, _OUTPUTS = ("inputs", "input", "stdin"), ("outputs", "output", "stdout", "expected_output")
_NAMES = ("fn_name", "func_name", "function_name", "entry_point")
_PROGRAM = {"stdin", "stdin_stdout", "stdio", "standard_input", "input_output"}
_FUNCTION = {"functional", "function_call", "function", "call", "call_based"}
_OF_EACH = (*_NAMES, "type", "testtype", "metadata")
"""Keys of a struct of lists that may hold a list with one value for each test."""

_DEF = re.compile(r"^[ \t]*def[ \t]+(\w+)", re.MULTILINE)
_WHOLE = re.compile(r"-?(?:0|[1-9][0-9]{0,17})\Z")


@dataclass(frozen=True, slots=True)
class Case:
    """One test. function: the name of the function that gets the input as its arguments, or "" for a program."""

    input: Any
    output: Any
    function: str = ""


def read_cases(value: Any, name: str, where: str, *, function: str = "", starter: str = "") -> list[Case]:
    """Return the tests in a column. None, blank text and an empty list give [].

    value: a struct of lists ({"inputs": [...], "outputs": [...], "fn_name"?}), a list of structs ({"input", "output",
    "type" or "testtype"?, "fn_name" or "metadata"?}), a list of pairs, or the text of one of them. function: the name
    of the function for tests that name none and do not have the type of a program. starter: starter code. If a test has
    the type of a function, and neither the test nor `function` names one, it calls the first function of this code.
    Raises UserError for any other form.
    """
    value = decoded(value, name, where)
    if isinstance(value, Mapping) and any(is_list(value.get(key)) for key in _OF_EACH):
        value = structs(value, name, where)
    if isinstance(value, Mapping):
        own = _named(value, where) or function
        inputs, outputs = _column(value, _INPUTS), _column(value, _OUTPUTS)
        if inputs is None or outputs is None:
            raise UserError(
                f"{where}: {name} must hold inputs and outputs, not {', '.join(map(str, value)) or 'nothing'}"
            )
        inputs, outputs = decoded(inputs, name, where), decoded(outputs, name, where)
        rows = structs({"input": inputs, "output": outputs}, name, where) if is_list(inputs) else None
        if rows is None or not is_list(outputs):
            raise UserError(f"{where}: inputs and outputs of {name} must be lists")
        return [Case(row["input"], row["output"], own) for row in rows]
    if is_list(value) and value and all(is_list(item) and len(item) == 2 for item in value):
        return [Case(item[0], item[1], function) for item in value]
    found = _DEF.search(starter)
    first = found.group(1) if found else ""
    return [_case(row, f"{where}: test {at}", function, first) for at, row in enumerate(structs(value, name, where))]


def _case(row: Mapping[str, Any], where: str, function: str, first: str) -> Case:
    given, expected = (_first(row, keys) for keys in (_INPUTS, _OUTPUTS))
    kind = str(row.get("testtype") or row.get("type") or "").lower()
    if kind and kind not in _PROGRAM | _FUNCTION:
        raise UserError(f"{where} has the type {kind[:80]!r}, which codepref cannot run")
    if given is None or expected is None:
        raise UserError(f"{where} lacks an input or an output")
    name = "" if kind in _PROGRAM else _named(row, where) or function
    if kind in _FUNCTION and not (name := name or first):
        raise UserError(f"{where} names no function")
    return Case(given[0], expected[0], name)


def _first(row: Mapping[str, Any], keys: Sequence[str]) -> tuple[Any] | None:
    """Return the value of the first of the keys that the row has, in a tuple, since the value may be None."""
    return next(((row[key],) for key in keys if key in row), None)


def _column(row: Mapping[str, Any], keys: Sequence[str]) -> Any:
    return next((row[key] for key in keys if row.get(key) is not None), None)


def _named(row: Mapping[str, Any], where: str) -> str:
    """Return the name of the function that a struct or its metadata holds, or ""."""
    metadata = struct_of(row.get("metadata"), "metadata", where) if "metadata" in row else {}
    name = next((text for text in (*map(row.get, _NAMES), *map(metadata.get, _NAMES)) if text), "")
    if not isinstance(name, str):
        raise UserError(f"{where}: the name of the function must be text, not {type(name).__name__}")
    return name.strip()


def case_tests(
    cases: Sequence[Case], task_id: str, where: str, *, owner: str = "", code: str = "", statement: str = ""
) -> list[Test]:
    """Return the cases as tests of kind "stdio" or "calls".

    owner: the class whose method is called, or "". code: starter code and a program. The annotations of the function in
    `code` or in the statement show which arguments and results are linked lists or trees. The statement of a function
    can also allow any order of the result. A statement can name a tolerance. If all expected results are lists of one
    item, no input is text, and the result is no linked list or tree, then the list and its item are both right. But
    only the item is right if `code` annotates the function as returning an int, float, bool or str. Raises UserError
    for inputs and outputs of a wrong type, and if programs and functions are mixed.
    """
    if len({bool(case.function) for case in cases}) > 1:
        raise UserError(f"{where}: some tests are for a program and some for a function")
    if not cases or not cases[0].function:
        tolerance = stated_tolerance(statement)
        return [_stdio_test(case, task_id, at, where, tolerance) for at, case in enumerate(cases)]
    calls = [_arguments_and_result(case, f"{where}: test {at}") for at, case in enumerate(cases)]
    function, results = cases[0].function, [result for _, result in calls]
    forms = node_forms(function, (code, statement), [arguments for arguments, _ in calls], results)
    comparison = stated_comparison(statement, results)
    bare = any(isinstance(case.input, str) for case in cases)  # LiveCodeBench's results are always bare
    bare = bare or bool(forms.result)  # a list of one value is then the linked list or tree itself
    wrapped = not bare and all(is_list(result) and len(result) == 1 for _, result in calls)
    if wrapped and _gives_scalar(code, cases[0].function):
        calls, wrapped = [(arguments, result[0]) for arguments, result in calls], False
    return [
        Test(
            task_id,
            str(at),
            call_source(
                case.function,
                arguments,
                result,
                owner=owner,
                wrapped=wrapped,
                forms=forms,
                comparison=comparison,
                where=f"{where}: test {at}",
            ),
            "calls",
        )
        for at, (case, (arguments, result)) in enumerate(zip(cases, calls, strict=True))
    ]


def _stdio_test(case: Case, task_id: str, at: int, where: str, tolerance: float | None) -> Test:
    place = f"{where}: test {at}"
    source = stdio_source(
        text_of_lines(case.input, "the input", place),
        text_of_lines(case.output, "the output", place),
        tolerance=tolerance,
    )
    check_stdio(source, place)
    return Test(task_id, str(at), source, "stdio")


def _arguments_and_result(case: Case, where: str) -> tuple[list[Any], Any]:
    """Return the arguments and the result of a call.

    An input that is text holds one argument a line. If its output is text, the output is decoded. An input that is a
    list holds the arguments, and any other input is the only argument. If such an argument is a dict whose keys are
    whole numbers written as texts, it gets numbers as keys, since JSON has no keys that are numbers. The graders of
    APPS do the same.
    """
    if isinstance(case.input, str):
        lines = [line for line in case.input.split("\n") if line.strip()]
        return [_value(line, where) for line in lines], (
            _value(case.output, where) if isinstance(case.output, str) else case.output
        )
    arguments = list(case.input) if is_list(case.input) else [case.input]
    return [_with_numbers(argument) for argument in arguments], case.output


def _value(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass  # it may be a Python literal
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, TypeError, ArithmeticError, RecursionError, MemoryError):
        raise UserError(f"{where}: {text[:80]!r} is neither JSON nor a Python literal") from None


def _with_numbers(value: Any) -> Any:
    if isinstance(value, dict) and value and all(isinstance(key, str) and _WHOLE.match(key) for key in value):
        return {int(key): item for key, item in value.items()}
    return value


def _gives_scalar(code: str, function: str) -> bool:
    """Return whether the code annotates the function as returning an int, float, bool or str."""
    found = re.search(rf"def[ \t]+{re.escape(function)}[ \t]*\([^#]*?->[ \t]*(?:int|float|bool|str)[ \t]*:", code)
    return found is not None
