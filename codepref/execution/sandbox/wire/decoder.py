"""The strict decoder. It turns bytes, which may come from an untrusted process, into plain data of exact types.

The decoder raises Malformed for bytes that are not a valid encoding. It leaves handles to the function `make_handle`.
"""

from __future__ import annotations

import importlib
from collections import deque
from collections.abc import Callable
from struct import Struct
from typing import Any

from .library_values import tuple_class
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
    """Raise Malformed. This function is the `make_handle` for messages that must not hold handles."""
    raise Malformed("a handle stands where only plain data is allowed")


def imported_numpy() -> Any:
    """Return the module numpy. Import it if it is not loaded yet. Raises ImportError if it is not installed."""
    import numpy

    return numpy


def imported_pandas() -> Any:
    """Return the module pandas. Import it if it is not loaded yet. Raises ImportError if it is not installed."""
    return importlib.import_module("pandas")


class Decoder:
    """Decodes the values of one message.

    make_handle: called with the kind, the number and the name in a handle. It returns the object for the handle.
    table: the mutable containers that both sides know already, as in Encoder. A reference to a number of the table
    yields the receiver's own container.

    Attributes:
        find_numpy: called when a value of numpy arrives. It returns the module numpy.
        find_pandas: called when a value of pandas arrives. It returns the module pandas.
        may_miss: called when a table holds missing values that comparisons pass over. If it returns False, the proxy of
        the original arrives instead.
        tuple_class: called with a name and the names of fields. It returns the class of named tuples that has them.
        keep: called with a value and the proxy of its original, when a value arrives that crosses back as a handle.
    """

    def __init__(self, data: bytes, make_handle: MakeHandle = no_handles, table: list[Any] | None = None) -> None:
        self.table: list[Any] = [] if table is None else table
        self.at = 0
        self.make_handle = make_handle
        self.find_numpy: Callable[[], Any] = imported_numpy
        self.find_pandas: Callable[[], Any] = imported_pandas
        self.may_miss: Callable[[], bool] = lambda: True
        self.tuple_class: Callable[[str, tuple[str, ...]], type] = tuple_class
        self.keep: Callable[[Any, Any], None] = lambda value, proxy: None
        self._data = data
        self._depth = 0

    def value(self) -> Any:
        """Return the next value.

        Raises Malformed, and errors of `make_handle`, `find_numpy` and `find_pandas` that are not in _BUILDING_ERRORS.
        """
        return self._whole(self._value)

    def replace(self, target: Any) -> None:
        """Read new contents (see `Encoder.contents`) and put them into the container `target`, in place.

        Raises Malformed, also if the contents are of another type than `target`. Raises what `value` raises.
        """
        known = len(self.table)
        fresh = self._whole(self._value)
        if len(self.table) <= known or self.table[known] is not fresh or type(fresh) is not type(target):
            raise Malformed("the new contents of a container are of another type than the container")
        del self.table[known]
        if isinstance(target, (dict, set, deque)):
            target.clear()
            (target.extend if isinstance(target, deque) else target.update)(fresh)
        elif isinstance(target, (list, bytearray)):
            target[:] = fresh
        elif (target.shape, target.dtype) != (fresh.shape, fresh.dtype) or not target.flags.writeable:
            raise Malformed("the new contents of an array have another shape or type than the array")
        else:
            target[...] = fresh

    def finished(self) -> None:
        """Raise Malformed if bytes are left over."""
        if self.at != len(self._data):
            raise Malformed("bytes are left over after the last value")

    def take(self, count: int) -> bytes:
        """Return the next `count` raw bytes. Raises Malformed if there are fewer."""
        end = self.at + count
        if end > len(self._data):
            raise Malformed("the bytes end too early")
        data = self._data[self.at : end]
        self.at = end
        return data

    def rest(self) -> bytes:
        """Return all raw bytes that are left."""
        return self.take(len(self._data) - self.at)

    def u32(self) -> int:
        """Return the next unsigned 32-bit number. Raises Malformed if fewer than four bytes are left."""
        at = self.at
        if at + 4 > len(self._data):
            raise Malformed("the bytes end too early")
        self.at = at + 4
        number: int = U32.unpack_from(self._data, at)[0]
        return number

    def items(self) -> list[Any]:
        """Read the items of a container and return them.

        The bytes are the number of items, the form of the items, and the items. Malformed items raise Malformed or an
        error that `value` turns into Malformed.
        """
        data, count = self._data, self.u32()
        if count > len(data) - self.at:  # each item takes at least a byte, so a short message cannot make a long list
            raise Malformed("a container announces more items than bytes are left")
        form = self.take(1)
        if form != b"-":
            return self._packed(form, count)
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise Malformed("the value is nested too deeply")
        items: list[Any] = []
        readers, size = READERS, len(data)
        for _ in range(count):
            at = self.at
            read = readers.get(data[at]) if at < size else None
            if read is None:
                raise self._no_value(at)
            self.at = at + 1
            items.append(read(self))
        self._depth -= 1
        return items

    def part(self) -> Any:
        """Read and return a value inside another one. It raises what a reader raises."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise Malformed("the value is nested too deeply")
        value = self._value()
        self._depth -= 1
        return value

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
        at = self.at
        read = READERS.get(self._data[at]) if at < len(self._data) else None
        if read is None:
            raise self._no_value(at)
        self.at = at + 1
        return read(self)

    def _no_value(self, at: int) -> Malformed:
        if at >= len(self._data):
            return Malformed("the bytes end too early")
        return Malformed(f"the tag {self._data[at : at + 1]!r} is unknown")

    def _packed(self, form: bytes, count: int) -> list[Any]:
        if form in (b"q", b"d", b"?"):
            return self._numbers(f"{count}{form.decode()}")
        if form == b"n":
            codes = self.take(count)
            if codes.strip(b"qd?"):
                raise Malformed("the form of the items of a container is unknown")
            return self._numbers(codes.decode())
        if form != b"s":
            raise Malformed("the form of the items of a container is unknown")
        items: list[Any] = read_str(self).split("\0")
        if len(items) != count:
            raise Malformed("a container announces another number of texts than it holds")
        return items

    def _numbers(self, layout: str) -> list[Any]:
        form = Struct("<" + layout)
        return list(form.unpack(self.take(form.size)))
