"""The strict decoder: hostile bytes in, plain data of exact builtin types out, or Malformed.

It runs no code that the bytes could name: it builds builtins, asks `make_handle` for handles, and nothing else.
"""

from __future__ import annotations

import datetime
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from struct import Struct
from typing import Any

from .codec import BUILTIN_TYPES, F64, I64, MAX_DEPTH, STRUCT_ERROR, TWO_F64, U32, Malformed, _DeepStack

_NUMPY_NAMES = frozenset("biufcSU")
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
_DATE_TYPES = {
    cls.__name__: cls
    for cls in (datetime.datetime, datetime.date, datetime.time, datetime.timedelta, datetime.timezone)
}

MakeHandle = Callable[[bytes, int, str], Any]


def no_handles(kind: bytes, number: int, name: str) -> Any:
    """For streams in which handles have no business."""
    raise Malformed("a handle where only plain data may stand")


def imported_numpy() -> Any:
    """numpy, imported here and now if need be."""
    import numpy

    return numpy


class Decoder:
    """Decodes values of one message; `table` as in Encoder, so that references find the receiver's own objects.

    make_handle(kind, number, type name) stands in for what cannot cross. find_numpy: asked when an array comes.
    """

    def __init__(self, data: bytes, make_handle: MakeHandle = no_handles, table: list[Any] | None = None) -> None:
        self.table: list[Any] = [] if table is None else table
        self.at = 0
        self._data = data
        self._make_handle = make_handle
        self._depth = 0
        self.find_numpy: Callable[[], Any] = imported_numpy

    def value(self) -> Any:
        """The next value. Raises Malformed."""
        return self._whole(self._value)

    def replace(self, target: Any) -> None:
        """Read contents (`Encoder.contents`) and put them into `target` in place, keeping its identity."""
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
        """The next `count` raw bytes."""
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
        """The next unsigned 32-bit number."""
        number: int = U32.unpack(self.take(4))[0]
        return number

    def _whole(self, read: Callable[[], Any]) -> Any:
        start, known = self.at, len(self.table)
        try:
            self._depth = 0
            return read()
        except RecursionError:
            self.at, self._depth = start, 0
            del self.table[known:]
            with _DeepStack():
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
        read = _READERS.get(data[at])
        if read is None:
            raise Malformed(f"unknown tag {data[at : at + 1]!r}")
        self.at = at + 1
        return read(self)

    def _items(self) -> list[Any]:
        count = self.u32()
        if count > len(self._data) - self.at:  # each item takes a byte or more: no big list from a short message
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

    def _packed(self, form: bytes, count: int) -> list[Any]:
        if form in (b"q", b"d", b"?"):
            return self._numbers(f"{count}{form.decode()}")
        if form == b"n":
            letters = self.take(count)
            if letters.strip(b"qd?"):
                raise Malformed("unknown form of items")
            return self._numbers(letters.decode())
        if form != b"s":
            raise Malformed("unknown form of items")
        items: list[Any] = self._str().split("\0")
        if len(items) != count:
            raise Malformed("another number of texts than announced")
        return items

    def _numbers(self, layout: str) -> list[Any]:
        form = Struct("<" + layout)
        return list(form.unpack(self.take(form.size)))

    def _int(self) -> int:
        number: int = I64.unpack(self.take(8))[0]
        return number

    def _big_int(self) -> int:
        return int.from_bytes(self.take(self.u32()), "little", signed=True)

    def _float(self) -> float:
        number: float = F64.unpack(self.take(8))[0]
        return number

    def _complex(self) -> complex:
        return complex(*TWO_F64.unpack(self.take(16)))

    def _str(self) -> str:
        return self.take(self.u32()).decode("utf-8", "surrogatepass")

    def _bytes(self) -> bytes:
        return self.take(self.u32())

    def _new(self, container: Any) -> Any:
        self.table.append(container)
        return container

    def _bytearray(self) -> bytearray:
        made: bytearray = self._new(bytearray(self.take(self.u32())))
        return made

    def _list(self) -> list[Any]:
        made: list[Any] = self._new([])
        made.extend(self._items())
        return made

    def _dict(self, kind: type = dict) -> Any:
        made = self._new(kind())
        flat = self._items()
        if kind is defaultdict:
            made.default_factory = self._factory(flat.pop(0))
        if len(flat) % 2:
            raise Malformed("a key without a value")
        for key, value in zip(flat[::2], flat[1::2], strict=True):
            made[key] = value
        return made

    def _factory(self, factory: Any) -> type | None:
        if factory is not None and factory not in BUILTIN_TYPES.values():
            raise Malformed("a default factory that is no builtin type")
        checked: type | None = factory
        return checked

    def _set(self) -> set[Any]:
        made: set[Any] = self._new(set())
        made.update(self._items())
        return made

    def _deque(self) -> deque[Any]:
        made = deque[Any]()
        place = len(self.table)
        self.table.append(made)
        bound, *items = self._items()
        if bound is None:
            made.extend(items)
            return made
        bounded = deque(items, self._checked(bound, int))
        self.table[place] = bounded
        return bounded

    def _checked(self, value: Any, *types: type) -> Any:
        if type(value) not in types:
            raise Malformed(f"a {type(value).__name__} where {types[0].__name__} is due")
        return value

    def _three(self, kind: type) -> Any:
        first, second, third = self._items()
        if kind is range:
            for number in (first, second, third):
                self._checked(number, int)
        return kind(first, second, third)

    def _view(self, name: str) -> Any:
        items = self._items()
        if name == "keys":
            return dict.fromkeys(items).keys()
        if name == "values":
            return dict(enumerate(items)).values()
        return dict(self._checked(item, tuple) for item in items).items()

    def _decimal(self) -> Decimal:
        return Decimal(self.take(self.u32()).decode("ascii"))

    def _fraction(self) -> Fraction:
        numerator, denominator = self._items()
        return Fraction(self._checked(numerator, int), self._checked(denominator, int))

    def _date(self) -> Any:
        name, *fields = self._items()
        kind = _DATE_TYPES[self._checked(name, str)]
        for field in fields:
            self._checked(field, int, type(None), datetime.timedelta, datetime.timezone)
        return kind(*fields)

    def _builtin(self) -> type:
        return BUILTIN_TYPES[self._str()]

    def _reference(self) -> Any:
        return self.table[self.u32()]

    def _handle(self) -> Any:
        kind, number = self.take(1), self.u32()
        return self._make_handle(kind, number, self._str())

    def _numpy(self, scalar: bool) -> Any:
        numpy = self.find_numpy()
        name = self._str()
        if len(name) > 8 or name[:1] not in "<|=" or name[1:2] not in _NUMPY_NAMES or not name[2:].isdecimal():
            raise Malformed(f"dtype {name!r}")
        rank = self.u32()
        if rank > 32:
            raise Malformed("too many axes")
        shape = tuple(self.u32() for _ in range(rank))
        array = numpy.frombuffer(bytearray(self.take(self.u32())), dtype=name).reshape(() if scalar else shape)
        return array[()] if scalar else array


_READERS: dict[int, Callable[[Decoder], Any]] = {
    ord(tag): reader
    for tag, reader in {
        "N": lambda decoder: None,
        "E": lambda decoder: ...,
        "T": lambda decoder: True,
        "F": lambda decoder: False,
        "i": Decoder._int,
        "I": Decoder._big_int,
        "f": Decoder._float,
        "c": Decoder._complex,
        "s": Decoder._str,
        "b": Decoder._bytes,
        "B": Decoder._bytearray,
        "l": Decoder._list,
        "t": lambda decoder: tuple(decoder._items()),
        "d": Decoder._dict,
        "C": lambda decoder: decoder._dict(Counter),
        "O": lambda decoder: decoder._dict(OrderedDict),
        "D": lambda decoder: decoder._dict(defaultdict),
        "S": Decoder._set,
        "z": lambda decoder: frozenset(decoder._items()),
        "q": Decoder._deque,
        "r": lambda decoder: decoder._three(range),
        ":": lambda decoder: decoder._three(slice),
        "k": lambda decoder: decoder._view("keys"),
        "v": lambda decoder: decoder._view("values"),
        "w": lambda decoder: decoder._view("items"),
        "e": Decoder._decimal,
        "a": Decoder._fraction,
        "m": Decoder._date,
        "g": Decoder._builtin,
        "R": Decoder._reference,
        "h": Decoder._handle,
        "x": lambda decoder: decoder._numpy(True),
        "y": lambda decoder: decoder._numpy(False),
    }.items()
}
