"""What can be said of pairs without true tests."""

from __future__ import annotations

from dataclasses import replace

import pytest

from codepref.evaluation.pair_shape import pair_shape
from codepref.records import Pair


def pair(task: str, chosen: str, rejected: str, codes: tuple[str, str] = ("P", "F")) -> Pair:
    evidence = {"chosen_verdicts": codes[0], "rejected_verdicts": codes[1]}
    sides = [[{"role": "assistant", "content": text}] for text in (chosen, rejected)]
    return Pair(task, [], sides[0], sides[1], "dstc", 0.5, 0, 1, evidence)


def test_no_pairs_give_no_division() -> None:
    found = pair_shape([])
    assert (found.pairs, found.most, found.top_tenth, found.longer, found.more_characters) == (0, 0, None, None, None)


def test_a_problem_that_dominates_is_seen() -> None:
    # eleven problems: the top tenth is two of them, with 10 + 1 of 20 pairs
    pairs = [pair("big", f"x = {at}", "y = 0") for at in range(10)] + [pair(f"t{at}", "a = 1", "b") for at in range(10)]
    found = pair_shape(pairs)
    assert (found.pairs, found.problems, found.most, found.top_tenth) == (20, 11, 10, pytest.approx(11 / 20))


def test_length_bias_counts_pairs_of_unequal_length() -> None:
    found = pair_shape([pair("a", "xxxx", "y"), pair("b", "x", "yy"), pair("c", "xx", "yy")])
    assert found.longer == 0.5
    assert found.more_characters == pytest.approx((3 - 1 + 0) / 3)


def test_ties_repeats_and_contradictions_are_counted() -> None:
    first = pair("a", "x = 1", "x = 2")
    commented = pair("a", "x = 1  # one", "x = 2")
    turned = pair("a", "x = 2", "x = 3", ("PF", "PF"))
    elsewhere = pair("b", "x = 2", "x = 3")
    found = pair_shape([first, commented, turned, elsewhere])
    assert (found.ties, found.repeated, found.contradicting) == (1, 1, 3)


def test_a_pair_without_evidence_is_no_tie() -> None:
    assert pair_shape([replace(pair("a", "x", "y"), evidence={})]).ties == 0


def test_answers_used_again_on_one_side_are_counted_and_repeats_are_not() -> None:
    first, again = pair("a", "x = 1", "x = 2"), pair("a", "x = 1", "x = 3")
    assert pair_shape([first, first]).shared == 0
    assert pair_shape([first, again]).shared == 2
    assert pair_shape([first, pair("b", "x = 1", "x = 3")]).shared == 0  # of another problem


def test_sides_that_differ_only_in_a_comment_are_alike() -> None:
    assert pair_shape([pair("a", "x = 1", "x = 1  # one"), pair("a", "x = 1", "x = 2")]).alike == 1


def test_lengths_in_characters_and_lines() -> None:
    found = pair_shape([pair("a", "x = 1\ny = 2", "x = 1"), pair("b", "x = 1", "x = 10")])
    # characters 11 and 5 against 5 and 6; lines 2 and 1 against 1 and 1
    assert (found.chosen_characters, found.rejected_characters) == (8, 5.5)
    assert (found.more_characters, found.more_lines) == (2.5, 0.5)
