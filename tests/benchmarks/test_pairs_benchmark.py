"""Tests of the pairs benchmark: its published tables, its figures, its draws, and the choice of a form."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.pairs.forms import FORMS
from benchmarks.pairs.leave_out import choose, chosen_form
from benchmarks.pairs.measure import Answer, calibration_floor, draws_of, figures, possible, precision
from benchmarks.pairs.sources import Measured, Source
from benchmarks.pairs.table import docs_tables, table
from codepref.pairing.rules.agreement import ODDS
from codepref.pairing.rules.base import RuleInput

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"


def published() -> Any:
    return json.loads((RESULTS / "pairs.json").read_text())


def test_the_published_table_is_made_from_the_published_figures() -> None:
    assert table(published()) == (RESULTS / "pairs.md").read_text()


@pytest.mark.parametrize("number", range(3))
def test_the_figures_of_the_page_on_pair_rules_are_the_published_ones(number: int) -> None:
    unseen = json.loads((RESULTS / "pairs_unseen.json").read_text())
    page = (ROOT / "docs" / "explanation" / "pairing.md").read_text()
    assert docs_tables(published(), unseen)[number] in page


def test_the_rule_has_the_form_and_the_constant_that_all_sources_choose_together() -> None:
    together = published()["left out"]["all sources"]
    assert together == {"form": "share x relative tests", "odds": f"{ODDS:g}"}


def test_precision_counts_missing_pairs_as_wrong() -> None:
    # the three most confident of ten answers are two pairs, one of which is right, and an answer without a pair
    confidence = np.array([0.9, 0.8, *[-1.0] * 8])
    assert precision(confidence, np.array([True, False] + [False] * 8), 0.3) == pytest.approx(1 / 3)


def test_figures_are_shares_of_all_problems_and_draws() -> None:
    answers = [Answer(0.9, True), Answer(0.8, True), Answer(-1.0, False), *[Answer(0.1, False)] * 7]
    found = figures(answers, draws=2)
    assert (found["pairs"], found["right"]) == (9, pytest.approx(2 / 9))
    assert found["at 20%"][0] == 1.0
    assert found["at 30%"][0] == pytest.approx(2 / 3)


def test_a_calibrated_confidence_has_an_error_that_falls_with_the_number_of_problems() -> None:
    # One pair with the confidence 0.5 is right or wrong, so its error is 0.5. A pair with the confidence 0 is never
    # right, so its error is 0.
    assert calibration_floor(np.array([[0.5]])) == 0.5
    assert calibration_floor(np.array([[0.0], [-1.0]])) == 0.0
    assert calibration_floor(np.full((10_000, 1), 0.5)) < 0.02


def source(right: list[bool], *, replace: bool) -> Source:
    count = len(right)
    verdicts = RuleInput(
        passed_ST=np.eye(count, 2, dtype=bool),
        failed_ST=~np.eye(count, 2, dtype=bool),
        weight_T=np.array([1, 3]),
        form_S=tuple(map(str, range(count))),
        answers_SA=np.arange(count * 2).reshape(count, 2),
        test_A=np.array([0, 1]),
        is_test_A=np.array([True, True]),
    )
    return Source("source", [Measured(verdicts, np.array(right)), None], ((3, 4, 2),), replace)


def test_draws_are_the_same_in_each_call_and_keep_the_labels_of_their_solutions() -> None:
    for replace in (True, False):
        one = source([True, False, False], replace=replace)
        first, again = list(draws_of(one, (3, 4, 2))), list(draws_of(one, (3, 4, 2)))
        assert first[2:] == [None, None]
        for left, right in zip(first[:2], again[:2], strict=True):
            assert left is not None
            assert right is not None
            assert left[0].passed_ST.tolist() == right[0].passed_ST.tolist()
            assert left[0].weight_T.sum() == 4
            assert [form == "0" for form in left[0].form_S] == left[1].tolist()
            assert replace or sorted(left[0].form_S) == ["0", "1", "2"]


def test_only_draws_with_a_right_and_a_wrong_solution_can_give_a_right_pair() -> None:
    assert possible(source([True, False], replace=False), (2, 4, 2)) == 0.5  # the second problem has no verdicts
    assert possible(source([False, False], replace=False), (2, 4, 2)) == 0.0


def answers(right: list[bool], trust: dict[str, list[float]]) -> dict[str, np.ndarray[Any, Any]]:
    """Return one pair of each form for each problem, as the benchmark keeps them.

    right: for each problem, whether the pair is right. trust: name of a form -> the values by which the form
    sorts the pairs of the problems. A form that is not in `trust` has the value 0.5 for each pair.
    """
    columns = {form.name: trust.get(form.name, [0.5] * len(right)) for form in FORMS}
    return {
        name: np.array([[[value, float(good), 1, 2, 1.0]] for value, good in zip(values, right, strict=True)])
        for name, values in columns.items()
    }


def test_the_simplest_form_within_noise_is_chosen() -> None:
    right = [True, False] * 20
    perfect = [1.0 if good else 0.1 for good in right]
    wrong = [0.1 if good else 1.0 for good in right]
    simple, middle, late = FORMS[0].name, FORMS[2].name, FORMS[-1].name
    table_of = answers(right, {form.name: wrong for form in FORMS} | {middle: perfect, late: perfect})
    assert chosen_form([table_of]) == middle
    assert chosen_form([table_of | {simple: table_of[late]}]) == simple


def test_the_constant_has_the_smallest_calibration_error() -> None:
    # share = (1 - 1/2) / 2 = 1/4 gives the odds 1/3. Half of the pairs are right, so the factor must be 3.
    assert choose([answers([True, False] * 20, {})])[1] == 3.0
