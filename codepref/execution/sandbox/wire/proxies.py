"""Proxies for objects that stay in the solution's process.

A proxy has no ordering and no arithmetic, and by its own `__eq__` it equals only itself. So an `__eq__` of the solution
does not decide whether a proxy equals another value. Two proxies of different objects differ if the solution says so.
Otherwise comparing them is an error. The solution's process answers requests for the truth value, the length, the
texts, the hash and the items of the original object, and makes calls and iterates. It also answers for attributes. The
value of an attribute whose name begins with `__` cannot be read.
"""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Iterator
from typing import Any, Protocol

from .errors import new_class, of_solution, simple_error
from .plain_data import U32, Malformed
from .references import reference_to

_OWN_MODULES = sys.stdlib_module_names | {"numpy"}


class Caller(Protocol):
    """An object that sends requests to the solution's process.

    Attributes:
        stops_expected: whether the running test names StopIteration.
        refused: names of methods of builtin data that no object of the solution may answer in the running test.
    """

    stops_expected: bool
    refused: frozenset[str]

    def request(self, operation: str, *parts: Any) -> Any:
        """Make a request and return its value. Raises the solution's exception."""


def make_proxy(link: Caller, kind: bytes, number: int, name: str) -> Any:
    """Return the object that stands for a handle in the test runner.

    name: the name of the type (or of the object itself, if it is a class or a module), and after a NUL character the
        letters of the ABILITIES that the type has.
    Raises Malformed for an unknown kind of handle or ability, and for a name that no class can have. Raises ImportError
    for a module of the standard library, or for numpy, if it cannot be imported here.
    """
    if kind == b"m" and name.partition("\0")[0] in _OWN_MODULES:
        # The test may use a module that only the solution imported. It gets the test runner's own module of that name.
        return importlib.import_module(name.partition("\0")[0])
    if kind not in (b"o", b"m", b"c", b"i"):
        raise Malformed(f"the kind {kind!r} of a handle is unknown")
    proxy: Any = object.__new__(_proxy_class(kind, name))
    object.__setattr__(proxy, "_link", link)
    object.__setattr__(proxy, "_reference", kind + U32.pack(number))
    return proxy


@functools.lru_cache(maxsize=1000)
def _proxy_class(kind: bytes, name: str) -> type:
    text, _, letters = name.partition("\0")
    base = {b"c": RemoteCallable, b"i": RemoteIterator}.get(kind, RemoteObject)
    if not set(letters) <= ABILITIES.keys():
        raise Malformed("a handle names an unknown ability")
    methods = {ABILITIES[letter]: _METHODS[ABILITIES[letter]] for letter in letters}
    if kind == b"i":
        methods.pop("__iter__", None)
    return new_class(text, base, {"__slots__": (), **methods})


def handle_of(value: Any) -> bytes | None:
    """Return the encoded handle of a proxy, or of a function, a class or a module of a library. None for other values.

    Raises TypeError for an exception or a class that `of_solution` accepts, and for the class of a proxy.
    """
    kind = type(value)
    if issubclass(kind, RemoteObject):
        reference: bytes = object.__getattribute__(value, "_reference")
        return b"h" + reference + U32.pack(0)
    if of_solution(value) or (isinstance(value, type) and (issubclass(value, RemoteObject) or of_solution(value))):
        # Returning None could move the test to a shared process. A value of the solution must never cause that.
        raise TypeError("a test cannot hand an exception of the solution, or the type of a proxy, back to the solution")
    name = reference_to(value)
    if name is None:
        return None
    text = name.encode("utf-8", "surrogatepass")
    return b"hb" + U32.pack(0) + U32.pack(len(text)) + text


class RemoteObject:
    """A proxy for an object that stayed in the solution's process.

    The subclass of a handle also has the methods of the ABILITIES that the type of the original object has.
    """

    __slots__ = ("_link", "_reference")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        link: Caller = object.__getattribute__(self, "_link")
        if name in link.refused:
            raise TypeError(
                f"an object of the solution itself decides what `{name}` returns, which does not count in this test"
            )
        return _ask(self, "getattr", name)

    def __setattr__(self, name: str, value: Any) -> None:
        _ask(self, "setattr", name, value)

    def __delattr__(self, name: str) -> None:
        _ask(self, "delattr", name)

    def __eq__(self, other: object) -> Any:
        if self is other:
            return True
        return not _differs(self, other) if isinstance(other, RemoteObject) else NotImplemented

    def __ne__(self, other: object) -> Any:
        if self is other:
            return False
        return _differs(self, other) if isinstance(other, RemoteObject) else NotImplemented

    def __hash__(self) -> int:
        return hash(_checked(_ask(self, "hash"), int))

    def __bool__(self) -> bool:
        truth: bool = _checked(_ask(self, "bool"), bool)
        return truth

    def __str__(self) -> str:
        return _text(_ask(self, "str"))

    def __repr__(self) -> str:
        return _text(_ask(self, "repr"))

    def __format__(self, form: str) -> str:
        return _text(_ask(self, "format", form))


def _differs(first: RemoteObject, second: RemoteObject) -> bool:
    """Return True if the solution says that two of its objects differ.

    Raises TypeError if it does not say so. Only the solution could know that they are equal, and it is not trusted.
    """
    if _ask(first, "differ", second) is not True:
        raise TypeError(
            "the solution does not say that two of its objects differ. Its own word that they are equal does not count"
        )
    return True


def _checked(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise TypeError(f"the solution's process sent an answer that is not of the type {kind.__name__}")
    return value


def _text(value: Any) -> str:
    text: str = _checked(value, str)
    return text


class _Methods:
    """The methods of proxies for types that have them. `_proxy_class` copies them."""

    def __len__(self) -> int:
        length: int = _checked(_ask(self, "len"), int)
        return length

    def __iter__(self) -> Iterator[Any]:
        iterator = _ask(self, "iter")
        if not isinstance(iterator, RemoteIterator):
            raise TypeError("the solution's process sent a value that is not an iterator")
        return iterator

    def __getitem__(self, key: Any) -> Any:
        return _ask(self, "getitem", key)

    def __setitem__(self, key: Any, value: Any) -> None:
        _ask(self, "setitem", key, value)

    def __delitem__(self, key: Any) -> None:
        _ask(self, "delitem", key)

    def __contains__(self, item: Any) -> bool:
        # The question would tell the solution an expected value, and the answer would be its own word.
        raise TypeError("an object of the solution itself decides what it contains, which does not count in this test")


ABILITIES = {
    "L": "__len__",
    "I": "__iter__",
    "G": "__getitem__",
    "S": "__setitem__",
    "D": "__delitem__",
    "C": "__contains__",
}
"""The abilities of a type, by letter.

A handle has the letters of the methods that the original's type has, apart from a `__contains__` of the standard
library. A class that can be subscripted has the letter G too.
"""

_METHODS: dict[str, Any] = {name: vars(_Methods)[name] for name in ABILITIES.values()}


class RemoteCallable(RemoteObject):
    """A proxy for a callable of the solution, such as a function, a method or a class."""

    __slots__ = ()

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        """Call the original in the solution's process and return the result.

        Raises the solution's exception, and what `Link.request` raises for an argument that cannot cross.
        """
        return _ask(self, "call", arguments, keywords)


class RemoteFactory(RemoteCallable):
    """A proxy for the function that gives a dict its missing values. A deep copy of the dict has the same function."""

    __slots__ = ()

    def __deepcopy__(self, memo: dict[int, Any]) -> RemoteFactory:
        return self


def as_factory(function: RemoteCallable) -> RemoteFactory:
    """Return a proxy for the same function as the factory of a dict."""
    factory = object.__new__(RemoteFactory)
    for name in RemoteObject.__slots__:
        object.__setattr__(factory, name, object.__getattribute__(function, name))
    return factory


class RemoteIterator(RemoteObject):
    """A proxy for an iterator or a generator of the solution. Each step is one request."""

    __slots__ = ()

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        link: Caller = object.__getattribute__(self, "_link")
        return link.request("next", self)


def _ask(target: Any, operation: str, *parts: Any) -> Any:
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
        raise simple_error("RuntimeError", "the solution raised StopIteration") from None
