"""A short storm of requests: honest ones among clients that break off, send rubbish, attack and flood."""

import pytest

from benchmarks.serve.storm import measure_storm


@pytest.mark.slow
def test_a_storm_of_requests_changes_no_verdict_and_leaves_nothing_behind() -> None:
    result = measure_storm(300, seed=1)
    assert result["damage"] == []
    assert result["counts"]["honest requests"] > 150
