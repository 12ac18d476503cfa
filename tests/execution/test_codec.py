"""Tests that plain data is the same after encoding and decoding, and that hostile bytes raise only Malformed."""

from __future__ import annotations

import contextlib
import datetime
import math
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codepref.execution.sandbox.wire.decoder import Decoder
from codepref.execution.sandbox.wire.encoder import Encoder
from codepref.execution.sandbox.wire.plain_data import Malformed, Unencodable

HASHABLE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.complex_numbers(allow_nan=False),
    lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=4),
    max_leaves=6,
)
PLAIN = st.recursive(
    HASHABLE | st.just(...) | st.builds(range, st.integers(), st.integers(), st.integers(1, 9)),
    lambda inner: (
        st.lists(inner)
        | st.lists(st.integers(-(2**63), 2**63 - 1), min_size=8)
        | st.lists(st.text(), min_size=8)
        | st.dictionaries(HASHABLE, inner)
        | st.sets(HASHABLE, max_size=4)
        | st.tuples(inner, inner)
    ),
    max_leaves=25,
)


def crossed(value, exact=True):
    data = Encoder(lambda _: None, exact=exact).encode(value)
    decoder = Decoder(data)
    back = decoder.value()
    decoder.finished()
    return back


def same(first, second) -> bool:
    if type(first) is not type(second):
        return False
    if isinstance(first, list | tuple):
        return len(first) == len(second) and all(map(same, first, second))
    if isinstance(first, dict):
        return same(list(first.items()), list(second.items()))
    return repr(first) == repr(second) if isinstance(first, float | complex) else first == second


@given(PLAIN)
def test_plain_data_comes_back_with_its_exact_types(value):
    assert same(crossed(value), value)


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_any_bytes_decode_or_raise_malformed(data):
    decoder = Decoder(data)
    with contextlib.suppress(Malformed):
        decoder.value()


@settings(max_examples=200)
@given(PLAIN, st.data())
def test_damaged_encodings_decode_or_raise_malformed(value, data):
    encoded = bytearray(Encoder(lambda _: None, exact=True).encode(value))
    encoded[data.draw(st.integers(0, len(encoded) - 1))] = data.draw(st.integers(0, 255))
    decoder = Decoder(bytes(encoded))
    try:
        decoder.value()
        decoder.finished()
    except Malformed:
        pass


@pytest.mark.parametrize(
    "value",
    [
        Counter("abca"),
        OrderedDict([(2, "b"), (1, "a")]),
        deque([1, 2, 3], maxlen=3),
        Decimal("1.500"),
        Fraction(-1, 3),
        datetime.datetime(2024, 2, 29, 12, 30, 1, 5, tzinfo=datetime.UTC),
        datetime.date(2024, 2, 29),
        datetime.time(23, 59),
        datetime.timedelta(days=-1, microseconds=3),
        bytearray(b"abc"),
        slice(1, None, 2),
        int,
        "lone \ud800 surrogate",
        10**500,
        -(2**63) - 1,
        -0.0,
        math.inf,
        ["a\0b"] * 9,
        [True] * 9,
        [2**63] * 9,
    ],
)
def test_further_types_cross_exactly(value):
    back = crossed(value)
    assert type(back) is type(value)
    assert back == value
    assert repr(back) == repr(value)


def test_a_default_dict_keeps_a_builtin_factory():
    back = crossed(defaultdict(list, a=[1]))
    assert back["new"] == []
    assert back == {"a": [1], "new": []}


def test_nan_stays_nan_and_views_of_dicts_stay_views():
    assert math.isnan(crossed(math.nan))
    assert crossed({1: 2}.keys()) == {1}
    assert list(crossed({1: 2}.values())) == [2]
    assert crossed({1: 2}.items()) == {(1, 2)}


def test_numpy_scalars_and_arrays_cross():
    array = np.arange(6, dtype=np.int32).reshape(2, 3)
    back = crossed(array, exact=False)
    assert back.dtype == array.dtype
    assert (back == array).all()
    scalar = crossed(np.float64(0.1), exact=False)
    assert type(scalar) is np.float64
    assert scalar == 0.1


def test_aliases_and_cycles_survive():
    row = [0]
    back = crossed([row, row])
    assert back[0] is back[1]
    loop: list = []
    loop.append(loop)
    back = crossed(loop)
    assert back[0] is back


def test_an_instance_of_a_subclass_crosses_as_its_base():
    class Liar(list):
        def __iter__(self):
            return iter([9, 9])

        def __len__(self):
            return 2

        def __eq__(self, other):
            return True

    point = namedtuple("point", "x y")
    back = crossed(Liar([1]), exact=False)
    assert type(back) is list
    assert back == [1]
    crossed_point = crossed(point(1, 2), exact=False)
    assert crossed_point == (1, 2)
    assert (crossed_point.x, crossed_point.y) == (1, 2)
    with pytest.raises(Unencodable):
        crossed(Liar([1]), exact=True)


def test_functions_do_not_cross():
    with pytest.raises(Unencodable):
        crossed([print, lambda: 0])


def test_nested_values_cross_up_to_a_limit():
    deep: list = []
    for _ in range(900):
        deep = [deep]
    depth, back = 0, crossed(deep)
    while back:
        depth, back = depth + 1, back[0]
    assert depth == 900
    for _ in range(200):
        deep = [deep]
    with pytest.raises(RecursionError):
        crossed(deep)


def test_a_short_message_cannot_announce_a_long_list():
    with pytest.raises(Malformed, match="more items"):
        Decoder(b"l\xff\xff\xff\x7f-N").value()


def test_contents_replace_a_container_in_place():
    target, other = [1], {"a": 1}
    sender = Encoder(lambda _: None, exact=True, table=[[7, 8], {"b": 2}])
    for old, new in ((target, sender.table[0]), (other, sender.table[1])):
        Decoder(sender.contents(new), table=[]).replace(old)
    assert target == [7, 8]
    assert other == {"b": 2}
    with pytest.raises(Malformed):
        Decoder(sender.contents([1]), table=[]).replace(other)
