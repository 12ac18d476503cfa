"""Proxies for what stays with the solution: objects, functions and iterators. Also the solution's exceptions.

A proxy compares by identity and has no ordering and no arithmetic. So an `__eq__` of the solution never runs in the
test runner, and it never decides a comparison of the test. The solution's process answers for the truth value, the
length, the text, the items and the attributes of a proxy.
"""

from __future__ import annotations

import builtins
import importlib
import sys
from collections.abc import Iterator
from typing import Any, Protocol

from .plain_data import U32, Malformed

MARK = "_raised_by_solution"
"""The attribute that marks exceptions of the solution."""

_OWN_MODULES = sys.stdlib_module_names | {"numpy"}


class Caller(Protocol):
    """Something that sends requests to the solution. stops_expected: whether the running test names StopIteration."""

    stops_expected: bool

    def request(self, operation: str, *parts: Any) -> Any:
        """Return the value, or raise the solution's exception."""


def make_proxy(link: Caller, kind: bytes, number: int, name: str) -> Any:
    """Return the object that stands for a handle in the test runner. Raises Malformed for an unknown kind of handle."""
    if kind == b"m" and name in _OWN_MODULES:
        # The test uses a module that only the solution imported. It gets the test runner's own module of that name.
        return importlib.import_module(name)
    base = {b"o": RemoteObject, b"m": RemoteObject, b"c": RemoteCallable, b"i": RemoteIterator}.get(kind)
    if base is None:
        raise Malformed("unknown kind of handle")
    proxy: Any = object.__new__(type(name, (base,), {"__slots__": (), "__module__": "solution"}))
    object.__setattr__(proxy, "_link", link)
    object.__setattr__(proxy, "_reference", kind + U32.pack(number))
    return proxy


def handle_of(value: Any) -> bytes | None:
    """Return the encoded handle of a proxy or of a builtin callable, or None for every other value.

    Raises TypeError for a class or an exception of the solution.
    """
    kind = type(value)
    if issubclass(kind, RemoteObject):
        reference: bytes = object.__getattribute__(value, "_reference")
        return b"h" + reference + U32.pack(0)
    if of_solution(value) or (isinstance(value, type) and (issubclass(value, RemoteObject) or of_solution(value))):
        # Returning None would move the test to a shared process. A value of the solution must never cause that.
        raise TypeError("a class or exception of the solution cannot be handed back to it")
    name = getattr(value, "__name__", None)
    if type(name) is str and getattr(builtins, name, None) is value and callable(value):
        text = name.encode()
        return b"hb" + U32.pack(0) + U32.pack(len(text)) + text
    return None


def exception_from(fields: Any) -> BaseException:
    """Return the solution's exception, rebuilt with its builtin base type, its name and its arguments.

    fields: the name, the name of the nearest builtin type, the arguments, and errno. Where the builtin type does not
    take the arguments, the base is Exception. Raises Malformed.
    """
    if type(fields) is not tuple or len(fields) != 4 or type(fields[0]) is not str or type(fields[2]) is not tuple:
        raise Malformed("malformed fields of an error")
    name, base_name, arguments, number = fields
    base = getattr(builtins, base_name, None) if type(base_name) is str else None
    if not (isinstance(base, type) and issubclass(base, BaseException)):
        raise Malformed("an error of unknown type")
    kind = base if name == base_name else type(name, (base,), {"__module__": "solution", MARK: True})
    try:
        error: BaseException = kind(*arguments)
    except (TypeError, ValueError):
        # UnicodeDecodeError and exception groups take arguments that do not cross.
        error = type(name, (Exception,), {"__module__": "solution", MARK: True})(*arguments)
    if isinstance(error, OSError) and type(number) is int:
        error.errno = number
    error.__dict__[MARK] = True
    return error


def of_solution(value: Any) -> bool:
    """Return whether `value` is an exception, or a class of exceptions, that came from the solution."""
    return (isinstance(value, (BaseException, type))) and MARK in getattr(value, "__dict__", ())


class RemoteObject:
    """Stands for an object that stayed with the solution."""

    __slots__ = ("_link", "_reference")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _ask(self, "getattr", name)

    def __setattr__(self, name: str, value: Any) -> None:
        _ask(self, "setattr", name, value)

    def __getitem__(self, key: Any) -> Any:
        return _ask(self, "getitem", key)

    def __setitem__(self, key: Any, value: Any) -> None:
        _ask(self, "setitem", key, value)

    def __len__(self) -> int:
        length = _ask(self, "len")
        if type(length) is not int:
            raise TypeError("a length that is no int")
        return length

    def __bool__(self) -> bool:
        truth = _ask(self, "bool")
        if type(truth) is not bool:
            raise TypeError("a truth value that is no bool")
        return truth

    def __iter__(self) -> Iterator[Any]:
        iterator = _ask(self, "iter")
        if not isinstance(iterator, RemoteIterator):
            raise TypeError("not iterable")
        return iterator

    def __str__(self) -> str:
        text = _ask(self, "str")
        if type(text) is not str:
            raise TypeError("a text that is no str")
        return text

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of the solution>"


class RemoteCallable(RemoteObject):
    """Stands for a function, method or class of the solution."""

    __slots__ = ()

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        """Call the original in the solution's process. Raises Unencodable for an argument that cannot cross."""
        return _ask(self, "call", arguments, keywords)


class RemoteIterator(RemoteObject):
    """Stands for an iterator or generator of the solution. Each step is one request."""

    __slots__ = ()

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        link: Caller = object.__getattribute__(self, "_link")
        return link.request("next", self)


def _ask(target: RemoteObject, operation: str, *parts: Any) -> Any:
    """Request an operation on the original object, and return the result.

    A StopIteration of the solution becomes a RuntimeError, as in generators (PEP 479), unless the test names
    StopIteration. Otherwise it would end a loop of the test, such as a loop over `map(solution, ...)`, before the
    assertions ran, and the test would pass.
    """
    link: Caller = object.__getattribute__(target, "_link")
    try:
        return link.request(operation, target, *parts)
    except StopIteration:
        if link.stops_expected:
            raise
        raise exception_from(("RuntimeError", "RuntimeError", ("raised StopIteration",), None)) from None
