"""The judge's end of the wall: stand-ins for the solution's objects, and the calls that cross.

A stand-in compares by identity alone, is always true, and has no ordering or arithmetic: whatever `__eq__` the
solution wrote never runs here, and never decides anything. Limits are checked here for each test: CPU time of the
judged process is read from its clock, from outside.
"""

from __future__ import annotations

import builtins
import os
import select
import sys
import time
from collections.abc import Iterator
from typing import Any, NoReturn

from . import status
from .codec import U32, Encoder, Malformed, Unencodable
from .decoder import Decoder
from .frames import LENGTH

MAX_REPLY = 1 << 26
MARK = "_raised_by_solution"
_OWN_MODULES = sys.stdlib_module_names | {"numpy"}
_exit, _now, _clock = os._exit, time.monotonic, time.clock_gettime


class Stopped(BaseException):
    """Never caught: the judge has written its last letter and exits."""


def clock_of(pid: int) -> int:
    """The kernel's id of another process's CPU clock (the inverse of what `clock_getcpuclockid` computes)."""
    return (~pid << 3) | 2


class Link:
    """Requests to one judged process and strict reading of its replies.

    When the solution dies, runs out of time or breaks the protocol, the letter is written to the status page and this
    process ends on the spot: no test code sees an exception that it could swallow.
    """

    def __init__(self, descriptor: int, pid: int, page: status.StatusPage) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLIN)
        self._poll_both = select.poll()
        self._poll_both.register(descriptor, select.POLLIN | select.POLLOUT)
        self._clock = clock_of(pid)
        self._page = page
        self._number = 0
        self._objects: dict[tuple[bytes, int], Any] = {}
        self.current = 0
        self.crossing_failed = ""
        self.last_reply = 0
        self._cpu_end = self._wall_end = 0.0

    def begin(self, test: int, cpu_seconds: float, wall_seconds: float) -> None:
        """Start the budgets of a test (or of loading): CPU time of the judged process, and the wall ceiling."""
        self.current, self.crossing_failed = test, ""
        self._cpu_end = _clock(self._clock) + cpu_seconds
        self._wall_end = _now() + wall_seconds

    def used(self) -> float:
        """Seconds of CPU that the judged process has used in all."""
        return _clock(self._clock)

    def check(self) -> None:
        """Stop when the judged process has used more than its budget, however quick the last answer seemed."""
        if _clock(self._clock) > self._cpu_end:
            self.stop(ord("T"), "the solution used up its CPU time")

    def stop(self, letter: int, detail: str) -> NoReturn:
        """Write the letter of the current test and end this process."""
        self._page.describe(f"test {self.current}: {detail}")
        self._page.set(self.current, letter)
        _exit(0)
        raise Stopped

    def request(self, operation: str, *parts: Any) -> Any:
        """One request; its value, or the solution's exception raised. In-place changes are copied back."""
        encoder = Encoder(handle_of, exact=True)
        try:
            body = encoder.encode((operation, *parts))
        except Unencodable as error:
            self.crossing_failed = self.crossing_failed or str(error)
            raise
        decoder = self._exchange(body, encoder.table)
        return self._outcome(decoder, encoder.table)

    def batch(self, body: bytes) -> list[tuple[bool, Any]]:
        """The results of a batch whose request was encoded beforehand: (True, value) or (False, error)."""
        results = self._outcome(self._exchange(body, []), [])
        plain = type(results) is list and all(type(pair) is tuple and len(pair) == 2 for pair in results)
        if not plain or any(type(fine) is not bool for fine, _ in results):
            self.stop(ord("E"), "the solution's process answered out of form")
        checked: list[tuple[bool, Any]] = results
        return checked

    def _exchange(self, body: bytes, table: list[Any]) -> Decoder:
        self._number += 1
        number = U32.pack(self._number)
        self._send(LENGTH.pack(len(body) + 4) + number + body)
        (length,) = LENGTH.unpack(self._read(4))
        self.last_reply = length
        if length > MAX_REPLY:
            self.stop(ord("E"), "the solution's answer is larger than 64 MiB")
        decoder = Decoder(self._read(length), self._handle, list(table))
        if length < 5 or decoder.take(4) != number:
            self.stop(ord("E"), "the solution's process answered out of turn")
        return decoder

    def _outcome(self, decoder: Decoder, table: list[Any]) -> Any:
        try:
            fine = decoder.take(1)
            value = decoder.value()
            for _ in range(decoder.u32()):
                decoder.replace(table[decoder.u32()])
            decoder.finished()
            if fine == b"-":
                value = exception_from(value)
            elif fine != b"+":
                raise Malformed("neither value nor error")
        except (Malformed, IndexError) as error:
            self.stop(ord("E"), f"the solution's process answered out of form ({error})")
        if fine == b"-":
            raise value
        return value

    def _send(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._descriptor, view) :]
            except BlockingIOError:
                self._wait(self._poll_both)
            except OSError:
                self._died()

    def _read(self, count: int) -> bytes:
        parts = []
        while count:
            self._wait(self._poll)
            try:
                part = os.read(self._descriptor, min(count, 1 << 20))
            except BlockingIOError:
                continue
            except OSError:
                self._died()
            if not part:
                self._died()
            parts.append(part)
            count -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _wait(self, poll: select.poll) -> None:
        """Wait for the descriptor; the budgets are looked at each time, so that a trickle of bytes buys nothing."""
        while True:
            cpu_left = self._cpu_end - _clock(self._clock)
            wall_left = self._wall_end - _now()
            if cpu_left <= 0:
                self.stop(ord("T"), "the solution used up its CPU time")
            if wall_left <= 0:
                self.stop(ord("T"), "the solution sat idle until the wall-clock ceiling")
            # CPU time cannot pass faster than the wall clock but for threads, which the next look accounts for.
            if poll.poll(1000 * min(cpu_left, wall_left) + 1):
                return

    def _died(self) -> NoReturn:
        self.stop(status.DIED, "the solution's process ended")

    def _handle(self, kind: bytes, number: int, name: str) -> Any:
        known = self._objects.get((kind, number))
        if known is None and kind == b"m" and name in _OWN_MODULES:
            # A module that the solution imported and the test uses without importing it: the judge has its own.
            known = self._objects[kind, number] = __import__("importlib").import_module(name)
        if known is None:
            base = {b"o": RemoteObject, b"m": RemoteObject, b"c": RemoteCallable, b"i": RemoteIterator}.get(kind)
            if base is None:
                raise Malformed("unknown kind of handle")
            known = object.__new__(type(name, (base,), {"__slots__": (), "__module__": "solution"}))
            object.__setattr__(known, "_link", self)
            object.__setattr__(known, "_reference", kind + U32.pack(number))
            self._objects[kind, number] = known
        return known


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
        """Call it over there with plain arguments."""
        return _ask(self, "call", arguments, keywords)


class RemoteIterator(RemoteObject):
    """Stands for an iterator or generator: each step is a call."""

    __slots__ = ()

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        return _ask(self, "next")


def _ask(target: RemoteObject, operation: str, *parts: Any) -> Any:
    link: Link = object.__getattribute__(target, "_link")
    return link.request(operation, target, *parts)
