"""The functions that read encoded values, one for each tag of the encoding.

Each function gets the decoder and reads the value that follows the tag. For malformed bytes it raises Malformed or an
error that the decoder turns into Malformed.
"""

from __future__ import annotations

import datetime
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from .library_values import FORMS
from .numpy_values import read_array, read_scalar
from .plain_data import BUILTIN_TYPES, F64, I64, TWO_F64, Malformed
from .proxies import RemoteCallable, as_factory
from .tables import TABLES

if TYPE_CHECKING:
    from .decoder import Decoder

_DATE_TYPES = {
    cls.__name__: cls
    for cls in (datetime.datetime, datetime.date, datetime.time, datetime.timedelta, datetime.timezone)
}
_ARGUMENTS = {"datetime": 8, "time": 5}
"""The numbers of arguments of these types before `fold`."""


def _int(decoder: Decoder) -> int:
    number: int = I64.unpack(decoder.take(8))[0]
    return number


def _big_int(decoder: Decoder) -> int:
    return int.from_bytes(_bytes(decoder), "little", signed=True)


def _float(decoder: Decoder) -> float:
    number: float = F64.unpack(decoder.take(8))[0]
    return number


def _complex(decoder: Decoder) -> complex:
    return complex(*TWO_F64.unpack(decoder.take(16)))


def read_str(decoder: Decoder) -> str:
    """Read a text, which is its length in bytes followed by its UTF-8 encoding. Lone surrogates are kept."""
    return decoder.take(decoder.u32()).decode("utf-8", "surrogatepass")


def _bytes(decoder: Decoder) -> bytes:
    return decoder.take(decoder.u32())


def _new(decoder: Decoder, container: Any) -> Any:
    decoder.table.append(container)
    return container


def _bytearray(decoder: Decoder) -> bytearray:
    value: bytearray = _new(decoder, bytearray(_bytes(decoder)))
    return value


def _list(decoder: Decoder) -> list[Any]:
    value: list[Any] = []
    decoder.table.append(value)
    value.extend(decoder.items())
    return value


def _dict(decoder: Decoder, kind: type = dict) -> Any:
    value = _new(decoder, kind())
    flat = decoder.items()
    if kind is defaultdict:
        value.default_factory = _factory(flat.pop(0))
    if len(flat) % 2:
        raise Malformed("a dict has a key without a value")
    for key, item in zip(flat[::2], flat[1::2], strict=True):
        value[key] = item
    return value


def _factory(factory: Any) -> Any:
    """Return the factory: None, a class or function that crosses by name, or the proxy of a callable."""
    if factory is not None and not callable(factory):
        raise Malformed("a default factory cannot be called")
    return as_factory(factory) if isinstance(factory, RemoteCallable) else factory


def _set(decoder: Decoder) -> set[Any]:
    value: set[Any] = _new(decoder, set())
    value.update(decoder.items())
    return value


def _deque(decoder: Decoder) -> deque[Any]:
    value = deque[Any]()
    index = len(decoder.table)
    decoder.table.append(value)
    bound, *items = decoder.items()
    if bound is None:
        value.extend(items)
        return value
    bounded = deque(items, _checked(bound, int))
    decoder.table[index] = bounded
    return bounded


def _checked(value: Any, *types: type) -> Any:
    if type(value) not in types:
        raise Malformed(f"a value of type {type(value).__name__} stands where {types[0].__name__} is expected")
    return value


def _three(decoder: Decoder, kind: type) -> Any:
    first, second, third = decoder.items()
    if kind is range:
        for number in (first, second, third):
            _checked(number, int)
    return kind(first, second, third)


def _view(decoder: Decoder, name: str) -> Any:
    items = decoder.items()
    if name == "keys":
        return dict.fromkeys(items).keys()
    if name == "values":
        return dict(enumerate(items)).values()
    return dict(_checked(item, tuple) for item in items).items()


def _decimal(decoder: Decoder) -> Decimal:
    return Decimal(_bytes(decoder).decode("ascii"))


def _fraction(decoder: Decoder) -> Fraction:
    numerator, denominator = decoder.items()
    return Fraction(_checked(numerator, int), _checked(denominator, int))


def _date(decoder: Decoder) -> Any:
    name, *fields = decoder.items()
    kind: Any = _DATE_TYPES[_checked(name, str)]
    named = name == "timezone" and len(fields) == 2
    for field in fields[: 1 if named else None]:
        _checked(field, int, type(None), datetime.timedelta, datetime.timezone)
    if named:
        _checked(fields[1], str)
    count = _ARGUMENTS.get(name)
    if count is not None and len(fields) > count:
        *fields, fold = fields
        return kind(*fields, fold=_checked(fold, int))
    return kind(*fields)


def _handle(decoder: Decoder) -> Any:
    kind, number = decoder.take(1), decoder.u32()
    return decoder.make_handle(kind, number, read_str(decoder))


def _form(decoder: Decoder) -> Any:
    """Read a value of a library: the handle of its original or None, the name of its form, and its fields."""
    original, parts = decoder.part(), decoder.part()
    name, *fields = _checked(parts, tuple)
    if name in TABLES:
        value = TABLES[name](decoder, original, *fields)
    else:
        value = FORMS[_checked(name, str)].build(decoder, *fields)
    if original is not None and value is not original:
        decoder.keep(value, original)
    return value


def _form_of_pandas(decoder: Decoder) -> Any:
    decoder.find_pandas()  # before numpy, so that a test runner that has loaded neither is replaced only once
    return _form(decoder)


READERS: dict[int, Callable[[Decoder], Any]] = {
    ord(tag): reader
    for tag, reader in {
        "N": lambda decoder: None,
        "E": lambda decoder: ...,
        "T": lambda decoder: True,
        "F": lambda decoder: False,
        "i": _int,
        "I": _big_int,
        "f": _float,
        "c": _complex,
        "s": read_str,
        "b": _bytes,
        "B": _bytearray,
        "l": _list,
        "t": lambda decoder: tuple(decoder.items()),
        "d": _dict,
        "C": lambda decoder: _dict(decoder, Counter),
        "O": lambda decoder: _dict(decoder, OrderedDict),
        "D": lambda decoder: _dict(decoder, defaultdict),
        "S": _set,
        "z": lambda decoder: frozenset(decoder.items()),
        "q": _deque,
        "r": lambda decoder: _three(decoder, range),
        ":": lambda decoder: _three(decoder, slice),
        "k": lambda decoder: _view(decoder, "keys"),
        "v": lambda decoder: _view(decoder, "values"),
        "w": lambda decoder: _view(decoder, "items"),
        "e": _decimal,
        "a": _fraction,
        "m": _date,
        "g": lambda decoder: BUILTIN_TYPES[read_str(decoder)],
        "R": lambda decoder: decoder.table[decoder.u32()],
        "h": _handle,
        "X": _form,
        "p": _form_of_pandas,
        "x": read_scalar,
        "y": read_array,
        "Y": lambda decoder: _new(decoder, read_array(decoder)),
    }.items()
}
"""The function that reads a value, by the tag of the value."""
