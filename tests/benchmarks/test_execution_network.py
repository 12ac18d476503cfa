"""Tests of the function with which benchmarks cut samples off from the network."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = (
    "import os; from benchmarks.common.network import cut_off, reachable; cut_off(); print(reachable(), *os.environ)"
)


def test_a_benchmark_has_no_network_and_no_proxy_variables():
    environment = {"PYTHONPATH": str(ROOT), "https_proxy": "http://proxy.invalid:1", "NO_PROXY": "*"}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=False)
    if "does not allow it to cut them off" in done.stderr:
        pytest.skip(done.stderr.strip())
    reachable, *names = done.stdout.split()
    assert reachable == "False"
    assert not [name for name in names if name.lower().endswith("_proxy")]
