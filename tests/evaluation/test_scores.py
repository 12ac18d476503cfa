"""Tests of scores from verdicts, of score files, and of comparisons of score files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from codepref.errors import UserError
from codepref.evaluation.scores import (
    ProblemScore,
    Scores,
    compare,
    merge,
    read_scores,
    scores_from_verdicts,
    summarise,
    write_scores,
)
from codepref.records import Test, Verdict, VerdictMatrix


def matrix(task: str, *codes: str) -> VerdictMatrix:
    tests = tuple(Test(task, str(i), "assert f()") for i in range(len(codes[0]) if codes else 0))
    return VerdictMatrix(task, tests, tuple(Verdict(task, i, "code", row) for i, row in enumerate(codes)))


def sampled(label: str, correct: dict[str, int], n: int = 10) -> Scores:
    return Scores(label, tuple(ProblemScore(task, "sampled", n, c) for task, c in correct.items()))


def test_a_solution_is_correct_if_it_passes_all_its_tests() -> None:
    scores = scores_from_verdicts([matrix("a", "PPP", "PPF", "EEE", "PTP", "PPP", "PPM", "XXX")], kind="sampled")
    assert scores.problems == (ProblemScore("a", "sampled", 7, 2),)


def test_solutions_of_unknown_correctness_are_left_out_and_counted_by_reason() -> None:
    # FIP is wrong because of the code F, whatever the test with the code I would have shown
    scores = scores_from_verdicts([matrix("a", "PPP", "PIP", "PIS", "FIP", "PPS")], kind="sampled")
    assert scores.problems == (ProblemScore("a", "sampled", 2, 1, {"infrastructure": 2, "skipped": 1}),)
    assert scores.left_out() == {"infrastructure": 2, "skipped": 1}


def test_solutions_without_tests_are_left_out() -> None:
    empty = VerdictMatrix("a", (), (Verdict("a", 0, "code", ""),))
    scores = scores_from_verdicts([empty, matrix("b")], kind="greedy")
    assert [(row.n, row.correct) for row in scores.problems] == [(0, 0), (0, 0)]
    assert scores.left_out() == {"no tests": 1}
    assert summarise(scores) == []


def test_the_figures_have_their_names_values_and_counts() -> None:
    greedy = scores_from_verdicts([matrix("a", "P"), matrix("b", "F")], kind="greedy")
    many = scores_from_verdicts([matrix("a", *"PPFFFFFFFFF"), matrix("b", *"FFFF")], kind="sampled")
    figures = {figure.name: figure for figure in summarise(merge("base", greedy, many))}
    assert list(figures) == ["pass@1 greedy", "pass@1", "pass@10"]
    assert figures["pass@1 greedy"].value == 0.5
    assert figures["pass@1"].value == pytest.approx((2 / 11 + 0) / 2)
    assert (figures["pass@1"].n, figures["pass@1"].samples) == (2, 15)
    # b has four samples, so pass@10 uses only a. For a it is 1, since only 11 - 2 = 9 samples are wrong.
    assert (figures["pass@10"].value, figures["pass@10"].n, figures["pass@10"].samples) == (1.0, 1, 11)


def test_a_score_file_has_every_figure_and_is_read_back(tmp_path: Path) -> None:
    scores = sampled("base", {"a": 3, "b": 0, "c": 10})
    path = write_scores(scores, tmp_path / "out", seed=4)
    assert read_scores(path) == read_scores(tmp_path / "out") == scores
    document = json.loads(path.read_text())
    assert [figure["name"] for figure in document["scores"]] == ["pass@1", "pass@10"]
    assert document["scores"][0]["value"] == pytest.approx(13 / 30)
    assert document["problems"][0] == {"task_id": "a", "kind": "sampled", "n": 10, "correct": 3, "left_out": {}}
    assert document["seed"] == 4


def test_files_are_compared_by_task_in_any_order(tmp_path: Path) -> None:
    base = write_scores(sampled("base", {"a": 0, "b": 10}), tmp_path / "base")
    aligned = write_scores(sampled("aligned", {"b": 10, "a": 4}), tmp_path / "aligned")
    figures = {row.name: row for row in compare(base, str(aligned))}
    assert (figures["pass@1"].wins, figures["pass@1"].ties, figures["pass@1"].difference) == (1, 1, pytest.approx(0.2))
    assert (figures["pass@10"].difference, figures["pass@10"].test) == (0.5, "exact McNemar")


def test_problems_with_fewer_than_k_samples_are_left_out_of_a_comparison() -> None:
    base = Scores("base", (ProblemScore("a", "sampled", 10, 5), ProblemScore("b", "sampled", 9, 0)))
    counts = {row.name: row.n for row in compare(base, sampled("aligned", {"a": 6, "b": 6}))}
    assert counts == {"pass@1": 2, "pass@10": 1}


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (("base", "aligned"), ("base", "aligned")),
        (("base", "base"), ("the first file", "the second file")),  # as for the base models of two runs
        (("", "aligned"), ("the first file", "aligned")),
    ],
)
def test_a_comparison_of_different_problems_is_refused_with_their_names(
    labels: tuple[str, str], names: tuple[str, str]
) -> None:
    with pytest.raises(UserError) as caught:
        compare(sampled(labels[0], {"a": 1, "b": 1}), sampled(labels[1], {"b": 1, "c": 1, "d": 2}))
    assert f"{names[0]} lacks 2 problems (sampled): c, d" in str(caught.value)
    assert f"{names[1]} lacks 1 problems (sampled): a" in str(caught.value)


def test_a_comparison_without_a_common_figure_is_refused() -> None:
    greedy = Scores("greedy only", (ProblemScore("a", "greedy", 1, 1),))
    with pytest.raises(UserError, match="share no figure"):
        compare(greedy, sampled("sampled only", {"a": 1}))


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        '{"format": "other"}',
        '{"format": "codepref scores 1", "ks": [1]}',
        '{"format": "codepref scores 1", "ks": [1], "problems": [{"task_id": "a"}]}',
        '{"format": "codepref scores 1", "ks": [1], "problems": [{"task_id":"a","kind":"sampled","n":1,"correct":2}]}',
        '{"format": "codepref scores 1", "ks": [1], "problems": [3]}',
        '{"format": "codepref scores 1", "ks": [1], "problems": [], "conditions": [1]}',
        "not json",
    ],
)
def test_a_malformed_file_is_refused_with_its_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "scores.json"
    path.write_text(text)
    with pytest.raises(UserError, match=r"scores\.json"):
        read_scores(path)
    with pytest.raises(UserError, match="no such file"):
        read_scores(tmp_path / "absent.json")


def test_a_task_that_occurs_twice_is_refused() -> None:
    with pytest.raises(UserError, match=r"more than one row for a \(greedy\)"):
        scores_from_verdicts([matrix("a", "P"), matrix("a", "F")], kind="greedy")
    one = sampled("x", {"a": 1})
    with pytest.raises(UserError, match="more than one row"):
        merge("x", one, one)


def test_a_slow_correct_solution_counts_beside_a_fast_one() -> None:
    """The slow solution takes many times as long as the fast one. `evaluate` has no timeout factor, so both pass."""
    import codepref
    from codepref.records import Problem, Test

    problem = Problem("a", "Add one.", "f", tests=(Test("a", "0", "assert f(1) == 2"),))
    fast, slow = "def f(x):\n    return x + 1", "def f(x):\n    for n in range(3 * 10**7): pass\n    return x + 1"
    rows = [{"task_id": "a", "solution": text} for text in (fast, slow)]
    (score,) = (one for one in codepref.evaluate([problem], solutions=rows, k=[1]).problems)
    assert (score.n, score.correct) == (2, 2)
