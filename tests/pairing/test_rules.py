"""Tests of the rules `dstc` and `all-tests` on small matrices, with results that were derived by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codepref.pairing.rules.all_tests import all_tests
from codepref.pairing.rules.base import RuleInput
from codepref.pairing.rules.dstc import dstc, dstc_code


def rule_input(
    rows: list[str], weights: list[int] | None = None, seed: int = 0, forms: list[str] | None = None
) -> RuleInput:
    """Return the input of a rule for one text of codes for each solution. P passed, F failed, and S did not run."""
    codes_ST = np.array([list(row) for row in rows]).reshape(len(rows), -1)
    passed_ST = codes_ST == "P"
    return RuleInput(
        passed_ST=passed_ST,
        failed_ST=codes_ST == "F",
        weight_T=np.array(weights or [1] * codes_ST.shape[1], dtype=np.int64),
        form_S=tuple(forms or [f"solution {i}" for i in range(len(rows))]),
        seed=seed,
    )


@pytest.mark.parametrize("seed", range(5))
def test_dstc_follows_the_minimax_rule(seed: int) -> None:
    # The rows pass 3, 2, 2 and 0 tests, so row 0 is chosen. The columns are passed by 3, 2, 1 and 1 rows. Of the tests
    # that row 0 passes, column 2 is passed by the fewest rows. Of the tests that a row fails, column 0 is passed by the
    # most rows. Only row 3 fails column 0.
    choice = dstc(rule_input(["PPPF", "PPFF", "PFFP", "FFFF"], seed=seed))
    (candidate,) = choice.candidates
    assert (candidate.chosen, candidate.chosen_test) == (0, 2)
    assert (candidate.rejected, candidate.rejected_test) == (3, 0)
    assert candidate.confidence == pytest.approx(3 / 4)


def test_dstc_rejects_the_worst_solution_that_fails_the_rejected_test() -> None:
    # Columns 0 and 2 are passed by three of four rows. Only row 1 fails column 0, and only row 3 fails column 2.
    choice = dstc(rule_input(["PPPP", "FPPF", "PFPF", "PFFF"]))
    assert choice.candidates[0].rejected_test in (0, 2)
    for seed in range(20):
        (candidate,) = dstc(rule_input(["PPPP", "FPPF", "PFPF", "PFFF"], seed=seed)).candidates
        assert candidate.rejected == {0: 1, 2: 3}[candidate.rejected_test]


def test_dstc_counts_a_test_as_often_as_the_model_wrote_it() -> None:
    # Row 1 passes two tests and row 0 only one, but the model wrote test 0 five times. So row 0 passes 5 of 7 tests.
    (candidate,) = dstc(rule_input(["PFF", "FPP", "FFF"], weights=[5, 1, 1])).candidates
    assert (candidate.chosen, candidate.rejected) == (0, 2)
    assert candidate.confidence == pytest.approx(5 / 7)


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (["PP", "PP"], "no solution fails a test"),
        (["FF", "FF"], "no solution passes a test"),
        (["PF", "FP"], "chosen and rejected pass equally many tests"),
        (["P"], "fewer than two solutions"),
        (["", ""], "no tests"),
        (["PS", "PS"], "no solution fails a test"),
    ],
)
def test_dstc_makes_no_pair_if_nothing_separates_the_solutions(rows: list[str], reason: str) -> None:
    choice = dstc(rule_input(rows))
    assert choice.candidates == ()
    assert choice.reason == reason


def test_dstc_does_not_use_a_test_that_did_not_run_as_a_failure() -> None:
    # The cell of row 2 in column 0 did not run, so only row 1 fails column 0.
    for seed in range(10):
        (candidate,) = dstc(rule_input(["PP", "FP", "SF"], seed=seed)).candidates
        assert (candidate.rejected_test, candidate.rejected) in {(0, 1), (1, 2)}


def test_dstc_code_selects_the_same_solutions_without_tests() -> None:
    verdicts = rule_input(["PPPF", "PPFF", "PFFP", "FFFF"])
    (with_tests,), (without,) = dstc(verdicts).candidates, dstc_code(verdicts).candidates
    assert (with_tests.chosen, with_tests.rejected) == (without.chosen, without.rejected)
    assert without.chosen_test is None
    assert without.rejected_test is None


@given(st.data())
def test_a_pair_of_dstc_follows_its_definition_on_any_matrix(data: st.DataObject) -> None:
    solutions, tests = data.draw(st.integers(1, 6)), data.draw(st.integers(1, 6))
    rows = [
        "".join(data.draw(st.lists(st.sampled_from("PFS"), min_size=tests, max_size=tests))) for _ in range(solutions)
    ]
    verdicts = rule_input(rows, seed=data.draw(st.integers(0, 100)))
    for candidate in dstc(verdicts).candidates:
        totals = verdicts.passed_ST.sum(axis=1)
        assert totals[candidate.chosen] == totals.max() > totals[candidate.rejected]
        assert verdicts.passed_ST[candidate.chosen, candidate.chosen_test]
        assert verdicts.failed_ST[candidate.rejected, candidate.rejected_test]
        assert 0 < candidate.confidence <= 1


def test_all_tests_makes_every_combination_of_a_passing_and_a_failing_solution_once() -> None:
    choice = all_tests(rule_input(["PP", "PP", "PF", "FP"]), max_pairs=10)
    assert {(c.chosen, c.rejected) for c in choice.candidates} == {(0, 2), (0, 3), (1, 2), (1, 3)}


def test_all_tests_uses_each_solution_as_rarely_as_possible() -> None:
    choice = all_tests(rule_input(["P", "P", "P", "F", "F", "F"]), max_pairs=3)
    assert len({c.chosen for c in choice.candidates}) == 3
    assert len({c.rejected for c in choice.candidates}) == 3


def test_all_tests_counts_equal_forms_as_one_solution() -> None:
    choice = all_tests(rule_input(["P", "P", "F"], forms=["a", "a", "b"]), max_pairs=4)
    assert len(choice.candidates) == 1


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (["PP"], "no solution fails a test"),
        (["PF", "FF"], "no solution passes all tests"),
        (["PP", "PS"], "no solution fails a test"),
        (["", ""], "no tests"),
    ],
)
def test_all_tests_makes_no_pair_of_a_tie(rows: list[str], reason: str) -> None:
    assert all_tests(rule_input(rows)).reason == reason
