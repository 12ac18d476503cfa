"""The strict decoder: it turns hostile bytes into plain data of exact builtin types, or raises Malformed.

It runs no code that the bytes could name. It builds builtin objects and asks `make_handle` for handles, nothing else.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from struct import Struct
from typing import Any

from .plain_data import MAX_DEPTH, STRUCT_ERROR, U32, DeepStack, Malformed
from .readers import READERS, read_str

_BUILDING_ERRORS = (
    ValueError,
    TypeError,
    OverflowError,
    ArithmeticError,
    UnicodeError,
    LookupError,
    MemoryError,
    STRUCT_ERROR,
)

MakeHandle = Callable[[bytes, int, str], Any]


def no_handles(kind: bytes, number: int, name: str) -> Any:
    """The `make_handle` of messages that must not hold handles."""
    raise Malformed("a handle where only plain data is allowed")


def imported_numpy() -> Any:
    """The module numpy. This imports it where it is not loaded yet."""
    import numpy

    return numpy


class Decoder:
    """Decodes the values of one message. `table`: as in Encoder, so references find the receiver's own objects.

    make_handle(kind, number, type name): returns the object that stands for what did not cross.
    find_numpy: called when an array arrives.
    """

    def __init__(self, data: bytes, make_handle: MakeHandle = no_handles, table: list[Any] | None = None) -> None:
        self.table: list[Any] = [] if table is None else table
        self.at = 0
        self.make_handle = make_handle
        self.find_numpy: Callable[[], Any] = imported_numpy
        self._data = data
        self._depth = 0

    def value(self) -> Any:
        """The next value. Raises Malformed."""
        return self._whole(self._value)

    def replace(self, target: Any) -> None:
        """Read contents (`Encoder.contents`) and put them into `target` in place, so that it stays the same object.

        Raises Malformed.
        """
        known = len(self.table)
        fresh = self._whole(self._value)
        if len(self.table) <= known or self.table[known] is not fresh or type(fresh) is not type(target):
            raise Malformed("contents of another type than the container's")
        del self.table[known]
        if isinstance(target, (dict, set, deque)):
            target.clear()
            (target.extend if isinstance(target, deque) else target.update)(fresh)
        else:
            target[:] = fresh

    def finished(self) -> None:
        """Raise Malformed when bytes are left over."""
        if self.at != len(self._data):
            raise Malformed("bytes left over")

    def take(self, count: int) -> bytes:
        """The next `count` raw bytes. Raises Malformed."""
        end = self.at + count
        if end > len(self._data):
            raise Malformed("cut short")
        data = self._data[self.at : end]
        self.at = end
        return data

    def rest(self) -> bytes:
        """All raw bytes that are left."""
        return self.take(len(self._data) - self.at)

    def u32(self) -> int:
        """The next unsigned 32-bit number. Raises Malformed."""
        number: int = U32.unpack(self.take(4))[0]
        return number

    def items(self) -> list[Any]:
        """The items of a container: their number, their form, then the values. Raises Malformed."""
        count = self.u32()
        if count > len(self._data) - self.at:  # each item takes a byte or more, so a short message makes no long list
            raise Malformed("more items announced than bytes sent")
        form = self.take(1)
        if form != b"-":
            return self._packed(form, count)
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise Malformed("nested too deeply")
        items = [self._value() for _ in range(count)]
        self._depth -= 1
        return items

    def _whole(self, read: Callable[[], Any]) -> Any:
        start, known = self.at, len(self.table)
        try:
            self._depth = 0
            return read()
        except RecursionError:
            self.at, self._depth = start, 0
            del self.table[known:]
            with DeepStack():
                return self._again(read)
        except _BUILDING_ERRORS as error:
            raise Malformed(f"{type(error).__name__}: {error}") from None

    def _again(self, read: Callable[[], Any]) -> Any:
        try:
            return read()
        except (*_BUILDING_ERRORS, RecursionError) as error:
            raise Malformed(f"{type(error).__name__}: {error}") from None

    def _value(self) -> Any:
        data, at = self._data, self.at
        if at >= len(data):
            raise Malformed("cut short")
        read = READERS.get(data[at])
        if read is None:
            raise Malformed(f"unknown tag {data[at : at + 1]!r}")
        self.at = at + 1
        return read(self)

    def _packed(self, form: bytes, count: int) -> list[Any]:
        if form in (b"q", b"d", b"?"):
            return self._numbers(f"{count}{form.decode()}")
        if form == b"n":
            codes = self.take(count)
            if codes.strip(b"qd?"):
                raise Malformed("unknown form of items")
            return self._numbers(codes.decode())
        if form != b"s":
            raise Malformed("unknown form of items")
        items: list[Any] = read_str(self).split("\0")
        if len(items) != count:
            raise Malformed("another number of texts than announced")
        return items

    def _numbers(self, layout: str) -> list[Any]:
        form = Struct("<" + layout)
        return list(form.unpack(self.take(form.size)))
