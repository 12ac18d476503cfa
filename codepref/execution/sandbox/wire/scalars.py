"""Quick ways to write and read the answers that most calls give: None, a bool, a number or a short text.

The bytes have the form of `Encoder` and `Decoder`, which take longer. The reader is as strict as `Decoder`. For bytes
that it cannot read it returns UNKNOWN, and the caller then uses `Decoder`.
"""

from __future__ import annotations

from typing import Any

from .plain_data import F64, I64, U32

UNKNOWN = object()
"""What `read_answer` returns for bytes that it cannot read."""

MAX_TEXT = 1 << 10
"""These functions write and read no text with more bytes than this."""

_NO_CHANGES = U32.pack(0)
# The sizes of an answer: the number of the request (4 bytes), a sign, a tag, the value, and the number of changes (4).
_CONSTANT_SIZE, _NUMBER_SIZE, _TEXT_SIZE = 10, 18, 14
_SIGN, _TAG, _VALUE = 4, 5, 6
_CONSTANTS = {ord("N"): None, ord("T"): True, ord("F"): False}
_INT, _FLOAT, _STR, _PLUS = map(ord, "ifs+")
_LARGEST = 1 << 63


def scalar_bytes(value: Any) -> bytes | None:
    """Return what `Encoder` writes for None, a bool, an int of 64 bits, a float or a text.

    Return None for a text of more than MAX_TEXT // 4 characters, for a subclass of these types, and for any other
    value.
    """
    kind = type(value)
    if kind is bool:
        return b"T" if value else b"F"
    if kind is int:
        return b"i" + I64.pack(value) if -_LARGEST <= value < _LARGEST else None
    if kind is float:
        return b"f" + F64.pack(value)
    if value is None:
        return b"N"
    if kind is str and len(value) <= MAX_TEXT // 4:
        data: bytes = value.encode("utf-8", "surrogatepass")
        return b"s" + U32.pack(len(data)) + data
    return None


def answer_bytes(number: bytes, written: bytes) -> bytes:
    """Return the answer to the request `number`, with a value that `scalar_bytes` has written, and with no changes."""
    return number + b"+" + written + _NO_CHANGES


def read_answer(data: bytes, number: bytes) -> Any:
    """Return the value of an answer that has the form of `answer_bytes`, or UNKNOWN for all other bytes."""
    size = len(data)
    if size < _CONSTANT_SIZE or data[:_SIGN] != number or data[_SIGN] != _PLUS or data[-4:] != _NO_CHANGES:
        return UNKNOWN
    tag = data[_TAG]
    if size == _CONSTANT_SIZE:
        return _CONSTANTS.get(tag, UNKNOWN)
    if size == _NUMBER_SIZE and tag == _INT:
        return I64.unpack_from(data, _VALUE)[0]
    if size == _NUMBER_SIZE and tag == _FLOAT:
        return F64.unpack_from(data, _VALUE)[0]
    texts = tag == _STR and size >= _TEXT_SIZE
    if texts and size - _TEXT_SIZE <= MAX_TEXT and U32.unpack_from(data, _VALUE)[0] == size - _TEXT_SIZE:
        try:
            return data[_VALUE + 4 : -4].decode("utf-8", "surrogatepass")
        except UnicodeError:
            return UNKNOWN
    return UNKNOWN
