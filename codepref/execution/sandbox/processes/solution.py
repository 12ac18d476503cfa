"""The solution's process: runs a solution and answers calls. It never holds a test, an expected value or a verdict.

It runs one solution, or several in turn that can leave nothing behind. Whatever a solution does to this process, it can
only spoil its own answers. The test runner decodes them strictly.
"""

from __future__ import annotations

import ast
import builtins
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
from ..kinds import KINDS
from ..wire import frames
from ..wire.decoder import Decoder
from ..wire.encoder import Encoder
from ..wire.plain_data import U32

MAX_REPLY = 1 << 26
"""Bytes of one answer at most (64 MiB)."""

MAX_SHARED = 50_000
"""Characters of a source that may share a process."""

MAX_ITEMS = 100_000
"""Items, or characters, from which on a reference's outputs are split into another answer."""

_SIZED = frozenset({list, tuple, dict, set, frozenset, str, bytes})


class Handles:
    """Numbers for the objects that cannot cross and stay here."""

    def __init__(self) -> None:
        self._objects: list[Any] = []
        self._numbers: dict[int, int] = {}

    def clear(self) -> None:
        """Drop all objects."""
        self._objects.clear()
        self._numbers.clear()

    def of(self, value: Any) -> bytes | None:
        """The encoded handle of `value`. None for numpy data, which crosses."""
        kind = type(value)
        if kind.__module__ == "numpy" and kind.__name__ != "ufunc" and not callable(value):
            dtype = getattr(value, "dtype", None)
            if dtype is not None and dtype.kind in "biufcSU":
                return None
        number = self._numbers.setdefault(id(value), len(self._objects))
        if number == len(self._objects):
            self._objects.append(value)
        form = b"i" if hasattr(kind, "__next__") else b"c" if callable(value) else b"o"
        named = value if isinstance(value, type) else kind
        if kind is types.ModuleType:
            form, named = b"m", value
        name = named.__name__.encode("utf-8", "replace")[:100]
        return b"h" + form + U32.pack(number) + U32.pack(len(name)) + name

    def resolve(self, kind: bytes, number: int, name: str) -> Any:
        """The object of a handle that the test runner sent back, or the builtin of that name."""
        return getattr(builtins, name) if kind == b"b" else self._objects[number]


def _snapshot(table: list[Any]) -> list[Any]:
    return [_shallow(container) for container in table]


def _shallow(container: Any) -> Any:
    if isinstance(container, dict):
        return (list(container), list(container.values()))
    return bytes(container) if isinstance(container, bytearray) else list(container)


def _same(before: Any, after: Any) -> bool:
    if isinstance(before, tuple):
        return all(_same(*pair) for pair in zip(before, after, strict=True))
    if isinstance(before, bytes):
        return bool(before == after)
    return len(before) == len(after) and all(map(_is, before, after))


def _is(first: Any, second: Any) -> bool:
    return first is second


def _error(error: BaseException) -> tuple[Any, ...]:
    """An exception as plain data: its name, the nearest builtin type, its arguments or its text, and errno."""
    kind = type(error)
    base = next(cls for cls in kind.__mro__ if getattr(builtins, cls.__name__, None) is cls)
    arguments = error.args if all(type(part) in (str, int, float, bool, type(None)) for part in error.args) else ()
    if not arguments and error.args:
        try:
            arguments = (str(error),)
        except BaseException:  # noqa: BLE001 - the error is reported even where a hostile __str__ raises
            arguments = ()
    return kind.__name__, base.__name__, arguments, getattr(error, "errno", None)


def _compiled(part: str | ast.Module) -> types.CodeType:
    code: types.CodeType = compile(part, "<solution>", "exec", dont_inherit=True)
    return code


class Server:
    """Answers the test runner's requests, one at a time."""

    def __init__(self) -> None:
        self.handles = Handles()
        self._module = types.ModuleType("solution")

    def load(self, preamble: str, source: str, names: tuple[str, ...], alone: bool = True) -> dict[str, Any] | None:
        """Run the solution's source. Returns those of `names` that it defines, as values or handles.

        alone: no other solution will run here. Where alone is False and the source could leave something behind, this
        runs nothing and returns None.
        """
        parts: list[Any] = [preamble, source]
        sys.modules["solution"] = self._module
        if not alone:
            if len(preamble) + len(source) > MAX_SHARED:
                return None  # parsing it would be charged to the solution
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
            self.handles.clear()  # a new object would not do: the decoder of this request refers to this one
            self._module = types.ModuleType("solution")
            sys.modules["solution"] = self._module
            for clear in getattr(typing, "_cleanups", ()):
                clear()  # `List[f]` keeps f alive, and with it the names of the last solution
            gc.collect()
        space = self._module.__dict__
        for part in parts:
            exec(_compiled(part) if alone else part, space)
        return {name: space[name] for name in names if name in space}

    def batch(self, name: str, calls: list[list[Any]] | bytes, limit: float = math.inf) -> tuple[list[Any], Any]:
        """Call one function with each list of arguments, which may be marshalled.

        Stops at the first exception, or when the outputs have more than `limit` items. Returns the outputs, and the
        exception or None.
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
                return outputs, _error(error)
        return outputs, None

    def answer(self, request: bytes) -> bytes:
        """The answer to one request: its number, a sign, the value or the error, and the arguments that changed."""
        decoder = Decoder(request, self.handles.resolve)
        number = decoder.take(4)
        operation, *parts = decoder.value()
        # Nobody looks at a batch's arguments afterwards, so their changes are not reported.
        table = [] if operation in ("batch", "front") else decoder.table
        before = _snapshot(table)
        try:
            value, sign = OPERATIONS[operation](self, *parts), b"+"
        except BaseException as error:  # noqa: BLE001 - SystemExit and friends are answers too
            value, sign = _error(error), b"-"
        changed = [at for at, old in enumerate(before) if not _same(old, _shallow(table[at]))]
        encoder = Encoder(self.handles.of, exact=False, table=table)
        body = [number, sign, encoder.encode(value), U32.pack(len(changed))]
        body += [U32.pack(at) + encoder.contents(table[at]) for at in changed]
        return b"".join(body)


def _call(server: Server, target: Any, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    return target(*arguments, **keywords)


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
}
"""What the test runner may request. "front" is a batch that ends early when its outputs grow large."""

for _kind in KINDS.values():
    OPERATIONS |= _kind.operations


def run() -> None:
    """Serve the test runner at the other end of descriptor 3 until it is gone."""
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
                raise MemoryError("an answer of more than 64 MiB")
        except BaseException as error:  # noqa: BLE001 - a value that cannot be encoded is reported as an error
            reply = request[:4] + b"-" + Encoder(lambda _: None, exact=False).encode(_error(error)) + U32.pack(0)
        try:
            frames.send(CHANNEL, reply)
        except (frames.Closed, OSError):
            os._exit(71)
