"""Tests of the rule `agreement` on small matrices of answers, with results that were derived by hand."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_rules import rule_input

from codepref.execution.sandbox.wire import status_page
from codepref.pairing.pair import rule_input as input_of
from codepref.pairing.rules.agreement import agreement, confidence_of
from codepref.pairing.rules.base import LATE, RAISED, RuleInput
from codepref.records import ANSWER_DIGEST_BYTES, Test, Verdict, VerdictMatrix

ANSWERS = {"!": RAISED, "?": LATE}


def answered(verdicts: list[str], answers: list[str], forms: list[str] | None = None) -> RuleInput:
    """Return the input of a rule with verdicts and answers.

    verdicts: one text of codes for each solution, as in `rule_input`. answers: one text for each solution, with one
    character for each input. The inputs of the tests come before those of the probes, which all belong to the first
    test. "!" stands for an exception and "?" for an answer that is LATE.
    """
    plain = rule_input(verdicts)
    tests, inputs = plain.passed_ST.shape[1], len(answers[0])
    return replace(
        plain,
        form_S=tuple(forms or [f"form {row}" for row in range(len(verdicts))]),
        answers_SA=np.array([[ANSWERS.get(code, ord(code)) for code in row] for row in answers]),
        test_A=np.array([*range(tests), *[0] * (inputs - tests)]),
        is_test_A=np.arange(inputs) < tests,
    )


def test_the_confidence_of_an_example_that_was_computed_by_hand() -> None:
    # Rows 0 and 1 give the same answers. Their share is (2 - 1/2) / 4 = 3/8, and no solution passes more tests. So the
    # odds are 2.5 x 3/5 = 3/2, and the confidence is 3/5.
    verdicts = answered(["PP", "PP", "FP", "FF"], ["abcd", "abcd", "ebgh", "ijkl"])
    (candidate,) = agreement(verdicts).candidates
    assert (candidate.chosen, candidate.rejected) == (0, 3)  # row 2 fails one of the two tests, row 3 both
    assert candidate.confidence == pytest.approx(3 / 5)
    assert candidate.evidence["agreeing_solutions"] == 2


@pytest.mark.parametrize(
    ("members", "solutions", "relative_tests", "expected"),
    [(3, 10, 1.0, 5 / 11), (3, 10, 0.4, 5 / 23), (10, 10, 1.0, 95 / 97), (1, 1, 1.0, 5 / 7)],
)
def test_the_confidence_has_two_and_a_half_times_the_odds_of_share_x_relative_tests(
    members: int, solutions: int, relative_tests: float, expected: float
) -> None:
    # x = 1/4 has the odds 1/3, x = 1/4 x 0.4 = 1/10 has 1/9, x = 19/20 has 19, and x = 1/2 has 1
    assert confidence_of(members, solutions, relative_tests) == pytest.approx(expected)


def test_the_number_of_tests_passed_counts_only_in_comparison_with_other_solutions() -> None:
    # share x relative tests: 3/6 x 1/3 = 1/6 for rows 0 to 2, and 2/6 x 1 = 1/3 for rows 3 and 4
    answers = ["abcd"] * 3 + ["efgh"] * 2 + ["ijkl"]
    few = agreement(answered(["PFFF"] * 3 + ["FPPP"] * 2 + ["FFFF"], answers)).candidates
    all_tests = agreement(answered(["FFFF"] * 3 + ["PPPP"] * 2 + ["FFFF"], answers)).candidates
    assert {few[0].chosen, all_tests[0].chosen} <= {3, 4}
    assert few[0].confidence == all_tests[0].confidence == confidence_of(2, 6, 1.0)


def test_a_large_group_is_chosen_though_another_solution_passes_more_tests() -> None:
    # share x relative tests: 3/6 x 2/4 = 1/4 for rows 0 to 2, and 1/6 for row 3
    verdicts = answered(["PPFF"] * 3 + ["PPPP", "FFFF", "FFFF"], ["abcd"] * 3 + ["efgh", "ijkl", "mnop"])
    (candidate,) = agreement(verdicts).candidates
    assert candidate.chosen in {0, 1, 2}
    assert candidate.confidence == confidence_of(3, 6, 1 / 2)


def test_the_larger_of_two_groups_that_pass_equally_many_tests_is_chosen() -> None:
    verdicts = answered(["PF", "FP", "FP", "FF"], ["ab", "cd", "cd", "ef"])
    (candidate,) = agreement(verdicts).candidates
    assert candidate.chosen in {1, 2}


def test_a_solution_that_fails_more_of_the_chosen_ones_tests_is_rejected_first() -> None:
    # Row 2 fails one of the two tests and gives other answers to all probes. Row 3 fails both tests.
    verdicts = answered(["PP", "PP", "FP", "FF"], ["abcdef", "abcdef", "xbyzuv", "xycdef"])
    assert [one.rejected for one in agreement(verdicts, max_pairs=2).candidates] == [3, 2]


def test_probes_separate_solutions_that_pass_the_same_tests() -> None:
    # rows 0 to 4 pass both tests, but on the probes rows 3 and 4 give other answers than rows 0 to 2
    verdicts = answered(
        ["PP"] * 5 + ["FF"],
        ["abcdef", "abcdef", "abcdef", "abxyzw", "abxyzw", "mnopqr"],
    )
    (candidate,) = agreement(verdicts).candidates
    assert candidate.chosen in {0, 1, 2}
    assert candidate.rejected == 5


def test_without_any_agreement_the_tests_decide_and_the_confidence_is_low() -> None:
    # the share (1 - 1/2) / 3 = 1/6 has the odds 1/5, so the confidence has the odds 1/2
    (candidate,) = agreement(answered(["PF", "FF", "PP"], ["ab", "cd", "ef"])).candidates
    assert (candidate.chosen, candidate.rejected) == (2, 1)
    assert candidate.confidence == pytest.approx(1 / 3)


def test_a_group_that_always_gives_one_answer_makes_no_pair() -> None:
    same = agreement(answered(["PP", "PP", "FF"], ["aaaa", "aaaa", "bcde"])).candidates
    many = agreement(answered(["PP", "PP", "FF"], ["abcd", "abcd", "efgh"])).candidates
    assert not same
    assert many


def test_an_input_on_which_working_solutions_raise_does_not_separate_them() -> None:
    # one of the two working solutions, row 1, raises on the last input
    answers = ["abcd", "abc!", "efgh"]
    (candidate,) = agreement(answered(["PP", "PP", "FF"], answers)).candidates
    assert candidate.evidence["agreeing_solutions"] == 2


def test_a_solution_is_not_rejected_only_for_late_answers() -> None:
    choice = agreement(answered(["PP", "PP", "SS"], ["abcd", "abcd", "????"]))
    assert not choice.candidates


def test_the_most_frequent_form_of_the_group_is_chosen() -> None:
    verdicts = answered(["PP"] * 4 + ["FF"], ["abcd"] * 4 + ["efgh"], forms=["x", "y", "y", "z", "w"])
    (candidate,) = agreement(verdicts).candidates
    assert candidate.chosen in {1, 2}


def test_further_pairs_use_other_forms_and_other_rejected_solutions() -> None:
    verdicts = answered(["PP"] * 3 + ["FF", "FP"], ["abcd"] * 3 + ["efgh", "ebkl"], forms=["x", "y", "y", "v", "w"])
    candidates = agreement(verdicts, max_pairs=5).candidates
    assert [(verdicts.form_S[one.chosen], one.rejected) for one in candidates] == [("y", 3), ("x", 4)]


ROWS = st.integers(1, 4).flatmap(
    lambda tests: st.integers(0, 3).flatmap(
        lambda probes: st.lists(
            st.tuples(
                st.text("PFS", min_size=tests, max_size=tests),
                st.text("ab!?", min_size=tests + probes, max_size=tests + probes),
            ),
            min_size=1,
            max_size=7,
        )
    )
)


@given(ROWS)
def test_on_any_matrix_the_two_sides_have_different_answers(rows: list[tuple[str, str]]) -> None:
    verdicts = answered([row[0] for row in rows], [row[1] for row in rows])
    choice = agreement(verdicts, max_pairs=3)
    assert bool(choice.candidates) != bool(choice.reason)
    for candidate in choice.candidates:
        assert candidate.chosen != candidate.rejected
        assert 0 < candidate.confidence < 1
        assert (verdicts.answers_SA[candidate.chosen] != verdicts.answers_SA[candidate.rejected]).any()
    assert choice == agreement(verdicts, max_pairs=3)


def matrix(codes: list[str], answer_digests: list[bytes]) -> VerdictMatrix:
    tests = (Test("t", "0", "assert f(1) == 2"), Test("t", "1", "assert f(2) == 3"), Test("t", "1~0", "f(5)", count=0))
    verdicts = [
        Verdict("t", number, f"def f(x):\n    return {number}\n", row, answer_digests=digests)
        for number, (row, digests) in enumerate(zip(codes, answer_digests, strict=True))
    ]
    return VerdictMatrix("t", tests, tuple(verdicts))


def test_rules_see_the_answers_to_probes_but_not_their_verdicts() -> None:
    verdicts = input_of(matrix(["PPP", "PFE"], [b"aaaabbbbcccc", b"aaaabbbb\0\0\0\0"]), 0)
    assert verdicts.passed_ST.tolist() == [[True, True], [True, False]]
    assert verdicts.weight_T.tolist() == [1, 1]
    assert verdicts.test_A.tolist() == [0, 1, 1]
    assert verdicts.is_test_A.tolist() == [True, True, False]
    assert (verdicts.answers_SA[0] == verdicts.answers_SA[1]).tolist() == [True, True, False]
    assert verdicts.answers_SA[1, 2] == RAISED


def test_without_digests_answers_are_compared_by_their_verdict_codes() -> None:
    verdicts = input_of(matrix(["PPP", "PFT"], [b"", b""]), 0)
    assert (verdicts.answers_SA[0] == verdicts.answers_SA[1]).tolist() == [True, False, False]
    assert verdicts.answers_SA[1, 2] == LATE


def test_a_part_of_the_input_keeps_the_probes_of_its_tests() -> None:
    verdicts = input_of(matrix(["PPP", "PFE"], [b"", b""]), 0)
    part = verdicts.part(np.array([1, 1]), np.array([1]), seed=3, weight_T=np.array([4]))
    assert part.passed_ST.tolist() == [[False], [False]]
    assert part.weight_T.tolist() == [4]
    assert part.test_A.tolist() == [0, 0]
    assert part.is_test_A.tolist() == [True, False]
    assert part.answers_SA.shape == (2, 2)


def test_records_and_sandbox_use_digests_of_the_same_size() -> None:
    assert status_page.ANSWER_DIGEST_BYTES == ANSWER_DIGEST_BYTES
