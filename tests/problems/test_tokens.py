"""Tests of the tokens of programs and of the edit distance."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codepref.problems.tokens import code_tokens, edit_distance


def test_comments_and_blank_lines_are_no_tokens() -> None:
    assert code_tokens("x = 1\n\n# a comment\ny = 2  # another\n") == (
        *("x", "=", "1", "<newline>"),
        *("y", "=", "2", "<newline>"),
    )


def test_indentation_is_told_apart() -> None:
    inside = code_tokens("for i in a:\n    b()\n    c()\n")
    after = code_tokens("for i in a:\n    b()\nc()\n")
    # the statement c() moves out of the loop, so "<dedent>" stands before it instead of after it
    assert edit_distance(inside, after) == 2
    assert code_tokens("if a:\n    b()", layout=False) == ("if", "a", ":", "b", "(", ")")


def test_a_text_that_is_no_python_has_tokens_too() -> None:
    tokens = code_tokens("def f(x:\n    return 'open\n")
    assert tokens[:4] == ("def", "f", "(", "x")
    assert tokens


@pytest.mark.parametrize(
    ("first", "second", "distance"),
    [
        ("", "", 0),
        ("abc", "", 3),
        ("", "abc", 3),
        ("sunday", "saturday", 3),  # a and t after s, and n -> r
        ("abcd", "bcd", 1),
        ("abcd", "abxd", 1),
        ("ab", "ba", 2),
    ],
)
def test_the_distance_counts_insertions_deletions_and_replacements(first: str, second: str, distance: int) -> None:
    assert edit_distance(first, second) == distance


def by_table(first: str, second: str) -> int:
    """Return the edit distance, computed by the usual table of prefixes."""
    row = list(range(len(second) + 1))
    for number, item in enumerate(first, start=1):
        above, row = row, [number]
        for place, other in enumerate(second, start=1):
            row.append(min(above[place] + 1, row[-1] + 1, above[place - 1] + (item != other)))
    return row[-1]


@given(st.text("abc", max_size=12), st.text("abc", max_size=12))
def test_the_distance_is_that_of_the_table_of_prefixes(first: str, second: str) -> None:
    assert edit_distance(first, second) == by_table(first, second) == edit_distance(second, first)
