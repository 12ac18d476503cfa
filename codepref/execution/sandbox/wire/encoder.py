"""The encoder of plain data. A value of a plain type arrives as a value of exactly the same type.

If the argument `exact` of `Encoder` is false, an instance of a subclass arrives as its base type, without the methods
of the subclass. Numpy values and values with a form (see `library_values`) are exceptions. Mutable containers are
numbered in the order in which the encoder meets them, and the decoder uses the same numbers. When the encoder meets a
container again, it writes a reference to the number. So aliases of such containers survive, and a container that was
changed in place can be reported by its number.
"""

from __future__ import annotations

import datetime
import sys
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable
from decimal import Decimal
from fractions import Fraction
from typing import Any

from .forms import date_fields, dict_tag, numpy_bytes, packed
from .library_values import form_of, keeps_handle
from .plain_data import BUILTIN_TYPES, F64, I64, MAX_DEPTH, NUMPY_KINDS, TWO_F64, U32, DeepStack, Unencodable
from .tables import table_form

SHORT = 8
"""A container with at least this many items is written by `packed`, if `packed` can write its items."""

_EMPTY: dict[Any, Any] = {}
_KEYS: type = type(_EMPTY.keys())
_VALUES: type = type(_EMPTY.values())
_ITEMS: type = type(_EMPTY.items())

HandleOf = Callable[[Any], bytes | None]


class Encoder:
    """Encodes values.

    handle_of: called with a value for which a handle may be needed. It returns the encoded handle of the value, or
        None. After None the encoder writes a value that has a form or is numpy data, and raises Unencodable for any
        other value.
    exact: whether to treat an instance of a subclass like a value that is not plain data. The test runner does so,
        since a solution may need what a test's own class adds to its base.
    table: mutable containers that both sides know already.

    Attributes:
        table: the mutable containers by number. The encoder appends each new container that it meets.
    """

    def __init__(self, handle_of: HandleOf, *, exact: bool, table: list[Any] | None = None) -> None:
        self.table: list[Any] = [] if table is None else table
        self._index = {id(value): at for at, value in enumerate(self.table)}
        self._handle_of = handle_of
        self._exact = exact
        self._out: list[bytes] = []
        self._depth = 0

    def encode(self, value: Any) -> bytes:
        """Encode one value.

        Raises Unencodable, RecursionError for more than MAX_DEPTH levels of nesting, and, among other errors, what
        `handle_of` raises.
        """
        return self._whole(self._value, value)

    def contents(self, container: Any) -> bytes:
        """Encode a container of the table with its contents, not as a reference. `Decoder.replace` reads the result."""
        return self._whole(self._contents, container)

    def _whole(self, write: Callable[[Any], None], value: Any) -> bytes:
        known = len(self.table)
        try:
            self._out, self._depth = [], 0
            write(value)
        except RecursionError:
            self._forget(known)
            with DeepStack():
                self._out, self._depth = [], 0
                write(value)
        return b"".join(self._out)

    def _forget(self, known: int) -> None:
        for value in self.table[known:]:
            self._index.pop(id(value), None)
        del self.table[known:]

    def _value(self, value: Any) -> None:
        write = _WRITERS.get(type(value))
        if write is None:
            form = form_of(value, from_test=self._exact)
            if form is not None:
                self._form(value, *form)
                return
            write = None if self._exact else _writer_of_base(value)
            if write is None:
                self._other(value)
                return
        write(self, value)

    def _form(self, value: Any, name: str, fields: tuple[Any, ...]) -> None:
        handle = self._handle_of(value) if not self._exact and keeps_handle(name) else None
        parts = (name, *fields)
        self._out.append(b"X" + (b"N" if handle is None else handle))
        self._items(b"t", parts, len(parts))

    def _other(self, value: Any) -> None:
        if not self._exact and (form := table_form(value)) is not None:
            self._form(value, *form)
            return
        numpy = sys.modules.get("numpy")
        if numpy is not None and type(value) is numpy.ndarray and value.dtype.kind in NUMPY_KINDS:
            self._mutable(value)
            return
        handle = self._handle_of(value)
        if handle is None and (written := numpy_bytes(value)) is not None:
            self._out.append(written)
        elif handle is None:
            raise Unencodable(type(value).__name__, value)
        else:
            self._out.append(handle)

    def _none(self, value: Any) -> None:
        self._out.append(b"N" if value is None else b"E")

    def _bool(self, value: bool) -> None:
        self._out.append(b"T" if value else b"F")

    def _int(self, value: int) -> None:
        value = int.__int__(value)
        if -(1 << 63) <= value < 1 << 63:
            self._out.append(b"i" + I64.pack(value))
        else:
            self._bytes_of(b"I", value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True))

    def _float(self, value: float) -> None:
        self._out.append(b"f" + F64.pack(float.__float__(value)))

    def _complex(self, value: complex) -> None:
        self._out.append(b"c" + TWO_F64.pack(value.real, value.imag))

    def _str(self, value: str) -> None:
        self._bytes_of(b"s", str.encode(value, "utf-8", "surrogatepass"))

    def _bytes(self, value: bytes) -> None:
        self._bytes_of(b"b", bytes(memoryview(value)))

    def _bytes_of(self, tag: bytes, data: bytes) -> None:
        self._out.append(tag + U32.pack(len(data)))
        self._out.append(data)

    def _items(self, tag: bytes, items: Iterable[Any], count: int) -> None:
        self._out.append(tag + U32.pack(count))
        if count >= SHORT:
            items = list(items)
            body = packed(items)
            if body is not None:
                self._out.append(body)
                return
        self._out.append(b"-")
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise RecursionError("the value is nested too deeply to cross to another process")
        writers, value_of = _WRITERS, self._value
        for item in items:
            write = writers.get(type(item))
            if write is None:
                value_of(item)
            else:
                write(self, item)
        self._depth -= 1

    def _tuple(self, value: tuple[Any, ...]) -> None:
        self._items(b"t", tuple.__iter__(value), tuple.__len__(value))

    def _frozenset(self, value: frozenset[Any]) -> None:
        self._items(b"z", frozenset.__iter__(value), frozenset.__len__(value))

    def _triple(self, value: Any) -> None:
        self._items(b"r" if isinstance(value, range) else b":", (value.start, value.stop, value.step), 3)

    def _view(self, value: Any) -> None:
        tag = {_KEYS: b"k", _VALUES: b"v", _ITEMS: b"w"}[type(value)]
        items = list(value)
        self._items(tag, items, len(items))

    def _decimal(self, value: Decimal) -> None:
        self._bytes_of(b"e", str(Decimal(value)).encode())

    def _fraction(self, value: Fraction) -> None:
        self._items(b"a", (value.numerator, value.denominator), 2)

    def _date(self, value: Any) -> None:
        fields = date_fields(value)
        if fields is None and (form := form_of(value, from_test=self._exact)) is not None:
            self._form(value, *form)
        elif fields is None:
            self._other(value)
        else:
            self._items(b"m", fields, len(fields))

    def _type(self, value: type) -> None:
        if BUILTIN_TYPES.get(value.__name__) is value:
            self._bytes_of(b"g", value.__name__.encode())
        elif (form := form_of(value, from_test=self._exact)) is not None:
            self._form(value, *form)
        else:
            self._other(value)

    def _mutable(self, value: Any) -> None:
        known = self._index.get(id(value))
        if known is not None:
            self._out.append(b"R" + U32.pack(known))
            return
        self._index[id(value)] = len(self.table)
        self.table.append(value)
        self._contents(value)

    def _contents(self, value: Any) -> None:
        if isinstance(value, list):
            self._items(b"l", list.__iter__(value), list.__len__(value))
        elif isinstance(value, dict):
            tag, extra = dict_tag(value)
            flat = [*extra, *(part for pair in dict.items(value) for part in pair)]
            self._items(tag, flat, len(flat))
        elif isinstance(value, set):
            self._items(b"S", set.__iter__(value), set.__len__(value))
        elif isinstance(value, bytearray):
            self._bytes_of(b"B", bytes(value))
        elif (written := numpy_bytes(value)) is not None:
            self._out.append(b"Y" + written[1:])
        else:
            self._items(b"q", (value.maxlen, *deque.__iter__(value)), deque.__len__(value) + 1)


def encoded(value: Any) -> bytes:
    """Encode one value.

    Raises Unencodable if a part of it cannot cross, and RecursionError if it is nested too deeply.
    """
    return Encoder(lambda _: None, exact=True).encode(value)


_WRITERS: dict[type, Callable[[Encoder, Any], None]] = {
    type(None): Encoder._none,
    type(...): Encoder._none,
    bool: Encoder._bool,
    int: Encoder._int,
    float: Encoder._float,
    complex: Encoder._complex,
    str: Encoder._str,
    bytes: Encoder._bytes,
    tuple: Encoder._tuple,
    frozenset: Encoder._frozenset,
    range: Encoder._triple,
    slice: Encoder._triple,
    Decimal: Encoder._decimal,
    Fraction: Encoder._fraction,
    type: Encoder._type,
}
_WRITERS |= dict.fromkeys((list, dict, set, bytearray, deque, Counter, OrderedDict, defaultdict), Encoder._mutable)
_WRITERS |= dict.fromkeys((_KEYS, _VALUES, _ITEMS), Encoder._view)
_DATES = (datetime.datetime, datetime.date, datetime.time, datetime.timedelta, datetime.timezone)
_WRITERS |= dict.fromkeys(_DATES, Encoder._date)


def _writer_of_base(value: Any) -> Callable[[Encoder, Any], None] | None:
    """Return the writer of the first plain type in the `__mro__` of the value's type, or None if there is none.

    Return None also for an instance of one of numpy's own types. A forged `__class__` has no effect.
    """
    if "numpy" in sys.modules and type(value).__module__ == "numpy":
        return None  # float64 is a subclass of float, but it compares and prints differently
    for base in type(value).__mro__:
        if base in _WRITERS and base is not type:
            return _WRITERS[base]
    return None
