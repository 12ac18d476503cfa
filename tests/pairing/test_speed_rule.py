"""Tests of the rule `speed` on CPU times that were made up."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_pair import BAD, GOOD, PROBLEM, matrix, program
from test_rules import rule_input

from codepref.errors import UserError
from codepref.evaluation.audit import audit_pairs
from codepref.pairing.pair import pair
from codepref.pairing.rules import RULES, compares_speed, load_rule
from codepref.pairing.rules.base import RuleInput
from codepref.pairing.rules.speed import speed


def timed(*rows: tuple[str, list[float]], forms: list[str] | None = None) -> RuleInput:
    """Return the input of a rule for a tuple (verdict codes, CPU milliseconds of each repeat) per solution."""
    times = np.array([milliseconds for _, milliseconds in rows], dtype=np.float64)
    return replace(rule_input([codes for codes, _ in rows], forms=forms), cpu_SR=times)


def chosen(verdicts: RuleInput, **options: float) -> list[tuple[int, int]]:
    return [(one.chosen, one.rejected) for one in speed(verdicts, **options).candidates]  # type: ignore[arg-type]


def test_the_faster_right_solution_is_chosen() -> None:
    (only,) = speed(timed(("P", [100, 110, 90]), ("P", [20, 40, 30]))).candidates
    # the factors of the repeats are 5, 2.75 and 3
    assert (only.chosen, only.rejected) == (1, 0)
    assert only.confidence == pytest.approx(1 - 1 / 2.75)
    assert only.evidence == {"ground": "speed", "chosen_cpu_ms": 30, "rejected_cpu_ms": 100, "speed_factor": 2.75}


@pytest.mark.parametrize(
    ("fast", "slow", "pairs"),
    [
        ([20, 20], [40, 40], 1),
        ([20, 20], [40, 39], 0),  # one repeat does not show the factor
        ([20, 50], [200, 90], 0),  # the second repeat does not, although the medians differ by 4
        ([1, 1], [5, 5], 0),  # less than 5 ms apart
        ([1, 1], [6, 6], 1),
        ([0, 0], [6, 6], 1),
    ],
)
def test_the_factor_and_the_difference_must_hold_in_each_repeat(
    fast: list[float], slow: list[float], pairs: int
) -> None:
    assert len(chosen(timed(("P", fast), ("P", slow)))) == pairs


def test_wrong_solutions_and_solutions_without_times_are_in_no_pair() -> None:
    nan = float("nan")
    choice = speed(timed(("P", [20, 20]), ("F", [1, 1]), ("P", [nan, nan])))
    assert choice.reason == "fewer than two right solutions whose CPU time was measured"
    assert speed(rule_input(["P", "P"])).reason == "no CPU time was measured"
    assert speed(timed(("P", [20, 20]), ("P", [21, 21]))).reason.startswith("no right solution is faster")


def test_solutions_are_used_as_rarely_as_possible_and_equal_forms_count_once() -> None:
    verdicts = timed(("P", [10, 10]), ("P", [11, 11]), ("P", [100, 100]), ("P", [90, 90]))
    # 0-2 has the largest factor, 10. Of the others, only 1-3 uses new solutions on both sides.
    assert chosen(verdicts, max_pairs=2) == [(0, 2), (1, 3)]
    equal = replace(verdicts, form_S=("fast", "fast", "slow", "slow"))
    assert chosen(equal, max_pairs=4) == [(0, 2)]


def test_pairs_by_correctness_are_added_on_request() -> None:
    verdicts = timed(("P", [10, 10]), ("P", [90, 90]), ("P", [200, 200]), ("F", [1, 1]))
    choice = speed(verdicts, max_pairs=4, correctness_pairs=True)
    grounds = [one.evidence["ground"] for one in choice.candidates]
    assert grounds == ["tests", "tests", "speed", "speed"]
    assert {one.rejected for one in choice.candidates[:2]} == {3}


@given(
    st.lists(st.lists(st.floats(0, 500), min_size=3, max_size=3), min_size=2, max_size=6),
    st.sampled_from([1.5, 2.0, 4.0]),
)
def test_no_pair_rests_on_a_repeat_that_does_not_show_it(times: list[list[float]], factor: float) -> None:
    verdicts = timed(*(("P", row) for row in times))
    made = speed(verdicts, max_pairs=9, speed_factor=factor).candidates
    for one in made:
        for fast, slow in zip(times[one.chosen], times[one.rejected], strict=True):
            assert slow >= fast + 5
            assert slow >= factor * fast * (1 - 1e-12)
        assert 0 < one.confidence <= 1
    assert not {(one.rejected, one.chosen) for one in made} & {(one.chosen, one.rejected) for one in made}


def test_times_are_matched_with_solutions_by_their_ids() -> None:
    slow = program("sum(x for _ in range(2))")
    verdicts = matrix((BAD, "F"), (slow, "P"), (GOOD, "P"), (program("x + x"), "P"))
    times = {"t": {1: [100.0, 100.0], 2: [10.0, 10.0]}}  # the last solution was not measured
    result = pair([verdicts], [PROBLEM], rule="speed", speeds=times)
    assert [(p.chosen_id, p.rejected_id) for p in result.pairs] == [(2, 1)]
    assert audit_pairs(result.pairs, [verdicts]).both_pass == 1
    assert pair([verdicts], [PROBLEM], rule="speed", speeds={}).dropped == {"no CPU time was measured": 1}


def test_a_rule_for_speed_needs_times_and_a_factor() -> None:
    with pytest.raises(UserError, match="needs CPU times"):
        pair([], [], rule="speed")
    with pytest.raises(UserError, match="does not compare CPU times"):
        pair([], [], rule="all-tests", speeds={})
    with pytest.raises(UserError, match="speed_factor must be above 1"):
        pair([], [], rule="speed", speeds={}, speed_factor=1.0)


@pytest.mark.parametrize("name", RULES.builtin)
def test_the_rules_that_need_a_measurement_are_known_without_an_import(name: str) -> None:
    assert compares_speed(name) == load_rule(name).speed
