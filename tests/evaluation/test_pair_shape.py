"""Tests of the figures of pairs that need no true tests."""

from __future__ import annotations

from dataclasses import replace

import pytest

from codepref.evaluation.pair_shape import pair_shape
from codepref.records import Pair


def pair(task: str, chosen: str, rejected: str, codes: tuple[str, str] = ("P", "F")) -> Pair:
    evidence = {"chosen_verdicts": codes[0], "rejected_verdicts": codes[1]}
    sides = [[{"role": "assistant", "content": text}] for text in (chosen, rejected)]
    return Pair(task, [], sides[0], sides[1], "dstc", 0.5, 0, 1, evidence)


def test_an_empty_set_of_pairs_gives_zeros_and_none() -> None:
    shape = pair_shape([])
    assert (shape.pairs, shape.most, shape.top_tenth, shape.longer, shape.more_characters) == (0, 0, None, None, None)


def test_the_share_of_the_problems_with_most_pairs_shows_a_dominant_problem() -> None:
    # a tenth of 11 problems, rounded up, is 2 problems; the two with most pairs have 10 + 1 of the 20 pairs
    pairs = [pair("big", f"x = {at}", "y = 0") for at in range(10)] + [pair(f"t{at}", "a = 1", "b") for at in range(10)]
    shape = pair_shape(pairs)
    assert (shape.pairs, shape.problems, shape.most, shape.top_tenth) == (20, 11, 10, pytest.approx(11 / 20))


def test_the_share_of_longer_chosen_answers_ignores_pairs_of_equal_length() -> None:
    shape = pair_shape([pair("a", "xxxx", "y"), pair("b", "x", "yy"), pair("c", "xx", "yy")])
    assert shape.longer == 0.5
    assert shape.more_characters == pytest.approx((3 - 1 + 0) / 3)


def test_ties_repeats_and_contradictions_are_counted() -> None:
    first = pair("a", "x = 1", "x = 2")
    commented = pair("a", "x = 1  # one", "x = 2")
    turned = pair("a", "x = 2", "x = 3", ("PF", "PF"))
    elsewhere = pair("b", "x = 2", "x = 3")
    shape = pair_shape([first, commented, turned, elsewhere])
    assert (shape.ties, shape.repeated, shape.contradicting) == (1, 1, 3)


def test_a_pair_without_evidence_is_not_a_tie() -> None:
    assert pair_shape([replace(pair("a", "x", "y"), evidence={})]).ties == 0


def test_pairs_that_share_an_answer_are_counted_and_repeats_are_not() -> None:
    first, again = pair("a", "x = 1", "x = 2"), pair("a", "x = 1", "x = 3")
    assert pair_shape([first, first]).shared == 0
    assert pair_shape([first, again]).shared == 2
    assert pair_shape([first, pair("b", "x = 1", "x = 3")]).shared == 0  # the two pairs belong to different problems


def test_sides_that_differ_only_in_a_comment_are_alike() -> None:
    assert pair_shape([pair("a", "x = 1", "x = 1  # one"), pair("a", "x = 1", "x = 2")]).alike == 1


def test_lengths_in_characters_and_lines() -> None:
    shape = pair_shape([pair("a", "x = 1\ny = 2", "x = 1"), pair("b", "x = 1", "x = 10")])
    # The chosen answers have 11 and 5 characters, and 2 lines and 1 line. The rejected answers have 5 and 6 characters,
    # and 1 line each.
    assert (shape.chosen_characters, shape.rejected_characters) == (8, 5.5)
    assert (shape.more_characters, shape.more_lines) == (2.5, 0.5)
