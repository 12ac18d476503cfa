"""Builds values of pandas from the fields that `pandas_fields` makes, with the constructors of pandas.

The fields may come from an untrusted process, so they are checked before a constructor gets them. The columns of a
table must have the length of its index, so short fields cannot make a table that takes much memory. Names, and the
items of an index, must be simple values (see `is_label`), so that building an index calls no method of a proxy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .errors import is_plain
from .pandas_fields import FREQUENCY, MASKED, compares_safely, is_label, is_zone
from .plain_data import Malformed

_UNITS = ("s", "ms", "us", "ns")


def holds_missing(numpy: Any, fields: Any) -> bool:
    """Return whether fields describe a masked array of pandas or a column of texts in which a value is `pandas.NA`.

    A comparison of a series gives `pandas.NA` for such a value, and `all` skips it. In a column of objects, or of texts
    whose missing values are NaN, a comparison gives True or False for a missing value, so these columns do not count.
    """
    if type(fields) is not tuple or not fields:
        return False
    kind = fields[0] if type(fields[0]) is str and len(fields) == 4 else ""
    if kind == "masked":
        return type(fields[3]) is numpy.ndarray and bool(fields[3].any())
    if kind == "texts":
        return fields[2] is not True and type(fields[3]) is tuple and any(item is None for item in fields[3])
    return any(holds_missing(numpy, part) for part in fields)


def built(pandas: Any, numpy: Any, fields: Any) -> Any:
    """Return the value of pandas with these fields.

    Raises Malformed if the fields are malformed, and RecursionError if they are nested too deeply.
    """
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
    if not is_zone(zone):
        raise Malformed("a time zone is malformed")
    return zone


def _safe(numpy: Any, value: Any) -> Any:
    if not compares_safely(value, numpy):
        raise Malformed("an array or an index would equal everything")
    return value


def _label(value: Any) -> Any:
    if not is_label(value):
        raise Malformed("a name in an index is malformed")
    return value


def _frequency_text(text: Any) -> str:
    if not FREQUENCY.fullmatch(_is(text, str)):
        raise Malformed("a frequency is malformed")
    return str(text)


def _offset(pandas: Any, text: Any) -> Any:
    return pandas.tseries.frequencies.to_offset(_frequency_text(text))


def _unit(unit: Any) -> str:
    if unit not in _UNITS:
        raise Malformed("a unit of time is malformed")
    return str(unit)


def _data(numpy: Any, data: Any, kinds: str, axes: int = 1) -> Any:
    """Return `data` if it is a numpy array with `axes` axes and a dtype whose `kind` is one of the letters in `kinds`.

    Raises Malformed for anything else.
    """
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
    return _safe(numpy, _values(pandas, numpy, column))


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
    if kind not in ("range", "multi", "index"):
        raise Malformed("the kind of an index is unknown")
    return _BUILDERS[kind](pandas, numpy, *parts)


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
    return _safe(numpy, index)


def _values(pandas: Any, numpy: Any, column: Any) -> Any:
    """Return the array of pandas or numpy with the fields `column`, which `pandas_fields._column` made."""
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
    if name not in MASKED.split():
        raise Malformed("the class of an array of pandas is not allowed")
    _data(numpy, mask, "b")
    return getattr(pandas.arrays, name)(_data(numpy, data, "biuf"), mask)


def _sparse(pandas: Any, numpy: Any, data: Any, fill: Any, kind: Any) -> Any:
    return pandas.arrays.SparseArray(_data(numpy, data, "biufc"), fill_value=_label(fill), kind=_is(kind, str))


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
