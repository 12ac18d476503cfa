"""The rule `agreement` on answers that can be worked out on paper, and what it must never do."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_rules import rule_input

from codepref.execution.sandbox.wire import status_page
from codepref.pairing.agreement import FLOOR, agreement
from codepref.pairing.pair import rule_input as input_of
from codepref.pairing.rules import LATE, RAISED, RuleInput
from codepref.records import ANSWER_DIGEST_BYTES, Test, Verdict, VerdictMatrix

LETTERS = {"!": RAISED, "?": LATE}


def asked(verdicts: list[str], answers: list[str], forms: list[str] | None = None) -> RuleInput:
    """verdicts: as in `rule_input`. answers: a code an input, those of the tests first; "!" raised, "?" late."""
    plain = rule_input(verdicts)
    tests, inputs = plain.passed_ST.shape[1], len(answers[0])
    return replace(
        plain,
        form_S=tuple(forms or [f"form {row}" for row in range(len(verdicts))]),
        answers_SA=np.array([[LETTERS.get(code, ord(code)) for code in row] for row in answers]),
        test_A=np.array([*range(tests), *[0] * (inputs - tests)]),
        is_test_A=np.arange(inputs) < tests,
    )


def test_a_worked_example() -> None:
    # Rows 0 and 1 answer alike, rows 2 and 3 each otherwise. Another solution differs on all four inputs: 0^96 = 0, so
    # the pair's support is 1/3 and the others' 0. Four different answers: entropy ln 4.
    given = asked(["PP", "PP", "FP", "FF"], ["abcd", "abcd", "ebgh", "ijkl"])
    (candidate,) = agreement(given).candidates
    assert (candidate.chosen, candidate.rejected) == (0, 3)  # row 2 fails one of the two tests, row 3 both
    variety = math.log(4) / (math.log(4) + 1)
    trust = (1 / 3) ** 1.5 * variety
    # row 2 answers one input of four like row 0: 0.25^96 is nothing
    assert candidate.confidence == pytest.approx(0.1 + 0.9 * trust / (trust + 0.1), rel=1e-6)
    assert candidate.evidence["agreeing_solutions"] == 2


def test_probes_tell_apart_what_the_tests_do_not() -> None:
    # all of rows 0 to 4 pass both tests; three of them answer alike beyond, two otherwise
    given = asked(
        ["PP"] * 5 + ["FF"],
        ["abcdef", "abcdef", "abcdef", "abxyzw", "abxyzw", "mnopqr"],
    )
    (candidate,) = agreement(given).candidates
    assert candidate.chosen in {0, 1, 2}
    assert candidate.rejected == 5


def test_where_nobody_agrees_the_tests_decide_and_the_confidence_is_the_least() -> None:
    (candidate,) = agreement(asked(["PF", "FF", "PP"], ["ab", "cd", "ef"])).candidates
    assert (candidate.chosen, candidate.rejected, candidate.confidence) == (2, 1, FLOOR)


def test_one_answer_to_everything_is_worth_less_than_many() -> None:
    same = agreement(asked(["PP", "PP", "FF"], ["aaaa", "aaaa", "bcde"])).candidates
    many = agreement(asked(["PP", "PP", "FF"], ["abcd", "abcd", "efgh"])).candidates
    assert not same  # no variety at all: no score
    assert many[0].confidence > 0.4


def test_inputs_on_which_working_solutions_raise_do_not_part_them() -> None:
    # the last input makes no sense: row 1 raises where row 0 answers
    parted = ["abcd", "abc!", "efgh"]
    (candidate,) = agreement(asked(["PP", "PP", "FF"], parted)).candidates
    assert candidate.evidence["agreeing_solutions"] == 2


def test_lateness_alone_rejects_no_solution() -> None:
    choice = agreement(asked(["PP", "PP", "SS"], ["abcd", "abcd", "????"]))
    assert not choice.candidates


def test_among_those_that_agree_the_form_that_was_written_most_is_chosen() -> None:
    given = asked(["PP"] * 4 + ["FF"], ["abcd"] * 4 + ["efgh"], forms=["x", "y", "y", "z", "w"])
    (candidate,) = agreement(given).candidates
    assert candidate.chosen in {1, 2}


def test_further_pairs_take_other_forms_and_other_rejected_solutions() -> None:
    given = asked(["PP"] * 3 + ["FF", "FP"], ["abcd"] * 3 + ["efgh", "ebkl"], forms=["x", "y", "y", "v", "w"])
    found = agreement(given, max_pairs=5).candidates
    assert [(given.form_S[one.chosen], one.rejected) for one in found] == [("y", 3), ("x", 4)]


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
def test_no_pair_is_senseless_whatever_the_matrix(rows: list[tuple[str, str]]) -> None:
    given = asked([row[0] for row in rows], [row[1] for row in rows])
    choice = agreement(given, max_pairs=3)
    assert bool(choice.candidates) != bool(choice.reason)
    for candidate in choice.candidates:
        assert candidate.chosen != candidate.rejected
        assert FLOOR <= candidate.confidence <= 1
        assert (given.answers_SA[candidate.chosen] != given.answers_SA[candidate.rejected]).any()
    assert choice == agreement(given, max_pairs=3)


def matrix(codes: list[str], answer_digests: list[bytes]) -> VerdictMatrix:
    tests = (Test("t", "0", "assert f(1) == 2"), Test("t", "1", "assert f(2) == 3"), Test("t", "1~0", "f(5)", count=0))
    verdicts = [
        Verdict("t", number, f"def f(x):\n    return {number}\n", row, answer_digests=told)
        for number, (row, told) in enumerate(zip(codes, answer_digests, strict=True))
    ]
    return VerdictMatrix("t", tests, tuple(verdicts))


def test_probes_are_no_tests_for_any_rule() -> None:
    given = input_of(matrix(["PPP", "PFE"], [b"aaaabbbbcccc", b"aaaabbbb\0\0\0\0"]), 0)
    assert given.passed_ST.tolist() == [[True, True], [True, False]]
    assert given.weight_T.tolist() == [1, 1]
    assert given.test_A.tolist() == [0, 1, 1]
    assert given.is_test_A.tolist() == [True, True, False]
    assert (given.answers_SA[0] == given.answers_SA[1]).tolist() == [True, True, False]
    assert given.answers_SA[1, 2] == RAISED


def test_without_digests_the_codes_stand_in() -> None:
    given = input_of(matrix(["PPP", "PFT"], [b"", b""]), 0)
    assert (given.answers_SA[0] == given.answers_SA[1]).tolist() == [True, False, False]
    assert given.answers_SA[1, 2] == LATE


def test_a_part_keeps_the_probes_of_its_tests() -> None:
    given = input_of(matrix(["PPP", "PFE"], [b"", b""]), 0)
    part = given.part(np.array([1, 1]), np.array([1]), seed=3, weight_T=np.array([4]))
    assert part.passed_ST.tolist() == [[False], [False]]
    assert part.weight_T.tolist() == [4]
    assert part.test_A.tolist() == [0, 0]
    assert part.is_test_A.tolist() == [True, False]
    assert part.answers_SA.shape == (2, 2)


def test_records_and_sandbox_agree_on_a_digests_size() -> None:
    assert status_page.ANSWER_DIGEST_BYTES == ANSWER_DIGEST_BYTES
