"""Tests of making probes: calls of the entry point with arguments that are varied from the arguments in tests."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codepref.records import Problem, Test
from codepref.sampling.probes import literal_call, parent_of, probes, vary, with_probes

PROBLEM = Problem("t", "Add two numbers.", "add")


def asserts(*sources: str) -> list[Test]:
    return [Test("t", f"own{number}", source) for number, source in enumerate(sources)]


def test_a_probe_is_a_call_that_no_test_contains() -> None:
    tests = asserts("assert add([1, 2], 'ab') == 3", "assert add([], '') == 0")
    new = probes(PROBLEM, tests, each=5)
    assert 6 <= len(new) <= 10
    calls = {test.source for test in new}
    assert len(calls) == len(new)
    assert not calls & {"add([1, 2], 'ab')", "add([], '')"}
    for probe in new:
        arguments = literal_call(probe.source, "add")
        assert arguments is not None
        assert [type(argument) for argument in arguments] == [list, str]
        assert (probe.count, probe.kind) == (0, "asserts")
        assert parent_of(probe) in {"own0", "own1"}
    assert probes(PROBLEM, tests, each=5) == new
    assert probes(PROBLEM, tests, each=5, seed=1) != new


def test_a_call_with_other_arguments_than_literals_gives_no_probe() -> None:
    tests = asserts("assert add(x, 1) == 2", "assert add(a=1, b=2) == 3", "assert other(1) == 1", "not Python (")
    assert probes(PROBLEM, tests, each=5) == []
    assert probes(PROBLEM, [Test("t", "check", "def check(candidate): pass", "check")], each=5) == []


def test_a_test_has_no_parent() -> None:
    assert parent_of(Test("t", "own~1", "assert add(1, 2) == 3")) is None


def test_the_number_of_probes_per_test_falls_with_the_number_of_tests() -> None:
    few = with_probes([PROBLEM], {"t": asserts("assert add(1, 2) == 3")}, 60)["t"]
    assert len(few) == 1 + 16
    many = with_probes([PROBLEM], {"t": asserts(*(f"assert add({n}, 2) == 3" for n in range(100, 140)))}, 60)["t"]
    assert 40 + 2 * 40 < len(many) <= 40 + 3 * 40  # a probe that equals an earlier call is skipped
    assert with_probes([PROBLEM], {"t": []}, 60) == {"t": []}
    assert with_probes([PROBLEM], {"t": asserts("assert add(1, 2) == 3")}, 0)["t"][1:] == []


VALUES = st.recursive(
    st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(VALUES, st.integers(0, 1000))
def test_a_varied_value_has_the_same_type(value: Any, seed: int) -> None:
    before = repr(value)
    assert type(vary(value, random.Random(seed))) is type(value)
    assert repr(value) == before  # `vary` does not change its argument


@pytest.mark.parametrize("value", [{1, "a"}, {(1, "a"), 2}])
def test_a_set_with_elements_of_several_types_can_be_varied(value: set[object]) -> None:
    assert all(type(vary(value, random.Random(seed))) is set for seed in range(3000))
