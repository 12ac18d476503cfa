"""Stand-ins for what stays with the solution: objects, functions, iterators, exceptions.

A stand-in compares by identity alone, is always true, and has no ordering or arithmetic: whatever `__eq__` the
solution wrote never runs in the judge, and never decides anything.
"""

from __future__ import annotations

import builtins
import importlib
import sys
from collections.abc import Iterator
from typing import Any, Protocol

from .codec import U32, Malformed

MARK = "_raised_by_solution"
_OWN_MODULES = sys.stdlib_module_names | {"numpy"}


class Caller(Protocol):
    """What carries a request to the solution. stops_expected: whether the running test names StopIteration."""

    stops_expected: bool

    def request(self, operation: str, *parts: Any) -> Any:
        """The value, or the solution's exception raised."""


def stand_in(link: Caller, kind: bytes, number: int, name: str) -> Any:
    """What stands for a handle in the judge. Raises Malformed for a kind of handle that there is not."""
    if kind == b"m" and name in _OWN_MODULES:
        # A module that the solution imported and the test uses without importing it: the judge has its own.
        return importlib.import_module(name)
    base = {b"o": RemoteObject, b"m": RemoteObject, b"c": RemoteCallable, b"i": RemoteIterator}.get(kind)
    if base is None:
        raise Malformed("unknown kind of handle")
    made: Any = object.__new__(type(name, (base,), {"__slots__": (), "__module__": "solution"}))
    object.__setattr__(made, "_link", link)
    object.__setattr__(made, "_reference", kind + U32.pack(number))
    return made


def handle_of(value: Any) -> bytes | None:
    """The reference to a stand-in or to a builtin function, for the way back; None for everything else."""
    kind = type(value)
    if issubclass(kind, RemoteObject):
        reference: bytes = object.__getattribute__(value, "_reference")
        return b"h" + reference + U32.pack(0)
    if of_solution(value) or (isinstance(value, type) and (issubclass(value, RemoteObject) or of_solution(value))):
        # What the solution returned must never decide that a test needs the shared process.
        raise TypeError("a class or exception of the solution cannot be handed back to it")
    name = getattr(value, "__name__", None)
    if type(name) is str and getattr(builtins, name, None) is value and callable(value):
        text = name.encode()
        return b"hb" + U32.pack(0) + U32.pack(len(text)) + text
    return None


def exception_from(told: Any) -> BaseException:
    """The solution's exception as one of the same builtin type that `except` and its text treat alike.

    Raises Malformed.
    """
    if type(told) is not tuple or len(told) != 4 or type(told[0]) is not str or type(told[2]) is not tuple:
        raise Malformed("an error out of form")
    name, base_name, arguments, number = told
    base = getattr(builtins, base_name, None) if type(base_name) is str else None
    if not (isinstance(base, type) and issubclass(base, BaseException)):
        raise Malformed("an error of unknown type")
    kind = base if name == base_name else type(name, (base,), {"__module__": "solution", MARK: True})
    try:
        error: BaseException = kind(*arguments)
    except (TypeError, ValueError):
        # UnicodeDecodeError and groups of exceptions take arguments that do not cross
        error = type(name, (Exception,), {"__module__": "solution", MARK: True})(*arguments)
    if isinstance(error, OSError) and type(number) is int:
        error.errno = number
    error.__dict__[MARK] = True
    return error


def of_solution(value: Any) -> bool:
    """Whether an exception (or its class) came from the solution, not from the test."""
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
        return True

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
        """Call it over there with plain arguments.

        A StopIteration of the solution would end the test's own loop over `map(solution, ...)` before its assertions,
        and the test would pass. So it becomes a RuntimeError, as in generators (PEP 479), unless the test names it.
        """
        try:
            return _ask(self, "call", arguments, keywords)
        except StopIteration:
            link: Caller = object.__getattribute__(self, "_link")
            if link.stops_expected:
                raise
            raise exception_from(("RuntimeError", "RuntimeError", ("raised StopIteration",), None)) from None


class RemoteIterator(RemoteObject):
    """Stands for an iterator or generator: each step is a call."""

    __slots__ = ()

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        return _ask(self, "next")


def _ask(target: RemoteObject, operation: str, *parts: Any) -> Any:
    link: Caller = object.__getattribute__(target, "_link")
    return link.request(operation, target, *parts)
