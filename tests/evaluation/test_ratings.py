"""Tests of a judge's ratings: means that were derived by hand, the file of ratings, and comparisons."""

from pathlib import Path

import pytest

from codepref.errors import UserError
from codepref.evaluation.ratings import (
    Ratings,
    compare_ratings,
    ratings_from_scores,
    read_ratings,
    summarise_ratings,
    write_ratings,
)


def ratings(*rows: tuple[str, float, float], judge: str = "rubric") -> Ratings:
    scored = [(task, {"style": style, "readability": readability}) for task, style, readability in rows]
    return ratings_from_scores(scored, judge=judge, label="base")


def test_the_ratings_of_a_problem_are_mean_shares_of_the_scale() -> None:
    result = ratings(("a/0", 5, 3), ("a/0", 2, 3), ("a/1", 1, 1))
    # In a/0, style has the mean (4/4 + 1/4) / 2 = 0.625, and readability has 2/4. a/1 has the lowest rating in both.
    assert [dict(row.by_preference) for row in result.problems] == [
        {"style": 0.625, "readability": 0.5},
        {"style": 0.0, "readability": 0.0},
    ]
    assert [row.n for row in result.problems] == [2, 1]
    figures = {figure.name: figure for figure in summarise_ratings(result)}
    assert list(figures) == ["rubric score", "rubric style", "rubric readability"]
    assert figures["rubric score"].value == pytest.approx((0.5625 + 0) / 2)
    assert figures["rubric score"].samples == 3


def test_a_file_of_ratings_is_read_back(tmp_path: Path) -> None:
    result = ratings(("a/0", 5, 3), ("a/1", 1, 1))
    write_ratings(result, tmp_path)
    assert read_ratings(tmp_path) == result
    row = '{"task_id": "a/0", "n": 1, "by_preference": {"style": "high"}}'
    for text in (
        '{"format": "other"}',
        f'{{"format": "codepref ratings 1", "label": "m", "judge": "j", "problems": [{row}]}}',
    ):
        (tmp_path / "ratings.json").write_text(text)
        with pytest.raises(UserError, match=r"ratings.json: not a valid ratings file"):
            read_ratings(tmp_path)


def test_a_comparison_is_paired_by_problem_in_any_order() -> None:
    before = ratings(("a/0", 1, 1), ("a/1", 5, 5))
    after = ratings(("a/1", 5, 5), ("a/0", 3, 1))
    score = compare_ratings(before, after)[0]
    assert score.name == "rubric score"
    # style of a/0 rises from 0 to 0.5, and it is one of two preferences of one of two problems
    assert score.difference == pytest.approx(0.125)
    assert (score.wins, score.losses, score.ties) == (1, 0, 1)


@pytest.mark.parametrize(
    "other",
    [ratings(("a/0", 1, 1)), ratings(("a/0", 1, 1), ("a/2", 1, 1)), ratings(("a/0", 1, 1), ("a/1", 1, 1), judge="m")],
)
def test_ratings_of_other_problems_or_another_judge_are_not_compared(other: Ratings) -> None:
    with pytest.raises(UserError, match="needs the same judge and the same problems"):
        compare_ratings(ratings(("a/0", 1, 1), ("a/1", 5, 5)), other)


def test_ratings_by_other_preferences_are_not_compared() -> None:
    other = ratings_from_scores([("a/0", {"style": 1.0, "complexity": 1.0})], judge="rubric")
    with pytest.raises(UserError, match="the figures differ"):
        compare_ratings(ratings(("a/0", 1, 1)), other)
