"""How arrays, scalars and dtypes of numpy cross: a dtype as a text, and the others as raw bytes with such a text.

Only arrays and scalars of exactly the types that `_types` returns cross. An instance of another subclass of
`numpy.ndarray` does not, whatever it claims to be. The text of a dtype is a short text that numpy reads, such as "<i8",
or JSON for a dtype with fields or a shape. Data that hold Python objects do not cross in this way. Memory between the
fields of a dtype belongs to no field and could hold anything of the sender's memory. It arrives as zeros if no fields
overlap.
"""

from __future__ import annotations

import functools
import math
import re
import sys
from typing import TYPE_CHECKING, Any

from .plain_data import U32, Malformed

if TYPE_CHECKING:
    from .decoder import Decoder

MAX_AXES, MAX_DTYPE, MAX_WITHOUT_BYTES = 64, 1 << 16, 1 << 20
"""The largest numbers of axes, of characters in the text of a dtype, and of items that take no bytes."""

_UNITS = "Y|M|W|D|h|m|s|ms|us|ns|ps|fs|as"
_SHORT = re.compile(rf"[<>|=](?:[biufcSUV]\d{{1,9}}|[qQ]|[mM]8(?:\[\d{{0,9}}(?:{_UNITS})\])?)")
_FORTRAN, _READ_ONLY = 1, 2
_CLASSES = ("ndarray", "matrix", "recarray", "memmap")
_TEXT_SCALARS = {"str": "str_", "bytes": "bytes_"}


def dtype_text(dtype: Any) -> str | None:
    """Return the text of a numpy dtype, or None if data of this dtype cannot cross as raw bytes.

    `dtype_from` rejects a JSON text that is longer than MAX_DTYPE.
    """
    known = _types()[2].get(id(dtype))
    if known is not None:
        return known
    if dtype.hasobject or dtype.metadata is not None:
        return None
    if dtype.names is None and dtype.subdtype is None:
        text: str = dtype.str
        if not _SHORT.fullmatch(text):
            return None
        # longlong has the same text as int64, but it is another type.
        return text[0] + dtype.char if dtype.char in "qQ" else text
    import json

    tree = _tree(dtype)
    return None if tree is None else json.dumps(tree)


def _tree(dtype: Any) -> Any:
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        inner = _tree(base)
        return None if inner is None else {"base": inner, "shape": list(shape)}
    if dtype.names is None:
        return dtype_text(dtype)
    fields = []
    for name in dtype.names:
        part, offset, *title = dtype.fields[name]
        inner = _tree(part)
        if inner is None or part.metadata is not None or not all(type(text) is str for text in title):
            return None
        fields.append([name, inner, offset, title[0] if title else None])
    record = dtype.type.__name__ == "record"
    return {"fields": fields, "size": dtype.itemsize, "align": bool(dtype.isalignedstruct), "record": record}


def dtype_from(numpy: Any, text: str) -> Any:
    """Return the dtype of a text that `dtype_text` returned.

    Raises Malformed for a text that is not allowed or is JSON longer than MAX_DTYPE. Wrong JSON can also raise errors
    that `Decoder.value` turns into Malformed.
    """
    if _SHORT.fullmatch(text):
        return numpy.dtype(text)
    if text[:1] != "{" or len(text) > MAX_DTYPE:
        raise Malformed(f"the numpy dtype {text[:100]!r} is not allowed")
    import json

    dtype = _dtype_of(numpy, json.loads(text))
    if dtype.hasobject:
        raise Malformed("a numpy dtype holds objects")
    return dtype


def _dtype_of(numpy: Any, tree: Any) -> Any:
    if type(tree) is str:
        if not _SHORT.fullmatch(tree):
            raise Malformed(f"the numpy dtype {tree[:100]!r} is not allowed")
        return numpy.dtype(tree)
    if type(tree) is not dict:
        raise Malformed("a numpy dtype is malformed")
    if "base" in tree:
        return numpy.dtype((_dtype_of(numpy, tree["base"]), _shape(tree["shape"])))
    names, formats, offsets, titles = [], [], [], []
    for name, inner, offset, title in tree["fields"]:
        if type(name) is not str or type(offset) is not int or type(title) not in (str, type(None)):
            raise Malformed("a field of a numpy dtype is malformed")
        names.append(name)
        formats.append(_dtype_of(numpy, inner))
        offsets.append(offset)
        titles.append(title)
    size, align = tree["size"], tree["align"] is True
    if type(size) is not int or not 0 <= size < 1 << 31:
        raise Malformed("the size of a numpy dtype is malformed")
    layout = {"names": names, "formats": formats, "offsets": offsets, "titles": titles, "itemsize": size}
    dtype = numpy.dtype(layout, align=align)
    return numpy.dtype((numpy.record, dtype)) if tree["record"] is True else dtype


def _shape(sizes: Any) -> tuple[int, ...]:
    if type(sizes) is not list or len(sizes) > MAX_AXES or not all(type(size) is int and size >= 0 for size in sizes):
        raise Malformed("the shape in a numpy dtype is malformed")
    return tuple(sizes)


@functools.cache
def _types() -> tuple[dict[type, int], frozenset[type], dict[int, str]]:
    """Return the classes of arrays that cross, each with its place in _CLASSES, and the types of scalars.

    Also return the texts of the usual dtypes by the ids of these dtypes, which exist as long as numpy does.
    """
    numpy = sys.modules["numpy"]
    arrays = {getattr(numpy, name): at for at, name in enumerate(_CLASSES)}
    codes = numpy.typecodes["All"]
    scalars = {numpy.dtype(code).type for code in codes if code != "O"} | {numpy.record}
    usual = {id(dtype): dtype.str for dtype in (numpy.dtype(code) for code in "?bBhHiIlLefdFD")}
    return arrays, frozenset(scalars), usual


def is_array(value: Any) -> bool:
    """Return whether `value` is an array that `numpy_bytes` can write. This function does not import numpy."""
    if "numpy" not in sys.modules or type(value) not in _types()[0]:
        return False
    return dtype_text(value.dtype) is not None


def numpy_bytes(value: Any) -> bytes | None:
    """Return the encoding of a numpy scalar or array whose data can cross. Return None for other values.

    This function does not import numpy.
    """
    if "numpy" not in sys.modules:
        return None
    arrays, scalars, _ = _types()
    kind = type(value)
    if kind in scalars:
        return _scalar_bytes(value)
    if kind not in arrays or (text := dtype_text(value.dtype)) is None:
        return None
    flags = value.flags
    fortran = flags.f_contiguous and not flags.c_contiguous
    form = arrays[kind] << 2 | (_FORTRAN if fortran else 0) | (0 if flags.writeable else _READ_ONLY)
    order = "F" if fortran else "C"
    data = (_without_gaps(value, order) if _has_gaps(value.dtype) else value).tobytes(order)
    dtype, shape = text.encode(), b"".join(U32.pack(size) for size in value.shape)
    return b"".join(
        (b"y", bytes((form,)), U32.pack(len(dtype)), dtype, U32.pack(value.ndim), shape, U32.pack(len(data)), data)
    )


def _scalar_bytes(value: Any) -> bytes | None:
    kind = type(value)
    if kind.__name__ == "str_":  # its dtype does not count NUL characters at the end
        text, data = "str", str.__str__(value).encode("utf-8", "surrogatepass")
    elif kind.__name__ == "bytes_":
        text, data = "bytes", bytes(memoryview(value))
    elif (found := dtype_text(value.dtype)) is not None:
        text, data = found, (_without_gaps(value, "C") if _has_gaps(value.dtype) else value).tobytes()
    else:
        return None
    dtype = text.encode()
    return b"".join((b"x", U32.pack(len(dtype)), dtype, U32.pack(len(data)), data))


def _without_gaps(value: Any, order: str) -> Any:
    """Return a copy of numpy data with fields, in which the memory that belongs to no field is zero."""
    clean = sys.modules["numpy"].zeros(value.shape, value.dtype, order)
    _copy_fields(value, clean)
    return clean


def _has_gaps(dtype: Any) -> bool:
    base = dtype.base
    if base.names is None:
        return False
    end = 0
    for part, offset in sorted((base.fields[name][:2] for name in base.names), key=lambda field: field[1]):
        if offset != end or _has_gaps(part):  # fields that overlap count as a gap, since they may hide one
            return True
        end += part.itemsize
    return bool(end != base.itemsize)


def _copy_fields(source: Any, target: Any) -> None:
    for name in source.dtype.names:
        if source.dtype[name].base.names is None:
            target[name] = source[name]
        else:
            _copy_fields(source[name], target[name])


def read_scalar(decoder: Decoder) -> Any:
    """Read a scalar of numpy.

    Raises Malformed, errors that `Decoder.value` turns into Malformed, and errors of `find_numpy`.
    """
    numpy = decoder.find_numpy()
    text, data = decoder.take(decoder.u32()).decode(), decoder.take(decoder.u32())
    if text in _TEXT_SCALARS:
        return numpy.str_(data.decode("utf-8", "surrogatepass")) if text == "str" else numpy.bytes_(data)
    return _array(numpy, dtype_from(numpy, text), (), data, "C")[()]


def read_array(decoder: Decoder) -> Any:
    """Read an array of numpy.

    Raises Malformed, errors that `Decoder.value` turns into Malformed, and errors of `find_numpy`.
    """
    numpy = decoder.find_numpy()
    form = decoder.take(1)[0]
    dtype = dtype_from(numpy, decoder.take(decoder.u32()).decode())
    rank = decoder.u32()
    if rank > MAX_AXES:
        raise Malformed(f"a numpy array has more than {MAX_AXES} axes")
    shape = tuple(decoder.u32() for _ in range(rank))
    data = decoder.take(decoder.u32())
    array = _array(numpy, dtype, shape, data, "F" if form & _FORTRAN else "C")
    if form >> 2:
        if form >> 2 >= len(_CLASSES):
            raise Malformed("the class of a numpy array is unknown")
        array = array.view(getattr(numpy, _CLASSES[form >> 2]))
        if array.shape != shape:
            raise Malformed("the shape does not fit the class of a numpy array")
    if form & _READ_ONLY:
        array.flags.writeable = False
    return array


def _array(numpy: Any, dtype: Any, shape: tuple[int, ...], data: bytes, order: str) -> Any:
    size = math.prod(shape)
    if (
        dtype.subdtype is not None
        or size * dtype.itemsize != len(data)
        or (not dtype.itemsize and size > MAX_WITHOUT_BYTES)
    ):
        raise Malformed("a numpy array has another size than its shape says")
    array = numpy.ndarray(shape, dtype, data, order=order)
    array = _without_gaps(array, order) if dtype.names and _has_gaps(dtype) else array.copy(order="K")
    if dtype.kind in "bV" and _odd_bools(numpy, array):
        raise Malformed("a truth value of numpy is neither true nor false")
    return array


def _odd_bools(numpy: Any, array: Any) -> bool:
    if array.dtype.names is not None:
        return any(_odd_bools(numpy, array[name]) for name in array.dtype.names)
    return array.dtype.kind == "b" and bool(array.size) and int(array.view(numpy.uint8).max()) > 1
