"""Tests of the choice of problems by pass rates and by the number of different verdicts."""

from __future__ import annotations

import pytest

from codepref.evaluation.choice import choose_problems, histogram
from codepref.records import Problem, Test, Verdict, VerdictMatrix

CODES = {
    "never": ["FF", "FF", "FF", "FE"],
    "seldom": ["PP", "FF", "FP", "EE"],
    "often": ["PP", "PP", "PP", "FP"],
    "always": ["PP", "PP", "PP", "PP"],
    "unknown": ["SS", "II"],
    "partly": ["PP", "SS", "IP", "FP"],
}


def matrices() -> list[VerdictMatrix]:
    return [
        VerdictMatrix(
            task,
            tuple(Test(task, str(at), "assert f()") for at in range(2)),
            tuple(Verdict(task, at, "x", codes) for at, codes in enumerate(rows)),
        )
        for task, rows in CODES.items()
    ]


PROBLEMS = [Problem(task, "Do.", "f") for task in (*CODES, "unsampled")]


@pytest.mark.parametrize(
    ("settings", "kept"),
    [
        ({}, ["never", "seldom", "often", "always", "partly"]),
        ({"min_pass_rate": 0.25, "max_pass_rate": 0.75}, ["seldom", "often", "partly"]),
        ({"min_pass_rate": 0.3}, ["often", "always", "partly"]),
        ({"max_pass_rate": 0.25}, ["never", "seldom"]),
        ({"min_distinct": 2}, ["never", "seldom", "often", "partly"]),
        ({"min_distinct": 3}, ["seldom"]),
    ],
)
def test_the_band_and_the_verdicts_decide(settings: dict[str, float], kept: list[str]) -> None:
    choices = choose_problems(PROBLEMS, matrices(), **settings)
    assert [choice.task_id for choice in choices if not choice.reason] == kept


def test_each_problem_has_its_figures_and_a_reason() -> None:
    choices = {one.task_id: one for one in choose_problems(PROBLEMS, matrices(), min_pass_rate=0.3, max_pass_rate=0.9)}
    assert [(one.pass_rate, one.distinct) for one in choices.values()] == [
        (0.0, 2),
        (0.25, 4),
        (0.75, 2),
        (1.0, 1),
        (None, 0),
        (0.5, 2),  # of the two solutions whose correctness is known
        (None, 0),
    ]
    assert choices["never"].reason == "pass rate below 0.3"
    assert choices["always"].reason == "pass rate above 0.9"
    assert choices["unknown"].reason == choices["unsampled"].reason == "no solution is known to be right or wrong"
    assert histogram(choices.values()) == {"0": 1, "0.2 to 0.3": 1, "0.5 to 0.6": 1, "0.7 to 0.8": 1, "1": 1}
