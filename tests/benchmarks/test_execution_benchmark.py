"""The pure parts of the benchmark of execution."""

import importlib.util
from pathlib import Path

import pytest

PATH = Path(__file__).parents[2] / "benchmarks" / "execution.py"
SPEC = importlib.util.spec_from_file_location("execution_benchmark", PATH)
benchmark = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(benchmark)


def test_only_pass_against_not_pass_is_a_disagreement():
    ours = {("a", "1"): "P", ("a", "2"): "F", ("a", "3"): "T"}
    theirs = {("a", "1"): "timed out", ("a", "2"): "failed: ", ("a", "3"): "passed"}
    found = benchmark.disagreements(ours, theirs)
    assert [(row["completion"], row["codepref"]) for row in found] == [("1", "P"), ("3", "T")]


def test_a_lost_sample_is_an_error():
    with pytest.raises(ValueError, match="different samples"):
        benchmark.disagreements({("a", "1"): "P"}, {})


def test_rates_are_of_the_median_run():
    text = benchmark.table(
        {"samples": 40, "seconds": {"x": [1.0, 4.0, 2.0]}, "floor_per_second": 389.2, "disagreements": []}
    )
    assert "| x | 20.0 | 1.00, 4.00, 2.00 |" in text
    assert "0 of 40 samples disagree." in text
