"""Tests of the rule `near-miss`. Some edit distances were counted by hand."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_rules import rule_input

from codepref.pairing.rules.base import RuleInput
from codepref.pairing.rules.near_miss import near_miss
from codepref.problems.tokens import code_tokens, edit_distance


def programs(*texts: tuple[str, str]) -> RuleInput:
    """Return the input of a rule for tuples (program, verdict codes). The normal form of a program is its text."""
    verdicts = rule_input([codes for _, codes in texts], forms=[text for text, _ in texts])
    return replace(verdicts, program_S=tuple(text for text, _ in texts))


RIGHT, FAR_RIGHT = "return x + 1", "y = x\ny += 1\nreturn y"
NEAR, FAR = "return x - 1", "print(x)"


def chosen(verdicts: RuleInput, **options: float) -> list[tuple[int, int]]:
    return [(one.chosen, one.rejected) for one in near_miss(verdicts, **options).candidates]  # type: ignore[arg-type]


def test_the_nearest_right_and_wrong_program_are_paired() -> None:
    # `return x + 1` has 5 tokens with the end of the line. Only the sign differs from `return x - 1`.
    verdicts = programs((FAR_RIGHT, "PP"), (RIGHT, "PP"), (FAR, "FF"), (NEAR, "PF"))
    (only,) = near_miss(verdicts, max_pairs=1).candidates
    assert (only.chosen, only.rejected, only.confidence) == (1, 3, 1.0)
    assert only.evidence == {"edit_distance": 1, "edit_share": 1 / 5}


def test_further_pairs_follow_by_their_distance() -> None:
    # return x + 1 -> return x - 1: 1; -> print(x): return and x and + and 1 become print ( x ), so 4
    verdicts = programs((RIGHT, "P"), (FAR, "F"), (NEAR, "F"))
    assert chosen(verdicts, max_pairs=4) == [(0, 2), (0, 1)]
    distances = [one.evidence["edit_distance"] for one in near_miss(verdicts, max_pairs=4).candidates]
    assert distances == [1, edit_distance(code_tokens(RIGHT), code_tokens(FAR))]


@pytest.mark.parametrize(("share", "pairs"), [(1.0, 2), (0.2, 1), (0.19, 0)])
def test_pairs_that_differ_too_much_are_no_near_misses(share: float, pairs: int) -> None:
    verdicts = programs((RIGHT, "P"), (FAR, "F"), (NEAR, "F"))
    choice = near_miss(verdicts, max_pairs=4, max_edit_share=share)
    assert len(choice.candidates) == pairs
    assert choice.reason == ("" if pairs else "no right and wrong solution differ by at most max_edit_share")


def test_of_equal_normal_forms_the_nearest_text_is_used() -> None:
    # Rows 0 and 1 have one normal form. Row 1 names its variable as row 2 does.
    verdicts = programs(("b = x\nreturn b", "P"), ("a = x\nreturn a", "P"), ("a = x\nreturn -a", "F"))
    verdicts = replace(verdicts, form_S=("same", "same", "other"))
    assert chosen(verdicts, max_pairs=4) == [(1, 2)]


def test_among_equal_distances_each_program_is_used_as_rarely_as_possible() -> None:
    rights, wrongs = [("return 1", "P"), ("return 2", "P")], [("return 3", "F"), ("return 4", "F")]
    pairs = chosen(programs(*rights, *wrongs), max_pairs=2)
    assert len({good for good, _ in pairs}) == len({bad for _, bad in pairs}) == 2


def test_comments_do_not_count() -> None:
    verdicts = programs((RIGHT, "P"), (NEAR + "  # a long comment on the sign that is wrong here", "F"), (FAR, "F"))
    assert chosen(verdicts, max_pairs=1) == [(0, 1)]


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([(RIGHT, "P"), (FAR_RIGHT, "P")], "no solution fails a test"),
        ([(NEAR, "F"), (FAR, "F")], "no solution passes all tests"),
        ([(NEAR, ""), (FAR, "")], "no tests"),
        ([(RIGHT, "P"), (NEAR, "S")], "no solution fails a test"),
        ([(RIGHT, "P"), (RIGHT, "F")], "the right and the wrong solutions have the same normal form"),
    ],
)
def test_there_is_no_pair_without_a_right_and_a_wrong_program(rows: list[tuple[str, str]], reason: str) -> None:
    choice = near_miss(programs(*rows))
    assert (choice.candidates, choice.reason) == ((), reason)


def test_an_input_without_texts_is_compared_by_normal_forms() -> None:
    verdicts = rule_input(["P", "F", "F"], forms=[RIGHT, FAR, NEAR])
    assert chosen(verdicts, max_pairs=1) == [(0, 2)]


TEXTS = st.lists(st.tuples(st.text("abc =+\n", max_size=12), st.sampled_from("PF")), min_size=2, max_size=7)


@given(TEXTS, st.integers(1, 4), st.integers(0, 9))
def test_no_pair_that_is_left_out_is_nearer_than_one_that_is_made(
    rows: list[tuple[str, str]], most: int, seed: int
) -> None:
    verdicts = replace(programs(*rows), seed=seed)
    distances = {
        (good, bad): edit_distance(code_tokens(rows[good][0]), code_tokens(rows[bad][0]))
        for good in np.flatnonzero(verdicts.passed_ST.all(axis=1)).tolist()
        for bad in np.flatnonzero(verdicts.failed_ST.any(axis=1)).tolist()
        if rows[good][0] != rows[bad][0]
    }
    made = near_miss(verdicts, max_pairs=most).candidates
    texts = {(rows[one.chosen][0], rows[one.rejected][0]) for one in made}
    assert len(texts) == len(made) == min(most, len({(rows[a][0], rows[b][0]) for a, b in distances}))
    for one in made:
        assert one.evidence["edit_distance"] == distances[one.chosen, one.rejected]
    left = [steps for (a, b), steps in distances.items() if (rows[a][0], rows[b][0]) not in texts]
    if made and left:
        assert max(one.evidence["edit_distance"] for one in made) <= min(left)
