"""Tests of kind "calls". Each test is one call with its arguments, and the expected result.

`Test.source` is a JSON object:

| key | value |
|---|---|
| `function` | name of the function or method |
| `class` | name of the class whose method is called, on a new instance; missing for a function |
| `arguments` | list of the arguments; or the text of a Python list, for arguments that JSON has not, such as tuples |
| `expected` | the result, as a value of JSON |
| `wrapped` | true if `expected` is a list of one item, and this item alone is right too; otherwise false or missing |
| `order` | "items" if the items of the result may come in any order, "all" if the items of lists in it may too |
| `tolerance` | tolerance of floats, instead of 1e-6; above 1e-6 it is also a relative tolerance |
| `arguments_as` | forms of the arguments, for linked lists and trees; see `codepref.problems.nodes` |
| `result_as` | the form of the result, for linked lists and trees |

The test passes if the result is right. A tuple counts as a list, and a key of a dict may be the text or the value that
JSON writes as this text. Without `tolerance`, where a float is expected, a float may differ by 1e-6 + 1e-7 |expected|,
and a whole number may differ by rounding. NaN is right where NaN is expected. Other numbers and texts must be equal. If
a solution lacks the class, its function of the method's name is called. If it lacks the function, the method of its
class `Solution` is called.
"""

from __future__ import annotations

import ast
import json
import keyword
from collections.abc import Mapping
from typing import Any

from codepref.errors import UserError
from codepref.problems.entries import source_of
from codepref.problems.nodes import FORMS, RESULT_FORMS, NodeForms

CLASS = "Solution"
"""The class that LeetCode's problems ask for."""

OTHER_ENTRY_POINT = "other_entry_point"
"""Key of `Problem.meta`: the name that a solution may define instead of the entry point.

The value is the name of the function for a problem that asks for a class, and `Solution` for a problem that asks for a
function.
"""

ORDERS = ("items", "all")
_KEYS = {"function", "class", "arguments", "expected", "wrapped", "order", "tolerance", "arguments_as", "result_as"}


def call_source(
    function: str,
    arguments: list[Any],
    expected: Any,
    *,
    owner: str = "",
    wrapped: bool = False,
    forms: NodeForms = NodeForms(),  # noqa: B008 - it is frozen
    comparison: Mapping[str, Any] | None = None,
    where: str,
) -> str:
    """Return the source of a test.

    owner: the class whose method is called, or "". wrapped: whether `expected` is a list of one item, and this item
    alone is right too. forms: which arguments are linked lists or trees, and whether the result is. comparison: the
    keys `order` and `tolerance`, if they are needed. Raises UserError for a name that cannot be a name in Python, and
    for values that cannot be written.

    >>> call_source("f", [1], [2], where="")
    '{"function": "f", "arguments": [1], "expected": [2]}'
    """
    for name in (function, *filter(None, [owner])):
        if not name.isidentifier() or keyword.iskeyword(name):
            raise UserError(f"{where}: {name[:80]!r} cannot be the name of a function or class")
    try:
        source: dict[str, Any] = {"function": function, **({"class": owner} if owner else {})}
        source |= {"arguments": arguments if _is_json(arguments) else _literal(arguments), "expected": _json(expected)}
        source |= {"wrapped": True} if wrapped else {}
        source |= {"arguments_as": list(forms.arguments), "result_as": forms.result} if forms else {}
        text = json.dumps(source | dict(comparison or {}))
    except (TypeError, ValueError, SyntaxError, RecursionError) as error:
        raise UserError(f"{where}: an argument or a result cannot be written ({error})") from None
    return text


def call_entry(entry: Mapping[str, Any], where: str) -> str:
    """Return the source of an entry of `tests` with a call. Raises UserError for a malformed entry."""
    if missing := [key for key in ("function", "arguments", "expected") if key not in entry]:
        raise UserError(f'{where} of kind "calls" needs the keys function, arguments and expected, and lacks {missing}')
    source = source_of({key: value for key, value in entry.items() if key in _KEYS}, where)
    check_call(source, where)
    return source


def check_call(source: str, where: str) -> str:
    """Return the source of a test unchanged. Raises UserError if it is malformed."""
    try:
        fields = json.loads(source)
        arguments = fields["arguments"]
        arguments = ast.literal_eval(arguments) if isinstance(arguments, str) else arguments
        names = [fields["function"], *([fields["class"]] if fields.get("class") else [])]
        wrapped, expected = fields.get("wrapped", False), fields["expected"]
        single = isinstance(expected, list) and len(expected) == 1
        good = isinstance(arguments, list) and all(map(str.isidentifier, names)) and (single if wrapped else True)
        if good and _is_comparison(fields) and _are_forms(fields, arguments):
            return source
    except (ValueError, TypeError, KeyError, SyntaxError, RecursionError, MemoryError):
        pass  # the message below names the form
    form = '{"function": name, "arguments": list or the text of a Python list, "expected": value}'
    more = (
        '"class", "wrapped" (true only if "expected" is a list of one item), "order" ("items" or "all"), "tolerance" '
        '(a positive number below 1e9), "arguments_as" and "result_as"'
    )
    raise UserError(
        f'{where}: a test of kind "calls" is malformed. It must be JSON of the form {form}, and may hold {more}'
    )


def _is_comparison(fields: Mapping[str, Any]) -> bool:
    tolerance = fields.get("tolerance", 1.0)
    number = isinstance(tolerance, int | float) and not isinstance(tolerance, bool) and 0 < tolerance < 1e9
    return number and fields.get("order", "items") in ORDERS


def _are_forms(fields: Mapping[str, Any], arguments: list[Any]) -> bool:
    forms, result = fields.get("arguments_as", []), fields.get("result_as") or ""
    if not isinstance(forms, list) or result not in {"", *RESULT_FORMS}:
        return False
    return len(forms) <= len(arguments) and all((form or "") in {"", *FORMS} for form in forms)


def names_called(source: str) -> set[str]:
    """Return a set of one name: that of the function that a test calls, or "CLASS.NAME" for a method."""
    fields = json.loads(source)
    return {f"{fields['class']}.{fields['function']}" if fields.get("class") else fields["function"]}


def _is_json(value: Any) -> bool:
    """Return whether JSON gives the value back as it is."""
    if isinstance(value, list):
        return all(map(_is_json, value))
    if isinstance(value, dict):
        return all(type(key) is str and _is_json(item) for key, item in value.items())
    return value is None or type(value) in (bool, int, float, str)


def _literal(value: Any) -> str:
    text = repr(value)
    ast.literal_eval(text)  # raises ValueError for what is no literal
    return text


def _json(value: Any) -> Any:
    """Return the value as JSON has it: lists for tuples, sorted lists for sets, and texts as keys."""
    if isinstance(value, list | tuple):
        return [_json(item) for item in value]
    if isinstance(value, set | frozenset):
        return [_json(item) for item in sorted(value)]
    if isinstance(value, dict):
        return {key if isinstance(key, str) else _key(key): _json(item) for key, item in value.items()}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"a {type(value).__name__} is no value of JSON")


def _key(key: Any) -> str:
    if key is None or isinstance(key, bool):
        return json.dumps(key)
    return repr(key)
