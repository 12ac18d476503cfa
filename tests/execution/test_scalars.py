"""Tests that the quick codec of answers writes what the full one writes, and reads only what the full one reads."""

import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from codepref.execution.sandbox.wire.decoder import Decoder
from codepref.execution.sandbox.wire.encoder import Encoder
from codepref.execution.sandbox.wire.plain_data import U32, Malformed
from codepref.execution.sandbox.wire.scalars import UNKNOWN, answer_bytes, read_answer, scalar_bytes

NUMBER = U32.pack(7)

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(1 << 63), (1 << 63) - 1),
    st.floats(),
    st.text(st.characters()),
    st.text(st.characters(categories=["Cs"])),
)


def same(first: Any, second: Any) -> bool:
    """Return whether two values have one type and one value. NaN is the same as NaN."""
    if type(first) is float and type(second) is float and math.isnan(first):
        return math.isnan(second)
    return type(first) is type(second) and first == second


def fully_decoded(data: bytes) -> Any:
    """Return the value of a successful answer without changes, as the full decoder reads it.

    Raises Malformed for all other data.
    """
    decoder = Decoder(data)
    if decoder.take(5) != NUMBER + b"+":
        raise Malformed("not a successful answer to this request")
    value = decoder.value()
    if decoder.u32():
        raise Malformed("the answer has changes")
    decoder.finished()
    return value


@given(SCALARS)
def test_a_scalar_is_written_as_the_full_encoder_writes_it_and_comes_back(value: Any) -> None:
    written = scalar_bytes(value)
    if written is None:
        assert type(value) is str or not -(1 << 63) <= value < 1 << 63
        return
    assert written == Encoder(lambda _: None, exact=True).encode(value)
    assert same(read_answer(answer_bytes(NUMBER, written), NUMBER), value)


@given(SCALARS, st.integers(0, 40), st.binary(max_size=3), st.integers(0, 3))
def test_damaged_answers_are_read_as_the_full_decoder_reads_them_or_not_at_all(
    value: Any, at: int, replacement: bytes, removed: int
) -> None:
    data = answer_bytes(NUMBER, scalar_bytes(value) or b"N")
    damaged = data[:at] + replacement + data[at + removed :]
    quick = read_answer(damaged, NUMBER)
    if quick is not UNKNOWN:
        assert same(quick, fully_decoded(damaged))


@given(st.binary(max_size=24))
def test_any_bytes_are_read_as_the_full_decoder_reads_them_or_not_at_all(tail: bytes) -> None:
    data = NUMBER + b"+" + tail
    quick = read_answer(data, NUMBER)
    if quick is not UNKNOWN:
        assert same(quick, fully_decoded(data))


def test_what_is_no_plain_scalar_is_left_to_the_full_codec() -> None:
    class Sub(int):
        pass

    assert [scalar_bytes(value) for value in (Sub(1), 1 << 63, [], (), b"", 1j, "a" * 300)] == [None] * 7


def test_an_answer_to_another_request_and_an_answer_with_changes_are_not_read() -> None:
    assert read_answer(answer_bytes(U32.pack(8), b"N"), NUMBER) is UNKNOWN
    assert read_answer(NUMBER + b"-N" + U32.pack(0), NUMBER) is UNKNOWN
    assert read_answer(NUMBER + b"+N" + U32.pack(1), NUMBER) is UNKNOWN
