from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
PROGRAM = "import os; from execution_network import cut_off, reachable; cut_off(); print(reachable(), *os.environ)"


def test_the_benchmark_runs_samples_without_a_network():
    environment = {"PYTHONPATH": str(BENCHMARKS), "https_proxy": "http://proxy.invalid:1", "NO_PROXY": "*"}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=False)
    if "lets nobody cut them off" in done.stderr:
        pytest.skip(done.stderr.strip())
    told, *names = done.stdout.split()
    assert told == "False"
    assert not [name for name in names if name.lower().endswith("_proxy")]
