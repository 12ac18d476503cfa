"""What can be said of pairs without true tests."""

from __future__ import annotations

from dataclasses import replace

import pytest

from codepref.evaluation.pair_shape import pair_shape
from codepref.records import Pair


def pair(task: str, chosen: str, rejected: str, letters: tuple[str, str] = ("P", "F")) -> Pair:
    evidence = {"chosen_verdicts": letters[0], "rejected_verdicts": letters[1]}
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
