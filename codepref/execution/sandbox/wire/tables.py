"""Arrays of objects and dtypes of numpy, and tables, series, indices and some points of time of pandas.

They cross only from the solution, without pickle, as arrays and plain values. The test runner builds them with the
constructors of the libraries. A test runner that has not loaded pandas gets proxies of the values of pandas instead.
A Timedelta, and a Timestamp without a time zone or in UTC, cross as the values of `datetime` from whose classes they
derive, and lose their nanoseconds.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .plain_data import Malformed

if TYPE_CHECKING:
    from .decoder import Decoder

_UNITS = "Y|M|W|D|h|m|s|ms|us|ns|ps|fs|as"
_DTYPE = re.compile(rf"[<|=](?:[biufcSU]\d{{1,9}}|[mM]8(?:\[\d{{0,9}}(?:{_UNITS})\])?)")
_PANDAS_TYPES = frozenset(
    {"DataFrame", "Series", "Index", "RangeIndex", "DatetimeIndex", "TimedeltaIndex", "MultiIndex", "CategoricalIndex"}
    | {"Timestamp", "Timedelta", "NaTType", "NAType"}
)
_EXTENSIONS = frozenset(
    {"Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64", "Float32", "Float64"}
    | {"boolean", "string", "str"}
)
"""The names of pandas' own dtypes whose values cross one by one, in a tuple."""


def dtype_name(name: str) -> str:
    """Return `name`. Raises Malformed unless it has the form of the name of a numpy dtype whose data can cross."""
    if not _DTYPE.fullmatch(name):
        raise Malformed(f"the numpy dtype {name[:100]!r} is not allowed")
    return name


def table_form(value: Any) -> tuple[str, tuple[Any, ...]] | None:
    """Return the name of the form and the fields of a value of numpy or pandas, or None if it has none.

    Neither library is imported here.
    """
    kind = type(value)
    numpy, pandas = sys.modules.get("numpy"), sys.modules.get("pandas")
    if numpy is not None and kind is numpy.ndarray and value.dtype.kind == "O":
        return "objects", (value.shape, tuple(value.ravel().tolist()))
    if numpy is not None and isinstance(value, numpy.dtype) and _DTYPE.fullmatch(value.str):
        return "dtype", (value.str,)
    if pandas is None or kind.__name__ not in _PANDAS_TYPES or kind.__module__.split(".")[0] != "pandas":
        return None
    try:
        fields = _fields(value, pandas)
    except (AttributeError, TypeError, ValueError, KeyError):
        return None
    return None if fields is None else ("pandas", fields)


def _fields(value: Any, pandas: Any) -> tuple[Any, ...] | None:
    kind = type(value)
    if kind is pandas.DataFrame:
        columns = [_column(value.iloc[:, at]) for at in range(value.shape[1])]
        index, names = _fields(value.index, pandas), _fields(value.columns, pandas)
        return None if None in (index, names, *columns) else ("frame", index, names, tuple(columns))
    if kind is pandas.Series:
        index, column = _fields(value.index, pandas), _column(value)
        return None if None in (index, column) else ("series", index, column, value.name)
    if kind is pandas.MultiIndex:
        return "multi", tuple(value.tolist()), tuple(value.names)
    if kind is pandas.RangeIndex:
        return "range", value.start, value.stop, value.step, value.name
    if isinstance(value, pandas.Index):
        column = _column(value)
        return None if column is None else ("index", column, value.name, getattr(value, "freqstr", None))
    if kind is pandas.Timestamp:
        return "timestamp", value.isoformat(), _zone(value.tz), value.unit
    if kind is pandas.Timedelta:
        return "timedelta", int(value.value)
    return ("missing", kind is type(pandas.NaT))


def _zone(zone: Any) -> str | None:
    return None if zone is None else str(zone)


def _column(values: Any) -> tuple[Any, ...] | None:
    """Return a kind of column and the plain data from which `_values` builds it, or None if it cannot cross."""
    dtype = values.dtype
    text = str(dtype)
    if getattr(dtype, "categories", None) is not None:
        categorical = getattr(values, "cat", values)
        categories = _column(categorical.categories)
        return None if categories is None else ("category", categories, categorical.codes.tolist(), bool(dtype.ordered))
    if getattr(dtype, "tz", None) is not None:
        plain = values.dt.tz_convert("UTC").dt.tz_localize(None) if hasattr(values, "dt") else values.tz_convert("UTC")
        if not hasattr(values, "dt"):
            plain = plain.tz_localize(None)
        return "zoned", plain.to_numpy(), str(dtype.tz)
    if text in _EXTENSIONS:
        items = zip(values, values.isna(), strict=True)
        return "extension", text, tuple(None if missing else _plain(item) for item, missing in items)
    array = values.to_numpy()
    return ("array", array) if array.dtype.kind == "O" or _DTYPE.fullmatch(array.dtype.str) else None


def _plain(item: Any) -> Any:
    return item.item() if hasattr(item, "item") else item


def _objects(decoder: Decoder, original: Any, shape: Any, items: Any) -> Any:
    numpy = decoder.find_numpy()
    if type(shape) is not tuple or not all(type(size) is int for size in shape) or type(items) is not tuple:
        raise Malformed("an array of objects is malformed")
    array = numpy.empty(len(items), dtype=object)
    array[:] = [None] * len(items)
    for at, item in enumerate(items):
        array[at] = item
    return array.reshape(shape)


def _dtype(decoder: Decoder, original: Any, name: Any) -> Any:
    if type(name) is not str:
        raise Malformed("a dtype is malformed")
    return decoder.find_numpy().dtype(dtype_name(name))


def _pandas(decoder: Decoder, original: Any, *fields: Any) -> Any:
    pandas = sys.modules.get("pandas")
    if pandas is None or not hasattr(pandas, "DataFrame"):
        if original is None:
            raise Malformed("a table has no handle")
        return original
    try:
        return _built(pandas, fields)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, AssertionError) as error:
        raise Malformed(f"a table is malformed ({type(error).__name__})") from None


def _built(pandas: Any, fields: Any) -> Any:
    kind, *parts = fields
    if kind == "frame":
        index, names, columns = parts
        rows = _built(pandas, index)
        data = {at: pandas.Series(_values(pandas, column), index=rows) for at, column in enumerate(columns)}
        frame = pandas.DataFrame(data, index=rows, columns=range(len(columns)))
        frame.columns = _built(pandas, names)
        return frame
    if kind == "series":
        index, column, name = parts
        return pandas.Series(_values(pandas, column), index=_built(pandas, index), name=name)
    if kind == "multi":
        items, names = parts
        return pandas.MultiIndex.from_tuples(list(items), names=list(names))
    if kind == "range":
        start, stop, step, name = parts
        return pandas.RangeIndex(int(start), int(stop), int(step), name=name)
    if kind == "index":
        column, name, frequency = parts
        index = pandas.Index(_values(pandas, column), name=name)
        if type(frequency) is str and hasattr(index, "freq"):
            index.freq = frequency
        return index
    if kind == "timestamp":
        text, zone, unit = parts
        moment = pandas.Timestamp(str(text)).as_unit(str(unit))
        return moment if zone is None else moment.tz_convert(str(zone))
    if kind == "timedelta":
        return pandas.Timedelta(int(parts[0]), unit="ns")
    return pandas.NaT if parts[0] else pandas.NA


def _values(pandas: Any, column: Any) -> Any:
    kind, *parts = column
    if kind == "category":
        categories, codes, ordered = parts
        known = pandas.Index(_values(pandas, categories))
        return pandas.Categorical.from_codes(codes, categories=known, ordered=bool(ordered))
    if kind == "zoned":
        moments = pandas.DatetimeIndex(parts[0]).tz_localize("UTC").tz_convert(str(parts[1]))
        return moments
    if kind == "extension":
        name, items = parts
        if name not in _EXTENSIONS:
            raise Malformed("the dtype of a column is not allowed")
        return pandas.array([pandas.NA if item is None else item for item in items], dtype=name)
    return parts[0]


TABLES: dict[Any, Callable[..., Any]] = {"objects": _objects, "dtype": _dtype, "pandas": _pandas}
"""The functions that build these values, by the name of the form.

They get the decoder, the proxy of the original or None, and the fields.
"""
