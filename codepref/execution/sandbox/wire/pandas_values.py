"""How values of pandas cross: tables, series, indices, arrays, points and spans of time, intervals and dtypes.

The fields of a value are plain data and arrays of numpy. `pandas_form` makes them and `built` checks them and makes the
value again, with the constructors of pandas. Only values of exactly these types cross, without pickle. Columns with
the types of Arrow (other than texts), calendars of holidays, and the time zones of other packages
do not cross.
"""

from __future__ import annotations

import datetime
import re
import sys
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from .errors import is_plain
from .plain_data import Malformed

Fields = tuple[Any, ...]

_SCALARS = "Timestamp Timedelta Period Interval"
_INDICES = "Index DatetimeIndex TimedeltaIndex PeriodIndex IntervalIndex CategoricalIndex"
_MASKED = "IntegerArray FloatingArray BooleanArray"
_DTYPES = """
    Int8Dtype Int16Dtype Int32Dtype Int64Dtype UInt8Dtype UInt16Dtype UInt32Dtype UInt64Dtype Float32Dtype Float64Dtype
    BooleanDtype StringDtype CategoricalDtype DatetimeTZDtype PeriodDtype IntervalDtype"""
_FREQUENCY = re.compile(r"[-+]?[\dA-Za-z@-]{1,40}")
_UNITS = ("s", "ms", "us", "ns")
_PLAIN_KINDS = "biufcO"
MAX_SPARSE = 1_000_000
"""The largest number of items of a sparse array. It crosses with all of them."""

_LABELS = (type(None), bool, int, float, complex, str, bytes, Decimal)
_DATES = (datetime.datetime, datetime.date, datetime.time, datetime.timedelta)


def pandas_form(value: Any, *, lasting: bool) -> tuple[str, Fields] | None:
    """Return the name of the form and the fields of a value of pandas, or None if it has none.

    lasting: whether to leave out values that can be changed. Pandas is not imported here.
    """
    kind, pandas = type(value), sys.modules.get("pandas")
    if pandas is None or str(kind.__module__).split(".")[0] != "pandas" or not hasattr(pandas, "DataFrame"):
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
        return ("timestamp", int(value.asm8.view("i8")), value.unit, zone, value.fold) if _is_zone(zone) else None
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
        same = _FREQUENCY.fullmatch(text) and pandas.tseries.frequencies.to_offset(text)
        return ("offset", text) if same is not None and type(same) is kind and same == value else None
    return _dtype(value, pandas) if kind in _classes(pandas, _DTYPES) else None


def _classes(module: Any, names: str) -> tuple[Any, ...]:
    return tuple(getattr(module, name) for name in names.split() if hasattr(module, name))


def _dtype(value: Any, pandas: Any) -> Fields | None:
    empty = pandas.array([], dtype=value)
    column = _column(empty, pandas) if empty.dtype == value else None
    return None if column is None else ("dtype", column)


def _is_zone(zone: Any) -> bool:
    """Return whether a time zone crosses."""
    kind = type(zone)
    if zone is None or kind is datetime.timezone:
        return True
    return kind.__module__ == "zoneinfo" and kind is sys.modules["zoneinfo"].ZoneInfo and type(zone.key) is str


def is_label(value: Any) -> bool:
    """Return whether a value is a simple one: a name in an index, or the end of an interval.

    Hashing it and comparing it runs no code of the solution. It is never a proxy.
    """
    kind = type(value)
    if kind is tuple:
        return all(map(is_label, value))
    if kind in _LABELS:
        return True
    if kind in _DATES:
        return _is_zone(getattr(value, "tzinfo", None))
    numpy, pandas = sys.modules.get("numpy"), sys.modules.get("pandas")
    if numpy is not None and numpy.generic in kind.__mro__:
        return bool(kind.__module__ == "numpy" and kind is not numpy.void and not value.dtype.hasobject)
    return pandas is not None and (kind in _classes(pandas, _SCALARS) or value is pandas.NaT or value is pandas.NA)


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
    column = _column(value, pandas)
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
    if kind not in _classes(pandas, _INDICES):
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
        return ("times", kind is arrays.DatetimeArray, array.asi8, array.unit, zone) if _is_zone(zone) else None
    if kind is arrays.PeriodArray:
        return "periods", array.asi8, array.freqstr
    if kind in _classes(arrays, _MASKED):
        return "masked", kind.__name__, array._data, array._mask
    if kind is pandas.Categorical:
        categories = _index(array.categories, pandas)
        return None if categories is None else ("category", categories, array.codes, bool(array.ordered))
    if kind is arrays.IntervalArray:
        ends = _index(array.left, pandas), _index(array.right, pandas)
        return None if None in ends else ("intervals", *ends, array.closed)
    if kind is arrays.SparseArray and len(array) <= MAX_SPARSE:
        parts = array.to_dense(), array.fill_value, array.kind
        same = _sparse(pandas, None, *parts) if type(parts[0]) is _numpy().ndarray else None
        whole = same is not None and (same.dtype, same.npoints) == (array.dtype, array.npoints)
        return ("sparse", *parts) if whole and is_label(parts[1]) else None
    if type(array.dtype) is pandas.StringDtype:
        texts = tuple(array.to_numpy(dtype=object, na_value=None).tolist())
        nan = getattr(array.dtype, "na_value", pandas.NA) is not pandas.NA
        return "texts", array.dtype.storage, nan, texts
    return None


def _frequency(index: Any, pandas: Any) -> str | None:
    """Return the text of the frequency of times, None if they have none, and "" if it cannot cross."""
    if index.freq is None:
        return None
    found = _scalar(index.freq, pandas)
    return "" if found is None or found[0] != "offset" else str(found[1])


def built(pandas: Any, numpy: Any, fields: Any) -> Any:
    """Return the value of pandas with these fields. Raises Malformed if the fields are malformed."""
    try:
        kind, *parts = fields
        return _BUILDERS[_is(kind, str)](pandas, numpy, *parts)
    except RecursionError:
        raise
    except (
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
        AssertionError,
        ArithmeticError,
        MemoryError,
        RuntimeError,
    ) as error:
        raise Malformed(f"a value of pandas is malformed ({type(error).__name__})") from None


def _is(value: Any, *kinds: type) -> Any:
    if type(value) not in kinds:
        raise Malformed(f"a field of pandas has the type {type(value).__name__}")
    return value


def _zone(zone: Any) -> Any:
    if not _is_zone(zone):
        raise Malformed("a time zone is malformed")
    return zone


def _label(value: Any) -> Any:
    if not is_label(value):
        raise Malformed("a name in an index is malformed")
    return value


def _frequency_text(text: Any) -> str:
    if not _FREQUENCY.fullmatch(_is(text, str)):
        raise Malformed("a frequency is malformed")
    return str(text)


def _offset(pandas: Any, text: Any) -> Any:
    return pandas.tseries.frequencies.to_offset(_frequency_text(text))


def _unit(unit: Any) -> str:
    if unit not in _UNITS:
        raise Malformed("a unit of time is malformed")
    return str(unit)


def _data(numpy: Any, data: Any, kinds: str, axes: int = 1) -> Any:
    """Return `data` if it is an array with this number of axes, whose dtype has one of the kinds."""
    if _is(data, numpy.ndarray).ndim != axes or data.dtype.kind not in kinds:
        raise Malformed("an array in a value of pandas is malformed")
    return data


def _timestamp(pandas: Any, numpy: Any, number: Any, unit: Any, zone: Any, fold: Any) -> Any:
    if fold not in (0, 1):
        raise Malformed("the fold of a point of time is malformed")
    moment = pandas.Timestamp(numpy.datetime64(_is(number, int), _unit(unit)))
    if _zone(zone) is not None:
        moment = moment.tz_localize("UTC").tz_convert(zone)
    return moment if moment.fold == fold else moment.replace(fold=fold)


def _relative(pandas: Any, numpy: Any, count: Any, normalize: Any, parts: Any) -> Any:
    if not all(type(key) is str and type(number) in (int, float) for key, number in _is(parts, dict).items()):
        raise Malformed("an offset is malformed")
    return pandas.DateOffset(_is(count, int), normalize is True, **parts)


def _interval(pandas: Any, numpy: Any, left: Any, right: Any, closed: Any) -> Any:
    return pandas.Interval(_label(left), _label(right), closed=_is(closed, str))


def _array(pandas: Any, numpy: Any, column: Any) -> Any:
    values = _values(pandas, numpy, column)
    return pandas.arrays.NumpyExtensionArray(values) if type(values) is numpy.ndarray else values


def _series(pandas: Any, numpy: Any, index: Any, column: Any, name: Any, attributes: Any, duplicates: Any) -> Any:
    rows, values = _index_of(pandas, numpy, index), _values(pandas, numpy, column)
    if len(rows) != len(values):
        raise Malformed("a series has another number of values than its index")
    series = pandas.Series(values, index=rows, name=_label(name), dtype=values.dtype)
    return _with_further(series, attributes, duplicates)


def _frame(pandas: Any, numpy: Any, index: Any, names: Any, body: Any, attributes: Any, duplicates: Any) -> Any:
    rows, columns = _index_of(pandas, numpy, index), _index_of(pandas, numpy, names)
    kind, data = body
    if kind == "block":
        if _data(numpy, data, "biufc", axes=2).shape != (len(rows), len(columns)):
            raise Malformed("a table has another shape than its index")
        return _with_further(pandas.DataFrame(data, index=rows, columns=columns, copy=True), attributes, duplicates)
    values = [_values(pandas, numpy, column) for column in _is(data, tuple)]
    if len(values) != len(columns) or any(len(value) != len(rows) for value in values):
        raise Malformed("a table has another shape than its index")
    parts = {at: pandas.Series(value, index=rows, dtype=value.dtype, copy=False) for at, value in enumerate(values)}
    frame = pandas.DataFrame(parts, index=rows, columns=range(len(values)))
    frame.columns = columns
    return _with_further(frame, attributes, duplicates)


def _with_further(value: Any, attributes: Any, duplicates: Any) -> Any:
    if not is_plain(_is(attributes, dict)):
        raise Malformed("the attributes of a table are malformed")
    if attributes:
        value.attrs = attributes
    return value if duplicates is True else value.set_flags(allows_duplicate_labels=False)


def _index_of(pandas: Any, numpy: Any, fields: Any) -> Any:
    kind, *parts = fields
    return {"range": _range, "multi": _multi, "index": _plain_index}[kind](pandas, numpy, *parts)


def _range(pandas: Any, numpy: Any, start: Any, stop: Any, step: Any, name: Any) -> Any:
    return pandas.RangeIndex(_is(start, int), _is(stop, int), _is(step, int), name=_label(name))


def _multi(pandas: Any, numpy: Any, levels: Any, codes: Any, names: Any, order: Any) -> Any:
    return pandas.MultiIndex(
        levels=[_index_of(pandas, numpy, level) for level in _is(levels, tuple)],
        codes=[_data(numpy, code, "i") for code in _is(codes, tuple)],
        names=[_label(name) for name in _is(names, tuple)],
        sortorder=_is(order, int, type(None)),
    )


def _plain_index(pandas: Any, numpy: Any, column: Any, name: Any, frequency: Any) -> Any:
    values = _values(pandas, numpy, column)
    if type(values) is numpy.ndarray and values.dtype == object:
        for item in values:
            _label(item)
    index = pandas.Index(values, name=_label(name), dtype=values.dtype, tupleize_cols=False)
    if frequency is not None:
        index.freq = _offset(pandas, frequency)
    return index


def _values(pandas: Any, numpy: Any, column: Any) -> Any:
    """Return the array of pandas or numpy that `_column` described."""
    kind, *parts = column
    return _COLUMNS[_is(kind, str)](pandas, numpy, *parts)


def _objects(pandas: Any, numpy: Any, items: Any) -> Any:
    array = numpy.empty(len(_is(items, tuple)), dtype=object)
    for at, item in enumerate(items):
        array[at] = item
    return array


def _times(pandas: Any, numpy: Any, moments: Any, data: Any, unit: Any, zone: Any) -> Any:
    numbers = _data(numpy, data, "i").astype("int64")
    times = numbers.view(f"{'M' if moments is True else 'm'}8[{_unit(unit)}]")
    index: Any = pandas.DatetimeIndex(times) if moments is True else pandas.TimedeltaIndex(times)
    if _zone(zone) is not None:
        index = index.tz_localize("UTC").tz_convert(zone)
    return index.array


def _periods(pandas: Any, numpy: Any, data: Any, frequency: Any) -> Any:
    return pandas.PeriodIndex.from_ordinals(_data(numpy, data, "i"), freq=_frequency_text(frequency)).array


def _masked(pandas: Any, numpy: Any, name: Any, data: Any, mask: Any) -> Any:
    if name not in _MASKED.split():
        raise Malformed("the class of an array of pandas is not allowed")
    _data(numpy, mask, "b")
    return getattr(pandas.arrays, name)(_data(numpy, data, "biuf"), mask)


def _sparse(pandas: Any, numpy: Any, data: Any, fill: Any, kind: Any) -> Any:
    if numpy is not None:
        _data(numpy, data, "biufc")
    return pandas.arrays.SparseArray(data, fill_value=_label(fill), kind=_is(kind, str))


def _category(pandas: Any, numpy: Any, categories: Any, codes: Any, ordered: Any) -> Any:
    dtype = pandas.CategoricalDtype(_index_of(pandas, numpy, categories), ordered=ordered is True)
    return pandas.Categorical.from_codes(_data(numpy, codes, "i"), dtype=dtype)


def _intervals(pandas: Any, numpy: Any, left: Any, right: Any, closed: Any) -> Any:
    ends = _index_of(pandas, numpy, left), _index_of(pandas, numpy, right)
    return pandas.arrays.IntervalArray.from_arrays(*ends, closed=_is(closed, str))


def _texts(pandas: Any, numpy: Any, storage: Any, nan: Any, texts: Any) -> Any:
    for text in _is(texts, tuple):
        _is(text, str, type(None))
    further = {"na_value": float("nan")} if nan is True else {}
    return pandas.array(list(texts), dtype=pandas.StringDtype(_is(storage, str), **further))


_COLUMNS: dict[str, Callable[..., Any]] = {
    "numbers": lambda pandas, numpy, data: _data(numpy, data, "biufc"),
    "objects": _objects,
    "times": _times,
    "periods": _periods,
    "masked": _masked,
    "sparse": _sparse,
    "category": _category,
    "intervals": _intervals,
    "texts": _texts,
}

_BUILDERS: dict[str, Callable[..., Any]] = {
    "timestamp": _timestamp,
    "timedelta": lambda pandas, numpy, number, unit: pandas.Timedelta(numpy.timedelta64(_is(number, int), _unit(unit))),
    "period": lambda pandas, numpy, ordinal, frequency: pandas.Period(
        ordinal=_is(ordinal, int), freq=_frequency_text(frequency)
    ),
    "interval": _interval,
    "missing": lambda pandas, numpy, time: pandas.NaT if time is True else pandas.NA,
    "relative": _relative,
    "offset": lambda pandas, numpy, text: _offset(pandas, text),
    "dtype": lambda pandas, numpy, column: _values(pandas, numpy, column).dtype,
    "array": _array,
    "series": _series,
    "frame": _frame,
    "range": _range,
    "multi": _multi,
    "index": _plain_index,
}
"""The functions that build a value of pandas, by the first of its fields."""
