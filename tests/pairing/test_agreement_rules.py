"""Tests of the rules `max-pass`, `codet` and `b4` on small matrices, with results that were derived by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_rules import rule_input

from codepref.pairing.rules.b4 import b4, log_posterior
from codepref.pairing.rules.base import Choice, RuleInput
from codepref.pairing.rules.codet import codet
from codepref.pairing.rules.consensus import consensus_sets
from codepref.pairing.rules.max_pass import max_pass

RULES = (max_pass, codet, b4)
MATRICES = st.integers(1, 5).flatmap(
    lambda tests: st.lists(st.text("PFS", min_size=tests, max_size=tests), min_size=1, max_size=7)
)


def only(choice: Choice) -> tuple[int, int]:
    (candidate,) = choice.candidates
    return candidate.chosen, candidate.rejected


def test_solutions_that_pass_the_same_tests_form_one_set() -> None:
    sets = consensus_sets(rule_input(["PPF", "FFP", "PPF", "FFF"]).passed_ST)
    assert [one.rows.tolist() for one in sets] == [[0, 2], [1], [3]]
    assert sets[0].passed_T.tolist() == [True, True, False]


@pytest.mark.parametrize("seed", range(5))
def test_max_pass_counts_a_test_as_often_as_the_model_wrote_it(seed: int) -> None:
    # the model wrote 7 tests, of which the rows pass 5, 2 and 0
    choice = max_pass(rule_input(["PFF", "FPP", "FFF"], weights=[5, 1, 1], seed=seed))
    assert only(choice) == (0, 2)
    assert choice.candidates[0].confidence == pytest.approx(5 / 7)


def test_max_pass_does_not_count_a_cell_that_did_not_run_as_a_failure() -> None:
    # row 1 passed one test and failed none, so it might have passed all tests
    assert only(max_pass(rule_input(["PPP", "PSS", "PPF"]))) == (0, 2)


@pytest.mark.parametrize("seed", range(5))
def test_codet_scores_a_set_by_its_solutions_and_tests(seed: int) -> None:
    # Row 0 alone passes 4 tests, so its score is 1 x 4 = 4. Rows 1 to 4 pass the same 3 tests, so their score is
    # sqrt(4) x 3 = 6. Row 5 passes no test.
    rows = ["PPPPFFF", *["FFFFPPP"] * 4, "FFFFFFF"]
    choice = codet(rule_input(rows, seed=seed))
    chosen, rejected = only(choice)
    assert (chosen in {1, 2, 3, 4}, rejected) == (True, 5)
    assert choice.candidates[0].confidence == pytest.approx(6 / (math.sqrt(6) * 7))


def test_codet_counts_a_test_as_often_as_the_model_wrote_it() -> None:
    # The first solution passes two tests that were written once each. The second passes one test that was written three
    # times.
    assert only(codet(rule_input(["PPF", "FFP"], weights=[1, 1, 3]))) == (1, 0)


def test_the_posterior_of_b4_is_the_product_of_four_integrals() -> None:
    # Solution 0 and the only test are assumed to be right. One of two solutions is right, which gives B(1001, 2). One
    # of one test is right, which gives B(1001, 1). The other solution fails the right test, which gives B(1, 2). There
    # is no wrong test, which gives B(1, 10000).
    verdicts = rule_input(["P", "F"])
    expected = 1 / (1001 * 1002) / 1001 / 2 / 10_000
    assert log_posterior(verdicts, consensus_sets(verdicts.passed_ST)[0]) == pytest.approx(math.log(expected))


def test_b4_gives_a_low_score_to_a_set_if_other_solutions_pass_its_wrong_tests() -> None:
    # Rows 0 to 2 pass tests 0 to 2. Row 3 passes only test 3. If row 3 were right, the three other solutions would be
    # wrong and would pass three wrong tests each. The prior makes that very unlikely.
    chosen, rejected = only(b4(rule_input([*["PPPF"] * 3, "FFFP", "FFFF"])))
    assert chosen in {0, 1, 2}
    assert rejected in {3, 4}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (["PP", "PP"], "fail|known to pass fewer tests"),
        (["FF", "FF"], "no solution passes a test"),
        (["PF"], "fewer than two solutions"),
        (["", ""], "no tests"),
        (["PS", "SP"], "fail|known to pass fewer tests"),
    ],
)
def test_there_is_no_pair_if_nothing_separates_the_solutions(rule, rows: list[str], reason: str) -> None:
    choice = rule(rule_input(rows))
    assert choice.candidates == ()
    assert any(part in choice.reason for part in reason.split("|"))


@pytest.mark.parametrize("rule", RULES)
@given(rows=MATRICES, seed=st.integers(0, 3))
def test_every_pair_is_based_on_cells_that_ran(rule, rows: list[str], seed: int) -> None:
    verdicts: RuleInput = rule_input(rows, seed=seed)
    choice = rule(verdicts)
    assert bool(choice.candidates) != bool(choice.reason)
    assert choice == rule(verdicts)  # only the seed decides
    for candidate in choice.candidates:
        assert 0 <= candidate.confidence <= 1
        assert np.any(verdicts.passed_ST[candidate.chosen] & verdicts.failed_ST[candidate.rejected]) or rule is max_pass
        assert verdicts.passed_ST[candidate.chosen].any()
        assert verdicts.failed_ST[candidate.rejected].any()
