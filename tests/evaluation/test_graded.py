"""Tests of the figures from grades, of their paired comparisons and of their files, with values derived by hand."""

from pathlib import Path

import numpy as np
import pytest

from codepref.errors import UserError
from codepref.evaluation.graded import OVERALL, Grade, Grades, compare_grades, mean_of_means, summarise_grades
from codepref.evaluation.grades_file import is_grades_file, read_grades, write_grades


def grades(label: str, style: list[int | None], explanation: list[int | None], judge: str = "j") -> Grades:
    rows = [
        Grade(f"{preference}/{place}", preference, value, "why", "" if value else "it holds no ratings")
        for preference, values in (("style", style), ("explanation", explanation))
        for place, value in enumerate(values)
    ]
    return Grades(label, judge, tuple(rows))


def test_preferences_have_equal_weights_and_ungraded_problems_are_left_out() -> None:
    figures = summarise_grades(grades("m", [2, 4, None], [9]))
    assert [(figure.name, figure.n) for figure in figures] == [("style", 2), ("explanation", 1), (OVERALL, 3)]
    # the published code uses the grade 0 for the ungraded problem, which would give 2.0 for style
    assert [figure.value for figure in figures] == pytest.approx([3.0, 9.0, 6.0])
    assert all(figure.low <= figure.value <= figure.high for figure in figures)
    assert all(figure.low >= 1 and figure.high <= 10 for figure in figures)
    assert grades("m", [2, 4, None], [9]).left_out() == {"it holds no ratings": 1}


def test_without_any_grade_there_is_no_figure() -> None:
    assert summarise_grades(grades("m", [None], [None])) == []


def test_differences_are_paired_and_in_points() -> None:
    base = grades("base", [2, 4, 6, None], [5, 5])
    aligned = grades("aligned", [3, 6, 6, 9], [4, None])
    style, explanation, overall = compare_grades(base, aligned)
    # Three problems of style are graded on both sides and differ by +1, +2 and 0. One problem of explanation is graded
    # on both sides and differs by -1.
    assert (style.difference, style.n, style.wins, style.losses, style.ties) == (pytest.approx(1.0), 3, 2, 0, 1)
    assert (style.base, style.aligned) == (pytest.approx(4.0), pytest.approx(5.0))
    assert (explanation.difference, explanation.n) == (pytest.approx(-1.0), 1)
    assert (overall.difference, overall.n) == (pytest.approx(0.0), 4)
    assert (overall.base, overall.aligned) == (pytest.approx(4.5), pytest.approx(4.5))


def test_the_interval_of_a_mean_of_means_adds_distances_in_quadrature() -> None:
    mean, low, high = mean_of_means([(5.0, 4.0, 7.0), (3.0, 0.0, 3.0)])
    assert (mean, low, high) == pytest.approx((4.0, 4.0 - 10**0.5 / 2, 4.0 + 1.0))


def test_the_interval_of_the_mean_of_means_keeps_its_coverage() -> None:
    generator = np.random.default_rng(0)
    # clipping changes the means, so the true mean is computed from many clipped grades
    many = np.random.default_rng(1)
    truth = float(np.mean([np.clip(many.normal(centre, 1.5, 200_000).round(), 1, 10).mean() for centre in (2, 6, 9)]))
    held = 0
    for draw in range(200):
        sides = [np.clip(generator.normal(centre, 1.5, 30).round(), 1, 10) for centre in (2, 6, 9)]
        rows = [Grade(f"{p}/{n}", str(p), int(v)) for p, side in enumerate(sides) for n, v in enumerate(side)]
        overall = summarise_grades(Grades("m", "j", tuple(rows)), seed=draw)[-1]
        held += overall.low <= truth <= overall.high
    assert 180 <= held <= 199  # 95% of 200 is 190, with a standard error of 3


def test_a_model_does_not_differ_from_itself() -> None:
    one = grades("m", [2, 4, 6, 8] * 5, [5, 7] * 10)
    for comparison in compare_grades(one, one):
        assert (comparison.difference, comparison.p_value) == (0.0, 1.0)
        assert comparison.low <= 0 <= comparison.high


def test_grades_that_cannot_be_compared_are_refused() -> None:
    with pytest.raises(UserError, match="graded on different problems"):
        compare_grades(grades("a", [1], [2]), grades("b", [1, 2], [2]))
    with pytest.raises(UserError, match="points of two judges cannot be compared"):
        compare_grades(grades("a", [1], [2]), grades("b", [1], [2], judge="other"))
    with pytest.raises(UserError, match="no problem has a grade on both sides"):
        compare_grades(grades("a", [1], [None]), grades("b", [None], [2]))


def test_a_file_of_grades_is_read_back_and_recognised(tmp_path: Path) -> None:
    one = grades("m", [2, None], [10])
    write_grades(one, tmp_path)
    assert read_grades(tmp_path) == one
    assert is_grades_file(tmp_path)
    (tmp_path / "scores.json").write_text('{"format": "codepref grades 1", "problems": [{"value": 11}]}')
    with pytest.raises(UserError, match="malformed file of grades"):
        read_grades(tmp_path)
