"""Proxies for objects that stay in the solution's process, and the functions that rebuild its exceptions.

A proxy compares by identity and has no ordering and no arithmetic. So an `__eq__` of the solution does not decide
whether a proxy equals another value. The solution's process answers requests for the truth value, the length, the
text and the items of the original object. It also answers for attributes whose names do not begin with `__`.
"""

from __future__ import annotations

import builtins
import importlib
import sys
from collections.abc import Iterator
from typing import Any, Protocol

from .plain_data import U32, Malformed

MARK = "_raised_by_solution"
"""The attribute that marks exceptions, and classes of exceptions, that came from the solution."""

_OWN_MODULES = sys.stdlib_module_names | {"numpy"}


class Caller(Protocol):
    """An object that sends requests to the solution's process.

    Attributes:
        stops_expected: whether the running test names StopIteration.
    """

    stops_expected: bool

    def request(self, operation: str, *parts: Any) -> Any:
        """Make a request and return its value. Raises the solution's exception."""


def make_proxy(link: Caller, kind: bytes, number: int, name: str) -> Any:
    """Return the object that stands for a handle in the test runner.

    Raises Malformed for an unknown kind of handle, and ValueError for a name that no class can have.
    """
    if kind == b"m" and name in _OWN_MODULES:
        # The test may use a module that only the solution imported. It gets the test runner's own module of that name.
        return importlib.import_module(name)
    base = {b"o": RemoteObject, b"m": RemoteObject, b"c": RemoteCallable, b"i": RemoteIterator}.get(kind)
    if base is None:
        raise Malformed(f"the kind {kind!r} of a handle is unknown")
    proxy: Any = object.__new__(type(name, (base,), {"__slots__": (), "__module__": "solution"}))
    object.__setattr__(proxy, "_link", link)
    object.__setattr__(proxy, "_reference", kind + U32.pack(number))
    return proxy


def handle_of(value: Any) -> bytes | None:
    """Return the encoded handle of a proxy or of a builtin callable, or None for another value.

    Raises TypeError for an exception or a class that `of_solution` accepts, and for the class of a proxy.
    """
    kind = type(value)
    if issubclass(kind, RemoteObject):
        reference: bytes = object.__getattribute__(value, "_reference")
        return b"h" + reference + U32.pack(0)
    if of_solution(value) or (isinstance(value, type) and (issubclass(value, RemoteObject) or of_solution(value))):
        # Returning None would move the test to a shared process. A value of the solution must never cause that.
        raise TypeError("a test cannot hand an exception of the solution, or the type of a proxy, back to the solution")
    name = getattr(value, "__name__", None)
    if type(name) is str and getattr(builtins, name, None) is value and callable(value):
        text = name.encode()
        return b"hb" + U32.pack(0) + U32.pack(len(text)) + text
    return None


def exception_from(fields: Any) -> BaseException:
    """Return an exception of the solution, rebuilt from the name of its class, a builtin base type and its arguments.

    fields: the name of the class, the name of the nearest builtin type, the arguments, and errno. If the builtin type
    does not take the arguments, the base is Exception.
    Raises Malformed for malformed fields, and ValueError for a name that no class can have.
    """
    if type(fields) is not tuple or len(fields) != 4 or type(fields[0]) is not str or type(fields[2]) is not tuple:
        raise Malformed("the fields of an error are malformed")
    name, base_name, arguments, number = fields
    base = getattr(builtins, base_name, None) if type(base_name) is str else None
    if not (isinstance(base, type) and issubclass(base, BaseException)):
        raise Malformed("the type of an error is not a builtin exception")
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
    """Return whether `value` is an exception or a class that `exception_from` has marked."""
    return (isinstance(value, (BaseException, type))) and MARK in getattr(value, "__dict__", ())


class RemoteObject:
    """A proxy for an object that stayed in the solution's process."""

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
            raise TypeError("the solution's process sent a length that is not an int")
        return length

    def __bool__(self) -> bool:
        truth = _ask(self, "bool")
        if type(truth) is not bool:
            raise TypeError("the solution's process sent a truth value that is not a bool")
        return truth

    def __iter__(self) -> Iterator[Any]:
        iterator = _ask(self, "iter")
        if not isinstance(iterator, RemoteIterator):
            raise TypeError("the solution's process sent a value that is not an iterator")
        return iterator

    def __str__(self) -> str:
        text = _ask(self, "str")
        if type(text) is not str:
            raise TypeError("the solution's process sent a text that is not a str")
        return text

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of the solution>"


class RemoteCallable(RemoteObject):
    """A proxy for a callable of the solution, such as a function, a method or a class."""

    __slots__ = ()

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        """Call the original in the solution's process and return the result.

        Raises the solution's exception, and what `Encoder.encode` raises for the arguments.
        """
        return _ask(self, "call", arguments, keywords)


class RemoteIterator(RemoteObject):
    """A proxy for an iterator or a generator of the solution. Each step is one request."""

    __slots__ = ()

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        link: Caller = object.__getattribute__(self, "_link")
        return link.request("next", self)


def _ask(target: RemoteObject, operation: str, *parts: Any) -> Any:
    """Request an operation on the original object, and return the result.

    If the test does not name StopIteration, a StopIteration of the solution becomes a RuntimeError, as in generators
    (PEP 479). A StopIteration could end a loop of the test, such as a loop over `map(solution, ...)`, before its
    assertions ran. The test would then pass.
    """
    link: Caller = object.__getattribute__(target, "_link")
    try:
        return link.request(operation, target, *parts)
    except StopIteration:
        if link.stops_expected:
            raise
        raise exception_from(("RuntimeError", "RuntimeError", ("the solution raised StopIteration",), None)) from None
