"""Turns exceptions of the solution into plain fields, and rebuilds the exceptions in the test runner."""

from __future__ import annotations

import builtins
import sys
from typing import Any

from .plain_data import Malformed

MARK = "_raised_by_solution"
"""The attribute that marks exceptions, and classes of exceptions, that came from the solution."""

MAX_CAUSES, MAX_ATTRIBUTES, MAX_PARTS = 3, 20, 100
"""The largest numbers of levels of causes, of attributes and of parts of a group that cross with an exception."""

_LIBRARIES = sys.stdlib_module_names | {"numpy", "pandas", "builtins"}


def error_fields(error: BaseException, causes: int = MAX_CAUSES) -> tuple[Any, ...]:
    """Return an exception as plain data.

    The fields are its name, the name of its nearest builtin type, its arguments, its errno, its further attributes, the
    fields of its cause or None, and a dict of what only some exceptions have: the nearest class of a library, the
    fields of the context, and those of the parts of a group. If an argument is not simple (see `is_plain`), the text
    of the exception replaces the arguments, except for a group. If the exception raises while it makes this text, there
    are no arguments. An attribute that is not simple is left out.
    causes: how many further levels of causes, contexts and groups cross.
    """
    kind = type(error)
    base = next(cls for cls in kind.__mro__ if getattr(builtins, cls.__name__, None) is cls)
    arguments: tuple[Any, ...] = error.args if is_plain(error.args) else ()
    if not arguments and error.args and not isinstance(error, BaseExceptionGroup):
        try:
            arguments = (str(error),)
        except BaseException:  # noqa: BLE001 - a hostile __str__ may raise, and the error is still reported
            arguments = ()
    state = getattr(error, "__dict__", None)
    own = list(state.items())[:MAX_ATTRIBUTES] if type(state) is dict else []
    attributes = {name: value for name, value in own if type(name) is str and is_plain(value)}
    cause = error.__cause__
    cause_fields = error_fields(cause, causes - 1) if isinstance(cause, BaseException) and causes else None
    number = getattr(error, "errno", None)
    return kind.__name__, base.__name__, arguments, number, attributes, cause_fields, _further_fields(error, causes)


def _further_fields(error: BaseException, causes: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    library = next((cls for cls in type(error).__mro__ if cls.__module__.split(".")[0] in _LIBRARIES), None)
    if library is not None and library.__module__ != "builtins":
        found["class"] = (library.__module__, library.__qualname__)
    if causes and isinstance(error.__context__, BaseException) and error.__context__ is not error.__cause__:
        found["context"] = error_fields(error.__context__, causes - 1)
    if causes and isinstance(error, BaseExceptionGroup):
        found["group"] = (str(error.message), [error_fields(part, causes - 1) for part in error.exceptions[:MAX_PARTS]])
    return found


def is_plain(value: Any, depth: int = 3) -> bool:
    """Return whether a value is simple: None, a text, bytes, a number, or a builtin container of simple values.

    Containers may have at most `depth` levels. An instance of a subclass is not simple.
    """
    kind = type(value)
    if kind in (str, bytes, int, float, bool, type(None)):
        return True
    if not depth:
        return False
    if kind in (list, tuple, set, frozenset):
        return all(is_plain(item, depth - 1) for item in value)
    return kind is dict and all(is_plain(part, depth - 1) for pair in value.items() for part in pair)


def new_class(name: str, base: type, body: dict[str, Any]) -> type:
    """Return a new class in the module "solution". Raises Malformed for a name that no class can have."""
    try:
        return type(name, (base,), {"__module__": "solution", **body})
    except (ValueError, TypeError):
        raise Malformed("a name is malformed") from None


def exception_from(fields: Any, causes: int = MAX_CAUSES) -> BaseException:
    """Return an exception of the solution, rebuilt from the fields that `error_fields` returns.

    If the type does not take the arguments, the result is of a new class with this name and the base Exception. Raises
    Malformed for malformed fields. causes: how many further levels of causes, contexts and groups are rebuilt.
    """
    if type(fields) is not tuple or len(fields) != 7 or type(fields[0]) is not str or type(fields[2]) is not tuple:
        raise Malformed("the fields of an error are malformed")
    name, base_name, arguments, number, attributes, cause, further = fields
    base = getattr(builtins, base_name, None) if type(base_name) is str else None
    if (
        not (isinstance(base, type) and issubclass(base, BaseException))
        or not type(attributes) is type(further) is dict
    ):
        raise Malformed("the type of an error is not a builtin exception")
    kind = base if name == base_name else new_class(name, base, {MARK: True})
    if library := _library_class(further.get("class"), base):
        own = {MARK: True, "__init__": base.__init__, "__new__": base.__new__, "__str__": base.__str__}
        kind = new_class(name, library, own)
    if "group" in further and causes:
        arguments = _group_arguments(further["group"], causes)
    try:
        error: BaseException = kind(*arguments)
    except (TypeError, ValueError):
        # The type may not take the text that replaces arguments. UnicodeDecodeError does not, for example.
        error = new_class(name, Exception, {MARK: True})(*arguments)
    if isinstance(error, OSError) and type(number) is int:
        error.errno = number
    for key, value in attributes.items():
        if type(key) is str and (key == "__notes__" or not key.startswith("__")):
            error.__dict__[key] = value
    error.__dict__[MARK] = True
    if cause is not None and causes:
        error.__cause__ = exception_from(cause, causes - 1)
    if "context" in further and causes:
        error.__context__ = exception_from(further["context"], causes - 1)
    return error


def _library_class(name: Any, base: type) -> type | None:
    """Return the exception class of a library with this module and name, or None.

    Only a test that has imported the library can name the class, so no library is imported here.
    """
    if name is None or type(name) is not tuple or not all(type(part) is str for part in name) or len(name) != 2:
        return None
    module, path = name
    found: Any = sys.modules.get(module) if module.split(".")[0] in _LIBRARIES else None
    for part in path.split("."):
        found = getattr(found, "__dict__", {}).get(part)
    return found if isinstance(found, type) and issubclass(found, base) else None


def _group_arguments(group: Any, causes: int) -> tuple[Any, ...]:
    if type(group) is not tuple or len(group) != 2 or type(group[0]) is not str or type(group[1]) is not list:
        raise Malformed("the parts of a group of errors are malformed")
    return group[0], [exception_from(part, causes - 1) for part in group[1]]


def simple_error(name: str, text: str) -> BaseException:
    """Return a builtin exception that counts as one of the solution."""
    return exception_from((name, name, (text,), None, {}, None, {}))


def of_solution(value: Any) -> bool:
    """Return whether `value` is an exception or a class that `exception_from` has marked."""
    return (isinstance(value, (BaseException, type))) and MARK in getattr(value, "__dict__", ())
