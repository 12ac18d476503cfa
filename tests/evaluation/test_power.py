"""Tests of how many problems are needed to show a difference, with values derived by hand and values of scipy."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from codepref.cli.main import main
from codepref.errors import UserError
from codepref.evaluation.comparison import compare_values
from codepref.evaluation.graded import Grade, Grades, compare_grades
from codepref.evaluation.power import needed, problems_to_show, spread_of
from codepref.evaluation.scores import ProblemScore, Scores, write_scores


@pytest.mark.parametrize(
    ("spread", "difference", "problems"),
    [
        # the factor is (1.95996 + 0.84162)^2 = 7.84888
        (0.5, 0.05, 785),  # 7.84888 * 100
        (0.5, 0.01, 19_623),  # 7.84888 * 2500 = 19622.2
        (0.1, 0.05, 32),  # 7.84888 * 4 = 31.4
        (0.1, 1.0, 1),
    ],
)
def test_the_number_of_problems_equals_values_derived_by_hand(spread: float, difference: float, problems: int) -> None:
    assert problems_to_show(spread, difference) == problems


def test_another_power_and_confidence_give_the_value_derived_by_hand() -> None:
    # (2.57583 + 1.28155)^2 = 14.8794, and times (0.2 / 0.1)^2 = 4 it is 59.5
    assert problems_to_show(0.2, 0.1, power=0.9, confidence=0.99) == 60


@pytest.mark.parametrize(("spread", "difference"), [(0.3, 0.05), (0.45, 0.02), (0.2, 0.01)])
def test_the_paired_t_test_has_the_wanted_power_with_that_many_problems(spread: float, difference: float) -> None:
    problems = problems_to_show(spread, difference)
    assert problems is not None
    shift = difference / spread * math.sqrt(problems)
    bound = stats.t.ppf(0.975, problems - 1)
    power = stats.nct.sf(bound, problems - 1, shift) + stats.nct.cdf(-bound, problems - 1, shift)
    assert power == pytest.approx(0.8, abs=0.005)


def test_without_a_spread_there_is_no_number_of_problems() -> None:
    assert problems_to_show(None, 0.05) is None
    assert problems_to_show(0.0, 0.05) is None
    assert spread_of(np.array([0.2])) is None
    assert spread_of(np.array([0.1, 0.1 + 1e-17, 0.1])) == 0
    with pytest.raises(UserError, match="above 0"):
        problems_to_show(0.5, 0)
    with pytest.raises(UserError, match="power"):
        problems_to_show(0.5, 0.1, power=1.0)


def test_the_spread_is_the_standard_deviation_of_the_paired_differences() -> None:
    # The differences 1, 1, -1 and 0 have the mean 1/4. The squared deviations 9/16 + 9/16 + 25/16 + 1/16 = 44/16 are
    # divided by 3.
    comparison = compare_values("pass@1", [0, 0, 1, 1], [1, 1, 0, 1])
    assert comparison.spread == pytest.approx(math.sqrt(44 / 48))
    # 7.84888 * 0.916667 is divided by 0.01^2, by 0.02^2 and by 0.05^2
    assert needed(comparison.spread) == {"1": 71_949, "2": 17_988, "5": 2_878}


def test_the_spread_of_grades_is_in_points() -> None:
    def grades(label: str, points: list[int]) -> Grades:
        rows = (Grade(f"{name}{at}", name, value) for name in "ab" for at, value in enumerate(points))
        return Grades(label, "judge", tuple(rows))

    comparisons = compare_grades(grades("x", [5, 5, 5]), grades("y", [5, 6, 7]))
    # in each preference the differences 0, 1 and 2 have a standard deviation of 1, so the spread of the mean is 1 too
    assert [one.spread for one in comparisons] == pytest.approx([1.0, 1.0, 1.0])


def test_the_command_compare_prints_and_writes_the_number_of_problems(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = []
    for label, correct in (("a", (0, 0, 1, 1)), ("b", (1, 1, 0, 1))):
        rows = tuple(ProblemScore(f"t{at}", "sampled", 1, count) for at, count in enumerate(correct))
        paths.append(str(write_scores(Scores(label, rows), tmp_path / label)))
    assert main(["compare", *paths, "--out", str(tmp_path / "c.json")]) == 0
    lines = capsys.readouterr().out.splitlines()
    at = next(at for at, line in enumerate(lines) if line.startswith("problems needed to show"))
    assert lines[at + 1].split() == ["1", "point", "2", "points", "5", "points", "now"]
    assert lines[at + 2].split() == ["pass@1", "71,949", "17,988", "2,878", "4"]
    (row,) = json.loads((tmp_path / "c.json").read_text())
    assert row["problems_needed"] == {"1": 71_949, "2": 17_988, "5": 2_878}
    assert row["spread"] == pytest.approx(math.sqrt(44 / 48))
