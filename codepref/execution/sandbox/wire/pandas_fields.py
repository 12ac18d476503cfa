"""The fields of values of pandas: tables, series, indices, arrays, times, time spans, intervals and dtypes.

The fields are plain data, arrays of numpy and the items of columns of objects. The module `pandas_values` builds the
value again from them. Only values of exactly these types have fields. Among the values without fields are columns of an
ArrowDtype, offsets with a calendar of holidays, and values with a time zone of another package than Python's own.
"""

from __future__ import annotations

import datetime
import re
import sys
from decimal import Decimal
from typing import Any

from .errors import is_plain

Fields = tuple[Any, ...]

_SCALARS = "Timestamp Timedelta Period Interval"
_INDICES = "Index DatetimeIndex TimedeltaIndex PeriodIndex IntervalIndex CategoricalIndex"
MASKED = "IntegerArray FloatingArray BooleanArray"
_DTYPES = """
    Int8Dtype Int16Dtype Int32Dtype Int64Dtype UInt8Dtype UInt16Dtype UInt32Dtype UInt64Dtype Float32Dtype Float64Dtype
    BooleanDtype StringDtype CategoricalDtype DatetimeTZDtype PeriodDtype IntervalDtype"""
FREQUENCY = re.compile(r"[-+]?[\dA-Za-z@-]{1,40}")
_PLAIN_KINDS = "biufcO"
MAX_SPARSE = 1_000_000
"""The largest number of items of a sparse array. It crosses with all of them."""

_LABELS = (type(None), bool, int, float, complex, str, bytes, Decimal)
_DATES = (datetime.datetime, datetime.date, datetime.time, datetime.timedelta)


def pandas_form(value: Any, *, lasting: bool) -> tuple[str, Fields] | None:
    """Return the name of the form and the fields of a value of pandas, or None if it has none.

    lasting: whether to leave out values that can be changed. Pandas is not imported here.
    """
    pandas = sys.modules.get("pandas")
    if pandas is None or not hasattr(pandas, "DataFrame"):
        return None
    try:
        fields = _scalar(value, pandas)
        if fields is not None:
            return "moment", fields
        fields = None if lasting else _table(value, pandas)
    except (AttributeError, TypeError, ValueError, LookupError, NotImplementedError):
        return None
    return None if fields is None else ("pandas", fields)


def _scalar(value: Any, pandas: Any) -> Fields | None:
    kind = type(value)
    if kind is pandas.Timestamp:
        zone = value.tz
        return ("timestamp", int(value.asm8.view("i8")), value.unit, zone, value.fold) if is_zone(zone) else None
    if kind is pandas.Timedelta:
        return "timedelta", int(value.asm8.view("i8")), value.unit
    if kind is pandas.Period:
        return "period", int(value.ordinal), value.freqstr
    if kind is pandas.Interval:
        ends = value.left, value.right
        return ("interval", *ends, value.closed) if all(is_label(end) for end in ends) else None
    if value is pandas.NaT or value is pandas.NA:
        return ("missing", value is pandas.NaT)
    if isinstance(value, pandas.offsets.BaseOffset):
        if kind is pandas.DateOffset:
            return ("relative", value.n, bool(value.normalize), dict(value.kwds)) if is_plain(value.kwds) else None
        text = value.freqstr
        same = FREQUENCY.fullmatch(text) and pandas.tseries.frequencies.to_offset(text)
        return ("offset", text) if same is not None and type(same) is kind and same == value else None
    return _dtype(value, pandas) if kind in _classes(pandas, _DTYPES) else None


def _classes(module: Any, names: str) -> tuple[Any, ...]:
    return tuple(getattr(module, name) for name in names.split() if hasattr(module, name))


def _dtype(value: Any, pandas: Any) -> Fields | None:
    empty = pandas.array([], dtype=value)
    column = _column(empty, pandas) if empty.dtype == value else None
    return None if column is None else ("dtype", column)


def is_zone(zone: Any) -> bool:
    """Return whether a time zone crosses: None, a `datetime.timezone`, or a `zoneinfo.ZoneInfo` with a key."""
    kind = type(zone)
    if zone is None or kind is datetime.timezone:
        return True
    return kind.__module__ == "zoneinfo" and kind is sys.modules["zoneinfo"].ZoneInfo and type(zone.key) is str


def is_label(value: Any) -> bool:
    """Return whether a value is simple enough to be a name in an index, an item of an index or an end of an interval.

    Hashing or comparing a simple value runs no code of the solution. A proxy is never simple.
    """
    kind = type(value)
    if kind is tuple:
        return all(map(is_label, value))
    if kind in _LABELS:
        return True
    if kind in _DATES:
        return is_zone(getattr(value, "tzinfo", None))
    numpy, pandas = sys.modules.get("numpy"), sys.modules.get("pandas")
    if numpy is not None and numpy.generic in kind.__mro__:
        return bool(kind.__module__ == "numpy" and kind is not numpy.void and not value.dtype.hasobject)
    return pandas is not None and (kind in _classes(pandas, _SCALARS) or value is pandas.NaT or value is pandas.NA)


def compares_safely(value: Any, numpy: Any) -> bool:
    """Return whether the comparison of an index or an array of pandas with a number gives an array of numpy.

    Otherwise it gives an array of pandas, which counts as true in an `assert` as soon as it has an item. So an answer
    of this kind would seem equal to everything.
    """
    return type(value[:0] == 0) is numpy.ndarray


def _table(value: Any, pandas: Any) -> Fields | None:
    kind = type(value)
    if kind is pandas.DataFrame or kind is pandas.Series:
        further = dict(value.attrs), bool(value.flags.allows_duplicate_labels)
        if not is_plain(further[0]):
            return None
        index = _index(value.index, pandas)
        if kind is pandas.Series:
            column = _column(value.array, pandas)
            whole = index is not None and column is not None and is_label(value.name)
            return ("series", index, column, value.name, *further) if whole else None
        names, body = _index(value.columns, pandas), _body(value, pandas)
        return None if None in (index, names, body) else ("frame", index, names, body, *further)
    if isinstance(value, pandas.Index):
        return _index(value, pandas)
    column = _column(value, pandas) if compares_safely(value, _numpy()) else None
    return None if column is None else ("array", column)


def _body(frame: Any, pandas: Any) -> Fields | None:
    kinds = set(frame.dtypes)
    if len(kinds) == 1 and getattr(next(iter(kinds)), "kind", "O") in "biufc" and not _is_extension(kinds, pandas):
        return "block", frame.to_numpy()
    columns = [_column(frame.iloc[:, at].array, pandas) for at in range(frame.shape[1])]
    return None if None in columns else ("columns", tuple(columns))


def _is_extension(kinds: Any, pandas: Any) -> bool:
    return any(isinstance(kind, pandas.api.extensions.ExtensionDtype) for kind in kinds)


def _index(value: Any, pandas: Any) -> Fields | None:
    kind = type(value)
    if not all(map(is_label, value.names)):
        return None
    if kind is pandas.RangeIndex:
        return "range", value.start, value.stop, value.step, value.name
    if kind is pandas.MultiIndex:
        levels = tuple(_index(level, pandas) for level in value.levels)
        codes = tuple(code.astype("int64") for code in map(_numpy().asarray, value.codes))
        return None if None in levels else ("multi", levels, codes, tuple(value.names), value.sortorder)
    if kind not in _classes(pandas, _INDICES) or not compares_safely(value, _numpy()):
        return None
    column, frequency = _column(value.array, pandas), None
    if kind is pandas.DatetimeIndex or kind is pandas.TimedeltaIndex:
        frequency = _frequency(value, pandas)
    if column is None or frequency == "" or (column[0] == "objects" and not all(map(is_label, column[1]))):
        return None
    return "index", column, value.name, frequency


def _numpy() -> Any:
    return sys.modules["numpy"]


def _column(array: Any, pandas: Any) -> Fields | None:
    """Return the fields of an array of pandas, or None if it cannot cross."""
    kind, arrays = type(array), pandas.arrays
    if kind is arrays.NumpyExtensionArray:
        data = array.to_numpy()
        if data.ndim != 1 or data.dtype.kind not in _PLAIN_KINDS:
            return None
        return ("objects", tuple(data.tolist())) if data.dtype.kind == "O" else ("numbers", data)
    if kind is arrays.DatetimeArray or kind is arrays.TimedeltaArray:
        zone = getattr(array, "tz", None)
        return ("times", kind is arrays.DatetimeArray, array.asi8, array.unit, zone) if is_zone(zone) else None
    if kind is arrays.PeriodArray:
        return "periods", array.asi8, array.freqstr
    if kind in _classes(arrays, MASKED):
        return "masked", kind.__name__, array._data, array._mask
    if kind is pandas.Categorical:
        categories = _index(array.categories, pandas)
        return None if categories is None else ("category", categories, array.codes, bool(array.ordered))
    if kind is arrays.IntervalArray:
        ends = _index(array.left, pandas), _index(array.right, pandas)
        return None if None in ends else ("intervals", *ends, array.closed)
    if kind is arrays.SparseArray and len(array) <= MAX_SPARSE:
        parts = array.to_dense(), array.fill_value, array.kind
        if type(parts[0]) is not _numpy().ndarray or not is_label(parts[1]):
            return None
        same = arrays.SparseArray(parts[0], fill_value=parts[1], kind=parts[2])
        return ("sparse", *parts) if (same.dtype, same.npoints) == (array.dtype, array.npoints) else None
    if type(array.dtype) is pandas.StringDtype:
        texts = tuple(array.to_numpy(dtype=object, na_value=None).tolist())
        nan = getattr(array.dtype, "na_value", pandas.NA) is not pandas.NA
        return "texts", array.dtype.storage, nan, texts
    return None


def _frequency(index: Any, pandas: Any) -> str | None:
    """Return the text of an index's frequency, None if the index has no frequency, or "" if it cannot cross."""
    if index.freq is None:
        return None
    found = _scalar(index.freq, pandas)
    return "" if found is None or found[0] != "offset" else str(found[1])
