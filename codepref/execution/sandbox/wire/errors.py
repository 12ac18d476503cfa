"""Exceptions of the solution: as plain fields for the test runner, and rebuilt there."""

from __future__ import annotations

import builtins
from typing import Any

from .plain_data import Malformed

MARK = "_raised_by_solution"
"""The attribute that marks exceptions, and classes of exceptions, that came from the solution."""

MAX_CAUSES, MAX_ATTRIBUTES = 3, 20
"""How many causes of causes cross with an exception, and how many attributes."""


def error_fields(error: BaseException, causes: int = MAX_CAUSES) -> tuple[Any, ...]:
    """Return an exception as plain data.

    The fields are its name, the name of its nearest builtin type, its arguments, its errno, its further attributes, and
    the fields of its cause or None. Where an argument is not plain data, the text of the exception replaces the
    arguments. An attribute that is not plain data is left out. Raises nothing that the exception itself raises.
    """
    kind = type(error)
    base = next(cls for cls in kind.__mro__ if getattr(builtins, cls.__name__, None) is cls)
    arguments: tuple[Any, ...] = error.args if _is_plain(error.args) else ()
    if not arguments and error.args:
        try:
            arguments = (str(error),)
        except BaseException:  # noqa: BLE001 - a hostile __str__ may raise, and the error is still reported
            arguments = ()
    state = getattr(error, "__dict__", None)
    own = list(state.items())[:MAX_ATTRIBUTES] if type(state) is dict else []
    attributes = {name: value for name, value in own if type(name) is str and _is_plain(value)}
    cause = error.__cause__
    cause_fields = error_fields(cause, causes - 1) if isinstance(cause, BaseException) and causes else None
    return kind.__name__, base.__name__, arguments, getattr(error, "errno", None), attributes, cause_fields


def _is_plain(value: Any, depth: int = 3) -> bool:
    """Return whether a value consists of simple values and small containers of them, of exactly these types."""
    kind = type(value)
    if kind in (str, int, float, bool, type(None)):
        return True
    if not depth:
        return False
    if kind in (list, tuple, set, frozenset):
        return all(_is_plain(item, depth - 1) for item in value)
    return kind is dict and all(_is_plain(part, depth - 1) for pair in value.items() for part in pair)


def new_class(name: str, base: type, body: dict[str, Any]) -> type:
    """Return a new class in the module "solution". Raises Malformed for a name that no class can have."""
    try:
        return type(name, (base,), {"__module__": "solution", **body})
    except (ValueError, TypeError):
        raise Malformed("a name is malformed") from None


def exception_from(fields: Any, causes: int = MAX_CAUSES) -> BaseException:
    """Return an exception of the solution, rebuilt from the fields that `error_fields` returns.

    If the builtin type does not take the arguments, the base is Exception. Raises Malformed for malformed fields.
    """
    if type(fields) is not tuple or len(fields) != 6 or type(fields[0]) is not str or type(fields[2]) is not tuple:
        raise Malformed("the fields of an error are malformed")
    name, base_name, arguments, number, attributes, cause = fields
    base = getattr(builtins, base_name, None) if type(base_name) is str else None
    if not (isinstance(base, type) and issubclass(base, BaseException)) or type(attributes) is not dict:
        raise Malformed("the type of an error is not a builtin exception")
    kind = base if name == base_name else new_class(name, base, {MARK: True})
    try:
        error: BaseException = kind(*arguments)
    except (TypeError, ValueError):
        # UnicodeDecodeError and exception groups take arguments that do not cross.
        error = new_class(name, Exception, {MARK: True})(*arguments)
    if isinstance(error, OSError) and type(number) is int:
        error.errno = number
    for key, value in attributes.items():
        if type(key) is str and (key == "__notes__" or not key.startswith("__")):
            error.__dict__[key] = value
    error.__dict__[MARK] = True
    if cause is not None and causes:
        error.__cause__ = exception_from(cause, causes - 1)
    return error


def simple_error(name: str, text: str) -> BaseException:
    """Return a builtin exception that counts as one of the solution."""
    return exception_from((name, name, (text,), None, {}, None))


def of_solution(value: Any) -> bool:
    """Return whether `value` is an exception or a class that `exception_from` has marked."""
    return (isinstance(value, (BaseException, type))) and MARK in getattr(value, "__dict__", ())
