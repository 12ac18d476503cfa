"""A run that is killed and restarted once for each of STAGES ends with the same result as an undisturbed run."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet as pq
import pytest

SMALL = [
    "problems.train_limit=40",
    "problems.heldout_limit=24",
    "sampling.solutions=6",
    "sampling.tests=4",
    "sampling.batch_size=64",
    "evaluation.samples=4",
    "evaluation.k=[1, 4]",
    "gate.margin=100",
]
STAGES = ["sample-solutions", "sample-tests", "execute", "pair", "audit", "train", "evaluate-base", "evaluate-aligned"]
# Seconds from the start of each stage to the kill: some runs are killed at once, some in the middle of the work.
DELAYS = [3.0, 0.5, 0.4, 0.05, 0.3, 4.0, 0.8, 1.5]


def start(out: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "codepref", "demo", "--out", str(out), "--seed", "3"]
    for setting in SMALL:
        command += ["--set", setting]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


def kill_in(out: Path, stage: str, delay: float) -> list[psutil.Process]:
    """Run until `stage` or a later one begins, wait `delay` seconds, and kill only the main process.

    Return the processes that descended from the main process and were alive before the kill.
    """
    process = start(out)
    assert process.stderr is not None
    for line in process.stderr:
        begun = line.split()[1] if line.startswith("[") and "done before" not in line else ""
        if begun and STAGES.index(begun) >= STAGES.index(stage):
            break
    else:
        pytest.fail(f"{stage} never began")
    time.sleep(delay)
    children: list[psutil.Process] = psutil.Process(process.pid).children(recursive=True)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    return children


def finish(out: Path) -> dict[str, Any]:
    process = start(out)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return {
        "pairs": pq.read_table(out / "pairs.parquet").to_pylist(),
        "scores": {
            label: json.loads((out / "evaluation" / label / "scores.json").read_text()) for label in ("base", "aligned")
        },
        "comparison": json.loads((out / "summary.json").read_text())["comparison"],
    }


@pytest.mark.slow
def test_a_demo_killed_in_each_stage_ends_with_the_same_pairs_and_scores(tmp_path: Path) -> None:
    undisturbed = finish(tmp_path / "undisturbed")
    assert undisturbed["pairs"]
    out = tmp_path / "killed"
    for stage, delay in zip(STAGES, DELAYS, strict=True):
        children = kill_in(out, stage, delay)
        _, left = psutil.wait_procs(children, timeout=20)
        assert not [child for child in left if child.status() != psutil.STATUS_ZOMBIE]
        assert not (out / "summary.json").exists()
    assert finish(out) == undisturbed
