"""Plain text tables hold the figures of a run and are aligned. With two models they are at most 100 characters wide."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codepref.evaluation.comparison import Comparison, compare_values
from codepref.evaluation.estimators import score
from codepref.reports.tables import WIDTH, comparison_table, score_table, summary_table


def test_the_table_that_a_run_prints_holds_its_figures(summary: dict[str, Any]) -> None:
    text = summary_table(summary)
    lines = text.splitlines()
    assert max(map(len, lines)) <= WIDTH
    assert lines[0] == "recipe dstc-dpo · seed 3"
    row = next(line for line in lines if line.startswith("pass@1 greedy"))
    for shown in ("40.0 [", "60.0 [", "+20.0 [", "cannot tell"):
        assert shown in row
    assert "pairs made   412, of 388 problems" in lines
    assert any(line.startswith("right pairs  291 of 412 judged by the true tests: 70.6% [") for line in lines)
    assert any(line.split() == ["sample", "solutions", "41.2", "s"] for line in lines)
    assert any(line.split() == ["total", "89.9", "s"] for line in lines)


@pytest.mark.parametrize("missing", ["scores", "comparison", "pairs", "stages", "recipe", "seed"])
def test_a_missing_part_of_the_summary_is_left_out(summary: dict[str, Any], missing: str) -> None:
    del summary[missing]
    assert summary_table(summary)
    assert summary_table({}) == "No model has been scored yet, so there is no result."


def test_the_scores_of_one_model_give_a_table_without_differences() -> None:
    text = score_table({"base": [asdict(score("pass@1", [0, 1], [1, 1]))]})
    assert text.splitlines()[1].startswith("pass@1  50.0 [")
    assert "difference" not in text


@given(st.lists(st.tuples(st.integers(0, 10), st.integers(0, 10)), min_size=1, max_size=30))
def test_no_line_is_wider_than_the_limit(pairs: list[tuple[int, int]]) -> None:
    base, aligned = (np.array(side) / 10 for side in zip(*pairs, strict=True))
    names = ("pass@1 greedy", "pass@100")
    comparisons = [asdict(compare_values(name, base, aligned)) for name in names]
    scores = {
        label: [asdict(score(name, values, [10] * len(values))) for name in names]
        for label, values in (("base", base), ("aligned", aligned))
    }
    for text in (score_table(scores, comparisons), comparison_table(comparisons)):
        assert max(map(len, text.splitlines())) <= WIDTH


def test_the_widest_possible_figures_fit() -> None:
    row = asdict(
        Comparison("pass@1 greedy", 1.0, 0.0, -1.0, -1.0, -0.95, 1e-9, "sign-flip permutation", 9999, 0, 9999, 0)
    )
    full = {"name": "pass@1 greedy", "value": 1.0, "low": 1.0, "high": 1.0, "n": 9999}
    for text in (score_table({"base": [full], "aligned": [full]}, [row]), comparison_table([row])):
        assert max(map(len, text.splitlines())) <= WIDTH
        assert "worse" in text
