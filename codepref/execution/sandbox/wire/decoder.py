"""The strict decoder. It turns bytes from an untrusted process into plain data of exact types, or raises Malformed.

The decoder runs no code that the bytes could choose. It builds plain data, and calls `make_handle` for handles.
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
    """Raise Malformed. This is the `make_handle` for messages that must not hold handles."""
    raise Malformed("a handle where only plain data is allowed")


def imported_numpy() -> Any:
    """Return the module numpy. Import it if it is not loaded yet."""
    import numpy

    return numpy


class Decoder:
    """Decodes the values of one message.

    make_handle(kind, number, type name): returns the object that stands for a value that stayed with the sender.
    table: the mutable containers that both sides know already, as in Encoder. A reference to a number of the table
    yields the receiver's own container.

    Attributes:
        find_numpy: called when an array arrives. It returns the module numpy.
    """

    def __init__(self, data: bytes, make_handle: MakeHandle = no_handles, table: list[Any] | None = None) -> None:
        self.table: list[Any] = [] if table is None else table
        self.at = 0
        self.make_handle = make_handle
        self.find_numpy: Callable[[], Any] = imported_numpy
        self._data = data
        self._depth = 0

    def value(self) -> Any:
        """Return the next value. Raises Malformed."""
        return self._whole(self._value)

    def replace(self, target: Any) -> None:
        """Read new contents (see `Encoder.contents`) and put them into `target`, which stays the same object.

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
        """Return the next `count` raw bytes. Raises Malformed if there are fewer."""
        end = self.at + count
        if end > len(self._data):
            raise Malformed("cut short")
        data = self._data[self.at : end]
        self.at = end
        return data

    def rest(self) -> bytes:
        """Return all raw bytes that are left."""
        return self.take(len(self._data) - self.at)

    def u32(self) -> int:
        """Return the next unsigned 32-bit number. Raises Malformed."""
        number: int = U32.unpack(self.take(4))[0]
        return number

    def items(self) -> list[Any]:
        """Read the items of a container and return them. Raises Malformed.

        The bytes are the number of items, their form, and then the items.
        """
        count = self.u32()
        if (
            count > len(self._data) - self.at
        ):  # each item takes at least a byte, so a short message cannot make a long list
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
