"""Tests of kind "inputs": inputs are encoded as text and decoded, and malformed sources are refused."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codepref.errors import UserError
from codepref.problems.inputs import InputsTest, decode_inputs, encode_inputs, encode_json_inputs, parse_inputs

PLAIN = (
    st.none()
    | st.booleans()
    | st.integers(min_value=-(10**40), max_value=10**40)
    | st.floats(allow_nan=False)
    | st.complex_numbers(allow_nan=False)
    | st.text()
    | st.binary()
)
HASHABLE = st.recursive(PLAIN, lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3), max_leaves=6)
VALUES = st.recursive(
    HASHABLE | st.sets(HASHABLE, max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.tuples(inner) | st.dictionaries(HASHABLE, inner, max_size=3),
    max_leaves=10,
)


def exact(value: Any) -> Any:
    """Return a form of `value` that also shows its types and the signs of zeros, which == ignores."""
    if isinstance(value, list | tuple):
        return type(value).__name__, [exact(item) for item in value]
    if isinstance(value, dict):
        return "dict", [(exact(key), exact(item)) for key, item in value.items()]
    if isinstance(value, set | frozenset):
        return type(value).__name__, sorted(map(repr, map(exact, value)))
    if isinstance(value, complex):
        return "complex", exact(value.real), exact(value.imag)
    if isinstance(value, float):
        return "float", value, math.copysign(1, value)
    return type(value).__name__, value


@given(st.lists(st.lists(VALUES, max_size=3), max_size=3))
def test_decoded_inputs_equal_the_encoded_ones_in_value_and_type(inputs: list[list[Any]]) -> None:
    assert exact(decode_inputs(encode_inputs(inputs))) == exact(inputs)


def test_nan_is_encoded_and_decoded() -> None:
    [[value]] = decode_inputs(encode_inputs([[math.nan]]))
    assert math.isnan(value)


def test_an_object_cannot_be_encoded() -> None:
    with pytest.raises(TypeError, match="object cannot be an input"):
        encode_inputs([[object()]])


@pytest.mark.parametrize("text", ["[1]", "{}", "open('x')", "[[", "__import__('os')", "[[x]]"])
def test_a_text_that_is_not_a_list_of_argument_lists_is_refused(text: str) -> None:
    with pytest.raises(UserError):
        decode_inputs(text)


def test_a_source_is_parsed_to_the_test_that_wrote_it() -> None:
    test = InputsTest("f", "[[1]]", "def f(x): return x", 1e-4, "oracle:near", "def accept(*args): return True")
    assert parse_inputs(test.to_source()) == test


def test_optional_fields_have_defaults() -> None:
    test = parse_inputs(json.dumps({"entry_point": "f", "inputs": "[[1]]", "reference": "def f(x): return x"}))
    assert (test.atol, test.compare, test.oracle) == (0, "equal", "")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"compare": "roughly"}, "unknown comparison 'roughly'"),
        ({"compare": "oracle:x"}, "oracle"),
        ({"oracle": "def accept(): ..."}, "oracle"),
        ({"atol": -1}, "atol"),
        ({"atol": "0"}, "atol"),
        ({"reference": ""}, "reference"),
        ({"inputs": [[1]]}, "inputs"),
    ],
)
def test_the_message_about_a_malformed_source_names_the_field(change: dict[str, Any], message: str) -> None:
    document = {"entry_point": "f", "inputs": "[[1]]", "reference": "def f(x): return x", **change}
    with pytest.raises(UserError, match=message):
        parse_inputs(json.dumps(document))
    with pytest.raises(UserError):
        parse_inputs("[]")


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["inf", "nan"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


@given(st.lists(st.lists(JSON_VALUES, max_size=3), max_size=3))
def test_the_fast_encoder_for_json_values_writes_the_same_text(inputs: list[list[Any]]) -> None:
    assert encode_json_inputs(inputs) == encode_inputs(inputs)
