"""Tests that values of libraries stay the same when they cross, and that malformed fields raise only Malformed."""

from __future__ import annotations

import contextlib
import datetime
import decimal
import ipaddress
import json
import pathlib
import re
import types
import uuid
from array import array
from collections import ChainMap, UserDict, namedtuple
from enum import IntEnum
from http import HTTPStatus
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codepref.execution.sandbox.wire.decoder import Decoder
from codepref.execution.sandbox.wire.encoder import Encoder
from codepref.execution.sandbox.wire.errors import error_fields, exception_from, of_solution
from codepref.execution.sandbox.wire.plain_data import Malformed, Unencodable
from codepref.execution.sandbox.wire.proxies import make_proxy
from codepref.execution.sandbox.wire.references import reference_to, referenced

BOTH_WAYS = [
    pathlib.PurePosixPath("/a/b"),
    pathlib.Path("c"),
    uuid.UUID(int=7),
    ipaddress.ip_network("10.0.0.0/8"),
    datetime.datetime(2024, 3, 31, 12, fold=1, tzinfo=ZoneInfo("Europe/Paris")),
    ZoneInfo("Asia/Tokyo"),
    re.compile("a+", re.IGNORECASE),
    urlsplit("http://a.b:80/c"),
    HTTPStatus.NOT_FOUND,
    datetime.date,
    ValueError,
    type(None),
]
FROM_SOLUTION = [
    array("h", [1, -2]),
    types.SimpleNamespace(a=1, b=[2]),
    ChainMap({"a": 1}, {"b": 2}),
    UserDict({"a": 1}),
    types.MappingProxyType({"a": 1}),
]


def crossed(value, exact=False):
    decoder = Decoder(Encoder(lambda _: None, exact=exact).encode(value))
    back = decoder.value()
    decoder.finished()
    return back


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("value", BOTH_WAYS, ids=repr)
def test_values_that_nobody_can_change_cross_both_ways(value, exact):
    back = crossed([value], exact)[0]
    assert type(back) is type(value)
    assert back == value
    assert repr(back) == repr(value)


@pytest.mark.parametrize("value", FROM_SOLUTION, ids=repr)
def test_values_that_can_be_changed_cross_from_the_solution_only(value):
    back = crossed(value)
    assert type(back) is type(value)
    assert back == value
    with pytest.raises(Unencodable):
        crossed(value, exact=True)


def test_a_named_tuple_keeps_its_names_and_equals_a_tuple():
    point = crossed(namedtuple("point", "x y")(1, [2]))
    assert point == (1, [2])
    assert (point.x, point.y, point._fields) == (1, [2], ("x", "y"))
    assert crossed(point, exact=True) == point


def test_a_member_of_an_enumeration_keeps_its_value_name_and_identity():
    class Level(IntEnum):
        LOW = 1

        def __eq__(self, other):
            return True

        __hash__ = int.__hash__

    low, again = crossed([Level.LOW, Level.LOW])
    assert low is again
    assert (low + 1, low.name, low.value, str(low)) == (2, "LOW", 1, "1")
    assert low == 1
    assert low != 2


def test_an_iterator_of_a_test_crosses_by_its_items():
    assert list(crossed(zip([1, 2], "ab", strict=True), exact=True)) == [(1, "a"), (2, "b")]
    with pytest.raises(Unencodable):
        crossed(iter(range(10**9)), exact=True)


def test_times_and_objects_in_arrays_cross():
    days = np.array(["2024-01-01", "2024-01-03"], dtype="datetime64[D]")
    assert (crossed(days) == days).all()
    assert crossed(days).dtype == days.dtype
    mixed = np.array([["a", 1], [None, 2.5]], dtype=object)
    assert crossed(mixed).tolist() == [["a", 1], [None, 2.5]]


def test_changed_contents_of_an_array_arrive_in_the_same_array():
    target, changed = np.zeros(3), np.ones(3)
    sender = Encoder(lambda _: None, exact=False, table=[changed])
    Decoder(sender.contents(changed), table=[]).replace(target)
    assert target.tolist() == [1, 1, 1]
    with pytest.raises(Malformed, match="another shape"):
        Decoder(sender.contents(changed), table=[]).replace(np.zeros(2))


def test_pandas_values_cross_with_dtypes_index_and_names():
    pandas = pytest.importorskip("pandas")
    index = pandas.MultiIndex.from_tuples([("a", 1), ("b", 2)], names=["x", "y"])
    columns = {"n": [1, 2], "f": [0.5, float("nan")], "s": ["u", None], "c": pandas.Categorical(["p", "q"])}
    frame = pandas.DataFrame(columns, index=index)
    frame["t"] = pandas.to_datetime(["2024-01-01", "2024-01-02"]).tz_localize("Europe/Paris")
    frame["i"] = pandas.array([1, None], dtype="Int64")
    back = crossed_with_handle(frame)
    pandas.testing.assert_frame_equal(back, frame)
    series = frame["n"].rename("count")
    pandas.testing.assert_series_equal(crossed_with_handle(series), series)
    days = pandas.date_range("2024-01-01", periods=3, freq="D")
    pandas.testing.assert_index_equal(crossed_with_handle(days), days)
    assert crossed_with_handle(pandas.NaT) is pandas.NaT
    assert crossed_with_handle(pandas.Timestamp("2024-01-01T12:00")) == pandas.Timestamp("2024-01-01T12:00")


def crossed_with_handle(value):
    handle = b"ho\x00\x00\x00\x00\x01\x00\x00\x00x"
    data = Encoder(lambda part: handle if part is value else None, exact=False).encode(value)
    return Decoder(data, lambda *_: "the handle").value()


@settings(max_examples=300)
@given(st.sampled_from([*BOTH_WAYS, *FROM_SOLUTION, np.arange(3), ValueError("x")]), st.data())
def test_damaged_fields_decode_or_raise_malformed(value, data):
    encoded = bytearray(Encoder(lambda _: None, exact=False).encode(value))
    encoded[data.draw(st.integers(0, len(encoded) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(Malformed):
        Decoder(bytes(encoded)).value()


@pytest.mark.parametrize("name", ["a\0b", "\ud800", "x" * 10])
def test_an_exception_with_an_odd_name_is_malformed_or_an_exception(name):
    fields = (name, "ValueError", ("x",), None, {}, None, {})
    if name.isidentifier():
        assert type(exception_from(fields)).__name__ == name
    else:
        with pytest.raises(Malformed):
            exception_from(fields)


def test_an_exception_crosses_with_attributes_notes_and_cause():
    class Short(ValueError):
        pass

    error = Short("short", [1])
    error.missing, error.own = 3, object()
    error.add_note("note")
    error.__cause__ = KeyError("k")
    back = exception_from(error_fields(error))
    assert of_solution(back)
    assert isinstance(back, ValueError)
    assert (type(back).__name__, back.args, back.missing, back.__notes__) == ("Short", ("short", [1]), 3, ["note"])
    assert not hasattr(back, "own")
    assert back.__cause__.args == ("k",)


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda: json.loads("["), json.JSONDecodeError),
        (lambda: decimal.Decimal("x"), decimal.InvalidOperation),
        (lambda: re.compile("("), re.error),
        (lambda: np.linalg.inv(np.zeros((2, 2))), np.linalg.LinAlgError),
        (lambda: b"\xff".decode(), UnicodeDecodeError),
    ],
)
def test_an_exception_of_a_library_keeps_its_class(make, kind):
    with pytest.raises(kind) as caught:
        make()
    back = exception_from(error_fields(caught.value))
    assert isinstance(back, kind)
    assert of_solution(back)
    assert (type(back).__name__, str(back)) == (kind.__name__, str(caught.value))
    assert {name: getattr(back, name) for name in ("pos", "start") if hasattr(back, name)} == {
        name: getattr(caught.value, name) for name in ("pos", "start") if hasattr(caught.value, name)
    }


def test_a_class_that_is_no_exception_of_a_loaded_library_is_not_used():
    fields = ("Odd", "ValueError", (), None, {}, None)
    for name in (("os", "system"), ("builtins", "int"), ("not_loaded", "Error"), ("json", "JSONDecodeError", "x"), 3):
        back = exception_from((*fields, {"class": name}))
        assert type(back).__mro__[1] is ValueError


def test_a_group_of_exceptions_and_a_context_cross():
    error = ExceptionGroup("both", [ValueError("a"), KeyError("b")])
    error.__context__ = IndexError("c")
    back = exception_from(error_fields(error))
    assert [type(part) for part in back.exceptions] == [ValueError, KeyError]
    assert back.message == "both"
    assert isinstance(back.__context__, IndexError)


@pytest.mark.parametrize("value", [len, str.upper, pathlib.Path, np.sqrt, re, ValueError, dict.fromkeys])
def test_things_of_libraries_are_handed_over_by_name(value):
    reference = reference_to(value)
    if value == dict.fromkeys:
        assert reference is None  # a bound method is no thing of a library
    else:
        assert referenced(reference) is value


def test_own_functions_and_classes_have_no_reference():
    class Own:
        pass

    assert reference_to(lambda: 0) is None
    assert reference_to(Own) is None
    assert reference_to(Own()) is None


def test_a_proxy_has_the_methods_that_its_handle_names():
    class Link:
        stops_expected = False
        refused = frozenset()

        def request(self, operation, *parts):
            return {"len": 3, "bool": True, "hash": 5, "str": "text", "repr": "r", "differ": False}[operation]

    sized = make_proxy(Link(), b"o", 1, "Bag\0L")
    bare = make_proxy(Link(), b"o", 2, "Bag\0")
    assert len(sized) == 3
    assert (str(sized), repr(sized), hash(sized), bool(sized)) == ("text", "r", 5, True)
    assert not hasattr(bare, "__len__")
    assert sized == sized
    assert sized != [1, 2, 3]
    with pytest.raises(TypeError, match="own word"):
        assert sized == bare
    with pytest.raises(Malformed, match="unknown ability"):
        make_proxy(Link(), b"o", 3, "Bag\0Z")
