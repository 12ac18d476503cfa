"""The encoding of long containers of simple items, of dicts and their subclasses, and of dates."""

from __future__ import annotations

import datetime
from collections import Counter, OrderedDict, defaultdict
from struct import Struct
from typing import Any

from .plain_data import STRUCT_ERROR, U32

_FORMATS: dict[type, str] = {int: "q", float: "d", bool: "?"}


def packed(items: list[Any]) -> bytes | None:
    """Return the encoding of all items of a non-empty list together, or None if they have no such encoding.

    The items can be 64-bit ints, floats and bools, in any mix, or they can all be texts without NUL characters. An
    instance of a subclass has no such encoding. A mix of numbers is written as one `struct` code for each item and then
    all values in that format.
    """
    kinds = set(map(type, items))
    if kinds <= _FORMATS.keys():
        codes = "".join(map(_FORMATS.__getitem__, map(type, items))) if len(kinds) > 1 else ""
        layout = codes or f"{len(items)}{_FORMATS[kinds.pop()]}"
        try:
            # The functions of the module `struct` would cache this format, which may have a million characters.
            data = Struct("<" + layout).pack(*items)
        except STRUCT_ERROR:
            return None
        return (b"n" + codes.encode() if codes else layout[-1].encode()) + data
    if kinds != {str}:
        return None
    joined = "\0".join(items)
    if joined.count("\0") != len(items) - 1:
        return None
    encoded = joined.encode("utf-8", "surrogatepass")
    return b"s" + U32.pack(len(encoded)) + encoded


def dict_tag(value: dict[Any, Any]) -> tuple[bytes, tuple[Any, ...]]:
    """Return the tag of a dict or of an instance of a subclass, and the items that come before its keys and values.

    A defaultdict has one such item, its factory.
    """
    if isinstance(value, Counter):
        return b"C", ()
    if isinstance(value, OrderedDict):
        return b"O", ()
    if isinstance(value, defaultdict):
        return b"D", (value.default_factory,)
    return b"d", ()


def date_fields(value: Any) -> tuple[Any, ...] | None:
    """Return the name of the type of a value of the module `datetime`, and the arguments that build an equal value.

    The `fold` of a datetime or a time is the last argument, if it is not 0.
    Return None for a datetime or a time whose time zone is neither None nor a `datetime.timezone`.
    """
    if isinstance(value, datetime.timedelta):
        return ("timedelta", value.days, value.seconds, value.microseconds)
    if isinstance(value, datetime.timezone):
        name = value.tzname(None)
        offset = value.utcoffset(None)
        return ("timezone", offset, *(() if name == datetime.timezone(offset).tzname(None) else (name,)))
    zone = getattr(value, "tzinfo", None)
    if zone is not None and type(zone) is not datetime.timezone:
        return None
    clock = ("hour", "minute", "second", "microsecond")
    fold = (value.fold,) if getattr(value, "fold", 0) else ()
    if isinstance(value, datetime.datetime):
        return ("datetime", *(getattr(value, name) for name in ("year", "month", "day", *clock)), zone, *fold)
    if isinstance(value, datetime.date):
        return ("date", value.year, value.month, value.day)
    return ("time", *(getattr(value, name) for name in clock), zone, *fold)
