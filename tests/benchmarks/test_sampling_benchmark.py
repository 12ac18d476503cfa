"""Tests of the sampling benchmark: the published table, and how a table names engines that were not measured."""

import json
from pathlib import Path
from typing import Any

from benchmarks.sampling.table import document

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"


def test_the_published_table_is_made_from_the_published_figures() -> None:
    parts = json.loads((RESULTS / "sampling.json").read_text())
    assert document(parts) == (RESULTS / "sampling.md").read_text()


def test_engines_that_were_not_there_are_named_with_the_reason() -> None:
    machine = {"cores": 2, "cpu": "c", "memory_gb": 8, "kernel": "6", "python": "3.11", "load_before": [0.1]}
    part: dict[str, Any] = {"command": "python -m benchmarks.sampling", "machine": machine | {"niceness": 0}}
    part |= {"versions": {"torch": "2"}, "date": "2026-01-02", "wall_seconds": 9.0}
    part["engines"] = {
        "generate": {"answers_per_second": 10.0, "tokens_per_second": 400.0, "facts": {"dtype": "float32"}},
        "embedded": {"answers_per_second": 25.0, "tokens_per_second": 1000.0, "facts": {"dtype": "bfloat16"}},
    }
    part |= {"not measured": {"vllm": "no --vllm-python was given"}, "greedy": {"texts": 8, "identical": 8}}
    text = document({"starter": part})
    assert "| embedded | bfloat16 | 25.0 | 1,000 | 2.50 |" in text
    assert "| vllm | – | not measured: no --vllm-python was given | – | – |" in text
    assert "8 of 8 greedy texts are identical." in text
