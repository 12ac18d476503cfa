"""Plain data across the wall between judge and judged: an exact-type encoding and a strict decoder.

Why not pickle or marshal: the bytes come from a hostile process, and both can build more than data. What crosses:
None, bool, int of any size, float bit for bit, complex, str with lone surrogates, bytes, bytearray, list, tuple, dict,
set, frozenset, range, slice, Ellipsis, views of dicts, Counter, OrderedDict, defaultdict, deque, Decimal, Fraction,
dates and times, numpy scalars and arrays, the builtin types themselves. Everything else crosses as a handle.

An instance of a subclass is encoded as its base, read with the base's own methods, so an overridden `__eq__` stays
behind. Mutable containers are numbered in the order of the walk, the same on both sides: a container met again is a
reference, so aliases and cycles survive and changes made in place can be told by number.
"""

from __future__ import annotations

import datetime
import struct
import sys
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable
from decimal import Decimal
from fractions import Fraction
from struct import Struct
from typing import Any

STRUCT_ERROR = struct.error
U32, I64, F64, TWO_F64 = Struct("<I"), Struct("<q"), Struct("<d"), Struct("<dd")
MAX_DEPTH = 1000
DEEP = 20 * MAX_DEPTH
SHORT = 8
"""From so many items on, a container of ints, floats or texts alone is packed in one go."""
_FORMATS: dict[type, str] = {int: "q", float: "d", bool: "?"}
_NUMBERS, _TEXTS = (bool, int, float, complex), (str, bytes, bytearray)
_CONTAINERS = (list, tuple, dict, set, frozenset, range)
BUILTIN_TYPES: dict[str, type] = {cls.__name__: cls for cls in (*_NUMBERS, *_TEXTS, *_CONTAINERS, type, object)}
_EMPTY: dict[Any, Any] = {}
_KEYS: type = type(_EMPTY.keys())
_VALUES: type = type(_EMPTY.values())
_ITEMS: type = type(_EMPTY.items())
_NUMPY_KINDS = frozenset("biufcSU")


class Malformed(Exception):
    """The bytes are no encoding of plain data."""


class Unencodable(Exception):
    """The value cannot cross as plain data (a function, an object of the test's own class)."""


HandleOf = Callable[[Any], bytes | None]


class Encoder:
    """Encodes values; `table` holds the mutable containers in the order of the walk.

    handle_of: given a value that is no plain data, its handle as bytes, or None, and then Unencodable is raised.
    exact: refuse instances of subclasses (the judge's side: a test's own class means something to the solution).
    """

    def __init__(self, handle_of: HandleOf, *, exact: bool, table: list[Any] | None = None) -> None:
        self.table: list[Any] = [] if table is None else table
        self._index = {id(value): at for at, value in enumerate(self.table)}
        self._handle_of = handle_of
        self._exact = exact
        self._out: list[bytes] = []
        self._depth = 0

    def encode(self, value: Any) -> bytes:
        """One value. Raises Unencodable, RecursionError (nested more than MAX_DEPTH)."""
        return self._whole(self._value, value)

    def contents(self, container: Any) -> bytes:
        """The contents of a container of the table, without its own number: what `Decoder.replace` takes."""
        return self._whole(self._contents, container)

    def _whole(self, write: Callable[[Any], None], value: Any) -> bytes:
        known = len(self.table)
        try:
            self._out, self._depth = [], 0
            write(value)
        except RecursionError:
            self._forget(known)
            with _DeepStack():
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
            write = None if self._exact else _writer_of_base(value)
            if write is None:
                self._other(value)
                return
        write(self, value)

    def _other(self, value: Any) -> None:
        handle = self._handle_of(value)
        if handle is None and (written := _numpy_bytes(value)) is not None:
            self._out.append(written)
        elif handle is None:
            raise Unencodable(type(value).__name__)
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
            packed = _packed(items)
            if packed is not None:
                self._out.append(packed)
                return
        self._out.append(b"-")
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise RecursionError("nested too deeply to cross")
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
        fields = _date_fields(value)
        if fields is None:
            self._other(value)
        else:
            self._items(b"m", fields, len(fields))

    def _type(self, value: type) -> None:
        if BUILTIN_TYPES.get(value.__name__) is value:
            self._bytes_of(b"g", value.__name__.encode())
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
            tag, extra = _dict_tag(value)
            flat = [*extra, *(part for pair in dict.items(value) for part in pair)]
            self._items(tag, flat, len(flat))
        elif isinstance(value, set):
            self._items(b"S", set.__iter__(value), set.__len__(value))
        elif isinstance(value, bytearray):
            self._bytes_of(b"B", bytes(value))
        else:
            self._items(b"q", (value.maxlen, *deque.__iter__(value)), deque.__len__(value) + 1)


def encoded(value: Any) -> bytes:
    """One value of plain data alone. Raises Unencodable."""
    return Encoder(lambda _: None, exact=True).encode(value)


def _packed(items: list[Any]) -> bytes | None:
    """Many items at once: 64-bit ints, floats and bools, or texts without NUL; None for everything else.

    Numbers of several types: one letter of `struct` an item, then all of them in that format.
    """
    kinds = set(map(type, items))
    if kinds <= _FORMATS.keys():
        letters = "".join(map(_FORMATS.__getitem__, map(type, items))) if len(kinds) > 1 else ""
        layout = letters or f"{len(items)}{_FORMATS[kinds.pop()]}"
        try:
            # a Struct of its own: the module's functions would keep a format of a million letters
            data = Struct("<" + layout).pack(*items)
        except STRUCT_ERROR:
            return None
        return (b"n" + letters.encode() if letters else layout[-1].encode()) + data
    if kinds != {str}:
        return None
    joined = "\0".join(items)
    if joined.count("\0") != len(items) - 1:
        return None
    encoded = joined.encode("utf-8", "surrogatepass")
    return b"s" + U32.pack(len(encoded)) + encoded


def _dict_tag(value: dict[Any, Any]) -> tuple[bytes, tuple[Any, ...]]:
    if isinstance(value, Counter):
        return b"C", ()
    if isinstance(value, OrderedDict):
        return b"O", ()
    if isinstance(value, defaultdict):
        factory = value.default_factory
        plain = isinstance(factory, type) and BUILTIN_TYPES.get(factory.__name__) is factory
        return b"D", (factory if plain else None,)
    return b"d", ()


def _date_fields(value: Any) -> tuple[Any, ...] | None:
    """A date or time as the arguments that make it again; None when its time zone is no fixed offset."""
    if isinstance(value, datetime.timedelta):
        return ("timedelta", value.days, value.seconds, value.microseconds)
    if isinstance(value, datetime.timezone):
        offset = value.utcoffset(None)
        return ("timezone", offset)
    zone = getattr(value, "tzinfo", None)
    if zone is not None and type(zone) is not datetime.timezone:
        return None
    clock = ("hour", "minute", "second", "microsecond")
    if isinstance(value, datetime.datetime):
        return ("datetime", *(getattr(value, name) for name in ("year", "month", "day", *clock)), zone)
    if isinstance(value, datetime.date):
        return ("date", value.year, value.month, value.day)
    return ("time", *(getattr(value, name) for name in clock), zone)


def _numpy_bytes(value: Any) -> bytes | None:
    """A numpy scalar or array of numbers or strings, or None. Looks numpy up only where it is loaded already."""
    numpy = sys.modules.get("numpy")
    if numpy is None or not isinstance(value, numpy.ndarray | numpy.generic) or value.dtype.kind not in _NUMPY_KINDS:
        return None
    array = numpy.ascontiguousarray(value)
    kind = b"x" if isinstance(value, numpy.generic) else b"y"
    dtype, shape = array.dtype.str.encode(), b"".join(U32.pack(size) for size in value.shape)
    data = array.tobytes()
    return b"".join((kind, U32.pack(len(dtype)), dtype, U32.pack(value.ndim), shape, U32.pack(len(data)), data))


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
_BASES = tuple(cls for cls in _WRITERS if cls is not type)


def _writer_of_base(value: Any) -> Callable[[Encoder, Any], None] | None:
    """The writer of the first plain base in the order of inheritance: a lying `__class__` is not asked."""
    if "numpy" in sys.modules and type(value).__module__ == "numpy":
        return None  # float64 is a float too, but a numpy scalar compares and prints otherwise
    for base in type(value).__mro__:
        if base in _WRITERS and base is not type:
            return _WRITERS[base]
    return None


class _DeepStack:
    """Room for the recursion of one walk; restored afterwards, since tests see the limit."""

    def __enter__(self) -> None:
        self._before = sys.getrecursionlimit()
        sys.setrecursionlimit(max(self._before, DEEP))

    def __exit__(self, *_: object) -> None:
        sys.setrecursionlimit(self._before)
