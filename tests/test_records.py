"""Tests of the table of correctness for codes of any length, and of the arrays of a verdict matrix."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codepref.records import FAILING_CODES, VERDICT_CODES, Test, Verdict, VerdictMatrix, is_correct

SINGLE = {"P": True, "F": False, "E": False, "T": False, "M": False, "X": False, "S": None, "I": None}


@pytest.mark.parametrize("code", VERDICT_CODES)
def test_the_correctness_for_a_single_code(code: str) -> None:
    assert is_correct(code) is SINGLE[code]


def table_of_two(first: str, second: str) -> bool | None:
    """Return what the table of correctness says about two codes."""
    if SINGLE[first] is False or SINGLE[second] is False:
        return False
    if SINGLE[first] is None or SINGLE[second] is None:
        return None
    return True


@pytest.mark.parametrize(("first", "second"), product(VERDICT_CODES, repeat=2))
def test_the_correctness_for_two_codes(first: str, second: str) -> None:
    assert is_correct(first + second) is table_of_two(first, second)


def test_of_64_pairs_of_codes_55_are_wrong_one_is_correct_and_8_are_unknown() -> None:
    # There are 64 pairs of 8 codes. In 9 of them no code is a failing one, so the other 55 are wrong. Of the 9 pairs,
    # PP is correct and 8 are unknown.
    answers = [is_correct(first + second) for first, second in product(VERDICT_CODES, repeat=2)]
    assert (answers.count(False), answers.count(True), answers.count(None)) == (55, 1, 8)


@pytest.mark.parametrize(
    ("codes", "correct"),
    [
        ("", None),
        ("PPPP", True),
        ("PPPF", False),
        ("FI", False),
        ("IF", False),
        ("PIS", None),
        ("PPSP", None),
        ("TTSS", False),
        ("SSSS", None),
        ("IIII", None),
        ("PISX", False),
    ],
)
def test_the_correctness_for_mixtures(codes: str, correct: bool | None) -> None:
    assert is_correct(codes) is correct
    assert Verdict("t", 0, "pass", codes).correct is correct


@given(st.text(VERDICT_CODES, max_size=12))
def test_a_failing_code_decides_then_an_unknown_one_then_all_must_pass(codes: str) -> None:
    if set(codes) & FAILING_CODES:
        expected: bool | None = False
    elif set(codes) & {"S", "I"} or not codes:
        expected = None
    else:
        expected = set(codes) == {"P"}
    assert is_correct(codes) is expected


@given(st.text(VERDICT_CODES, min_size=1, max_size=8), st.randoms())
def test_the_order_of_the_codes_does_not_matter(codes: str, random) -> None:
    shuffled = list(codes)
    random.shuffle(shuffled)
    assert is_correct("".join(shuffled)) is is_correct(codes)


def test_the_arrays_of_a_matrix_have_one_row_for_each_solution() -> None:
    tests = tuple(Test("t", str(number), "assert f()") for number in range(2))
    matrix = VerdictMatrix(
        "t", tests, (Verdict("t", 0, "a", "PF", answer_digests=bytes(range(1, 9))), Verdict("t", 1, "b", "IP"))
    )
    assert matrix.codes_ST.tolist() == [["P", "F"], ["I", "P"]]
    assert matrix.passed_ST.tolist() == [[True, False], [False, True]]
    assert matrix.answer_digests_ST.tolist() == [[0x04030201, 0x08070605], [0, 0]]


def test_a_matrix_without_tests_has_empty_rows() -> None:
    matrix = VerdictMatrix("t", (), (Verdict("t", 0, "a", ""),))
    assert matrix.codes_ST.shape == (1, 0)
    assert np.array_equal(matrix.passed_ST, np.empty((1, 0), dtype=bool))
