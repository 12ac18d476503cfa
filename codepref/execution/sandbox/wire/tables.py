"""Arrays of objects and dtypes of numpy, and values of pandas.

They cross without pickle, as arrays and plain values. The receiver builds them with the constructors of the libraries.
Values that can be changed cross only from the solution. A test runner that has not loaded the library is replaced by
one that has.

Masked arrays do not cross, since a value that is masked equals everything in most of numpy's assertions.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .numpy_values import dtype_from, dtype_text
from .pandas_fields import pandas_form
from .pandas_values import built, holds_missing
from .plain_data import Malformed

if TYPE_CHECKING:
    from .decoder import Decoder

OF_PANDAS = ("pandas", "moment")
"""The names of the forms of pandas: of a value that can be changed, and of one that cannot, such as a Timestamp."""

_OBJECT = "|O"


def table_form(value: Any, *, lasting: bool) -> tuple[str, tuple[Any, ...]] | None:
    """Return the name of the form and the fields of a value of numpy or pandas, or None if it has none.

    lasting: whether to leave out values that can be changed. Neither library is imported here.
    """
    kind = type(value)
    library = str(kind.__module__).partition(".")[0]
    if library == "pandas":
        return pandas_form(value, lasting=lasting)
    numpy = sys.modules.get("numpy")
    if library == "numpy" and hasattr(numpy, "ndarray"):
        assert numpy is not None
        if issubclass(kind, numpy.dtype):
            text = _OBJECT if value.str == _OBJECT and value.metadata is None else dtype_text(value)
            return None if text is None else ("dtype", (text,))
        if not lasting and kind is numpy.ndarray and value.dtype.kind == "O":
            return "objects", (value.shape, tuple(value.ravel().tolist()))
    return None


def _objects(decoder: Decoder, original: Any, shape: Any, items: Any) -> Any:
    numpy = decoder.find_numpy()
    if type(shape) is not tuple or not all(type(size) is int and size >= 0 for size in shape):
        raise Malformed("the shape of an array of objects is malformed")
    if type(items) is not tuple or math.prod(shape) != len(items):
        raise Malformed("an array of objects has another size than its shape says")
    array = numpy.empty(shape, dtype=object)
    flat = array.reshape(-1)
    for at, item in enumerate(items):
        flat[at] = item
    return array


def _dtype(decoder: Decoder, original: Any, name: Any) -> Any:
    if type(name) is not str:
        raise Malformed("a dtype is malformed")
    numpy = decoder.find_numpy()
    return numpy.dtype(object) if name == _OBJECT else dtype_from(numpy, name)


def _pandas(decoder: Decoder, original: Any, *fields: Any) -> Any:
    pandas, numpy = decoder.find_pandas(), decoder.find_numpy()
    if holds_missing(numpy, fields) and not decoder.may_miss():
        if original is None:
            raise Malformed("a table has no handle")
        return original
    return built(pandas, numpy, fields)


TABLES: dict[Any, Callable[..., Any]] = {
    "objects": _objects,
    "dtype": _dtype,
    **dict.fromkeys(OF_PANDAS, _pandas),
}
"""The functions that build these values, by the name of the form.

They get the decoder, the proxy of the original or None, and the fields.
"""
