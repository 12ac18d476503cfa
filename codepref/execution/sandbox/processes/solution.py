"""The solution's process. It runs a solution and answers calls. It holds neither tests nor verdicts.

The process runs one solution, or several in turn that can leave nothing behind. The test runner decodes the answers
strictly, so a solution that manipulates this process spoils only its own answers.
"""

from __future__ import annotations

import ast
import gc
import marshal
import math
import os
import sys
import types
import typing
from collections.abc import Callable, Iterator
from typing import Any

from ..confinement.allowlist import shareable
from ..confinement.hardening import CHANNEL
from ..wire import frames
from ..wire.decoder import Decoder
from ..wire.encoder import Encoder
from ..wire.errors import error_fields
from ..wire.library_values import tuple_class
from ..wire.plain_data import U32
from ..wire.proxies import ABILITIES
from ..wire.references import referenced
from ..wire.scalars import answer_bytes, scalar_bytes
from .captured import Captured, run_captured
from .nodes import call_with_nodes
from .ordinary import enter_folder
from .program import run_program

MAX_REPLY = 1 << 26
"""The largest size of one answer, in bytes (64 MiB)."""

MAX_SHARED = 50_000
"""The largest number of characters that a preamble and a source together may have to run in a shared process."""

MAX_ITEMS = 100_000
"""A "front" batch ends when its outputs have more items and characters than this. Items inside items do not count.

The remaining calls need another batch.
"""

_SIZED = frozenset({list, tuple, dict, set, frozenset, str, bytes})


class Handles:
    """The objects for which the test runner has handles. Each one stays in this process and has a number."""

    def __init__(self) -> None:
        self._objects: list[Any] = []
        self._numbers: dict[int, int] = {}

    def clear(self) -> None:
        """Remove all objects."""
        self._objects.clear()
        self._numbers.clear()

    def of(self, value: Any) -> bytes:
        """Return the encoded handle of `value`."""
        kind = type(value)
        number = self._numbers.setdefault(id(value), len(self._objects))
        if number == len(self._objects):
            self._objects.append(value)
        form = b"i" if hasattr(kind, "__next__") else b"c" if callable(value) else b"o"
        named = value if isinstance(value, type) else kind
        if kind is types.ModuleType:
            form, named = b"m", value
        letters = "".join(letter for letter, method in ABILITIES.items() if _has(kind, method))
        if isinstance(value, type) and hasattr(value, "__class_getitem__"):
            letters += "G"
        name = named.__name__.replace("\0", "?").encode("utf-8", "replace")[:100] + b"\0" + letters.encode()
        return b"h" + form + U32.pack(number) + U32.pack(len(name)) + name

    def resolve(self, kind: bytes, number: int, name: str) -> Any:
        """Return the object of a handle that the test runner sent back. The kind b"b" names an object of a library."""
        return referenced(name) if kind == b"b" else self._objects[number]


def _has(kind: type, method: str) -> bool:
    """Return whether a type has a method.

    A `__contains__` of the standard library does not count, since it is assumed to agree with iteration.
    """
    if method != "__contains__":
        return getattr(kind, method, None) is not None
    owner = next((base for base in kind.__mro__ if method in base.__dict__), None)
    return owner is not None and owner.__module__.split(".")[0] not in sys.stdlib_module_names


def _snapshot(table: list[Any]) -> list[Any]:
    return [_shallow(container) for container in table]


def _shallow(container: Any) -> Any:
    if isinstance(container, dict):
        return (list(container), list(container.values()))
    if isinstance(container, bytearray):
        return bytes(container)
    return container.tobytes() if hasattr(container, "tobytes") else list(container)


def _same(before: Any, after: Any) -> bool:
    if isinstance(before, tuple):
        return all(_same(*pair) for pair in zip(before, after, strict=True))
    if isinstance(before, bytes):
        return bool(before == after)
    return len(before) == len(after) and all(map(_is, before, after))


def _is(first: Any, second: Any) -> bool:
    return first is second


def _compiled(part: str | ast.Module) -> types.CodeType:
    code: types.CodeType = compile(part, "<solution>", "exec", dont_inherit=True)
    return code


class Server:
    """Answers the requests of the test runner, one at a time."""

    def __init__(self) -> None:
        self.handles = Handles()
        self._module = types.ModuleType("solution")
        self._number = b""

    def send(self, value: Any) -> None:
        """Send `value` as the answer to the current request, before the operation has returned."""
        frames.send(CHANNEL, self._number + b"+" + Encoder(lambda _: None, exact=False).encode(value) + U32.pack(0))

    def load(self, preamble: str, source: str, names: tuple[str, ...], alone: bool = True) -> dict[str, Any] | None:
        """Run the preamble and the solution's source. Return those of `names` that they define, with their values.

        alone: no other solution will run in this process. If `alone` is False, both run only if `shareable` accepts
        them and they are neither too long nor too complex to compile. Otherwise nothing runs and the result is None.
        Raises what `compile` raises for a text that is not Python, and what the two texts raise.
        """
        parts: list[Any] = [preamble, source]
        sys.modules["solution"] = self._module
        if alone:
            enter_folder()
        if not alone:
            if len(preamble) + len(source) > MAX_SHARED:
                return None  # parsing it here would use up the solution's CPU time
            try:
                parts = [ast.parse(part, "<solution>") for part in parts if part]
            except (RecursionError, MemoryError, OverflowError):
                return None
            if not all(map(shareable, parts)):
                return None
            try:
                parts = [_compiled(part) for part in parts]
            except (RecursionError, MemoryError, OverflowError):
                return None
            self.handles.clear()  # cleared in place, since the decoder of this request refers to it
            self._module = types.ModuleType("solution")
            sys.modules["solution"] = self._module
            for clear in getattr(typing, "_cleanups", ()):
                clear()  # the cache of `List[f]` keeps f alive, and f the names of the last solution
            gc.collect()
        space = self._module.__dict__
        for part in parts:
            exec(_compiled(part) if alone else part, space)
        return {name: space[name] for name in names if name in space}

    def tuple_class(self, name: str, fields: tuple[str, ...]) -> type:
        """Return the solution's class of named tuples with these names, or a new one if the solution has none."""
        own = self._module.__dict__.get(name)
        if isinstance(own, type) and issubclass(own, tuple) and getattr(own, "_fields", None) == fields:
            return own
        return tuple_class(name, fields)

    @property
    def names(self) -> dict[str, Any]:
        """The global names of the solution."""
        return self._module.__dict__

    def value_of(self, name: str) -> Any:
        """Return the present value of a global name of the solution. Raises NameError if there is none."""
        try:
            return self._module.__dict__[name]
        except KeyError:
            raise NameError(f"name {name!r} is not defined") from None

    def batch(self, name: str, calls: list[list[Any]] | bytes, limit: float = math.inf) -> tuple[list[Any], Any]:
        """Call one function with each list of arguments in `calls`, which may be marshalled.

        Stop at the first exception, or when the outputs have more than `limit` items.
        Return the outputs, and the exception as `error_fields` encodes it, or None. Raises NameError if the function is
        not defined. Raises an exception of a call, such as SystemExit, that is not an Exception.
        """
        if name not in self._module.__dict__:
            raise NameError(f"name {name!r} is not defined")
        function, outputs, items = self._module.__dict__[name], list[Any](), 0
        for arguments in marshal.loads(calls) if isinstance(calls, bytes) else calls:
            if items > limit:
                break
            try:
                output = function(*arguments)
                items += len(output) if type(output) in _SIZED else 0
                outputs.append(output)
            except Exception as error:  # noqa: BLE001 - the error is the answer
                return outputs, error_fields(error)
        return outputs, None

    def answer(self, request: bytes) -> bytes:
        """Carry out one request, and return the encoded answer.

        The answer holds the number of the request, a sign (+ or -), the value or the error, and the new contents of
        arguments that the solution changed in place.
        """
        decoder = Decoder(request, self.handles.resolve)
        decoder.tuple_class = self.tuple_class
        number = self._number = decoder.take(4)
        operation, *parts = decoder.value()
        # The test runner does not read a batch's arguments afterwards, so their changes are not reported. A call copies
        # its dict of keywords, so a call whose only container is this dict changes nothing.
        table = [] if operation in ("batch", "front") else decoder.table
        before = _snapshot(table) if operation != "call" or len(table) > 1 else []
        try:
            value, sign = OPERATIONS[operation](self, *parts), b"+"
        except BaseException as error:  # noqa: BLE001 - SystemExit and KeyboardInterrupt are answers too
            value, sign = error_fields(error), b"-"
        changed = [at for at, old in enumerate(before) if not _same(old, _shallow(table[at]))]
        if not changed and sign == b"+" and (written := scalar_bytes(value)) is not None:
            return answer_bytes(number, written)
        encoder = Encoder(self.handles.of, exact=False, table=table)
        encoder.functions = operation not in NAMING
        body = [number, sign, encoder.encode(value), U32.pack(len(changed))]
        body += [U32.pack(at) + encoder.contents(table[at]) for at in changed]
        return b"".join(body)


def _call(server: Server, target: Any, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    return target(*arguments, **keywords)


def _call_method(server: Server, owner: Any, name: str, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    """Call the method `name` of a new instance of `owner`, for tests of the kind "calls"."""
    return getattr(owner(), name)(*arguments, **keywords)


def _call_nodes(
    server: Server, owner: Any, name: str, arguments: tuple[Any, ...], keywords: dict[str, Any], forms: str
) -> Any:
    """Call a function or a method with linked lists and trees, for tests of the kind "calls".

    owner: the function if `name` is "", and otherwise the class of the method `name`.
    """
    return call_with_nodes(server.names, getattr(owner(), name) if name else owner, arguments, forms)


def _run_program(server: Server, preamble: str, source: str, text: str) -> bytes:
    """Run a whole program, for tests of the kinds "stdio" and "checker"."""
    return run_program(preamble, source, text, server.send)


def _run_captured(server: Server, source: str) -> Captured:
    """Run a whole program, for tests of the kind "run"."""
    return run_captured(source, server.send)


def _next(server: Server, iterator: Iterator[Any]) -> Any:
    return next(iterator)


OPERATIONS: dict[str, Callable[..., Any]] = {
    "load": Server.load,
    "batch": Server.batch,
    "front": lambda server, name, calls: server.batch(name, calls, MAX_ITEMS),
    "call": _call,
    "next": _next,
    "getattr": lambda server, target, name: getattr(target, name),
    "setattr": lambda server, target, name, value: setattr(target, name, value),
    "getitem": lambda server, target, key: target[key],
    "setitem": lambda server, target, key, value: target.__setitem__(key, value),
    "len": lambda server, target: len(target),
    "bool": lambda server, target: bool(target),
    "iter": lambda server, target: iter(target),
    "str": lambda server, target: str(target),
    "repr": lambda server, target: repr(target),
    "format": lambda server, target, form: format(target, form),
    "hash": lambda server, target: hash(target),
    "differ": lambda server, target, other: bool(target != other) and not target == other,  # noqa: SIM201
    "delattr": lambda server, target, name: delattr(target, name),
    "delitem": lambda server, target, key: target.__delitem__(key),
    "name": Server.value_of,
    "method": _call_method,
    "nodes": _call_nodes,
    "stdio": _run_program,
    "run": _run_captured,
}
"""What the test runner may request, by name. "front" is a batch that ends early when its outputs are large."""


NAMING = ("load", "name")
"""Requests for names of the solution. A function crosses as a handle, since the solution's own process must call it."""


def run() -> None:
    """Answer the test runner's requests on descriptor 3 until the test runner closes its end."""
    sys.argv[:] = ["solution"]
    server, requests = Server(), frames.Stream(CHANNEL)
    while True:
        try:
            request = requests.next()
        except frames.Closed:
            return
        try:
            reply = server.answer(request)
            if len(reply) > MAX_REPLY:
                raise MemoryError("the answer is larger than 64 MiB")
        except BaseException as error:  # noqa: BLE001 - a value that cannot be encoded is reported as an error
            reply = request[:4] + b"-" + Encoder(lambda _: None, exact=False).encode(error_fields(error)) + U32.pack(0)
        try:
            frames.send(CHANNEL, reply)
        except (frames.Closed, OSError):
            os._exit(71)
