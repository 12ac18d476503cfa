"""Tests of the normal form of programs: changes of a program that keep this form, and changes that do not."""

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codepref.problems.normalise import normal_form

BASE = "def f(xs):\n    total = 0\n    for x in xs:\n        total += x\n    return total\n"


@pytest.mark.parametrize(
    "same",
    [
        BASE + "\n# the end\n",
        "def f(xs):\n  total=0\n  for x in xs: total += x\n  return total",
        'def f(xs):\n    """Adds up."""\n    total = 0\n    for x in xs:\n        total += x\n    return total\n',
        "def f(numbers):\n    s = 0\n    for n in numbers:\n        s += n\n    return s\n",
    ],
)
def test_layout_comments_docstrings_and_local_names_do_not_change_the_form(same: str) -> None:
    assert normal_form(same) == normal_form(BASE)


def test_fields_of_a_class_inside_a_function_keep_their_names() -> None:
    program = "def f():\n    class A:\n        {0} = 1\n    return A.{0}\n"
    assert normal_form(program.format("size")).endswith("        size = 1\n    return A.size")
    assert normal_form(program.format("size")) != normal_form(program.format("length"))


@pytest.mark.parametrize(
    "other",
    [
        BASE.replace("def f", "def g"),
        BASE.replace("+= x", "-= x"),
        BASE.replace("total = 0", "total = 1"),
        "def f(a, b):\n    return a - b\n",
        "def f(xs):\n    return sum(xs)\n",
    ],
)
def test_other_behaviour_changes_the_form(other: str) -> None:
    assert normal_form(other) != normal_form(BASE)


def test_swapped_arguments_change_the_form() -> None:
    assert normal_form("def f(a, b):\n    return a - b") != normal_form("def f(a, b):\n    return b - a")
    assert normal_form("def f(a, b):\n    return a - b") == normal_form("def f(b, a):\n    return b - a")


def test_globals_and_builtins_keep_their_names() -> None:
    assert normal_form("def f(x):\n    return min(x)") != normal_form("def f(x):\n    return max(x)")


def test_programs_that_do_not_parse_are_compared_by_tokens() -> None:
    assert normal_form("def f(x:\n  # one\n  return") == normal_form("def f(x: # two\n return")
    assert normal_form("def f(x:") != normal_form("def g(x:")


@given(st.text())
def test_any_text_has_a_form(text: str) -> None:
    assert isinstance(normal_form(text), str)


@given(st.sampled_from([BASE, "x = 1\n", "class A:\n    def m(self, q):\n        return q\n"]))
def test_the_form_of_a_form_is_itself(program: str) -> None:
    form = normal_form(program)
    ast.parse(form)
    assert normal_form(form) == form
