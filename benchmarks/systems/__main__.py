"""Runs one system on one job: `python -m benchmarks.systems NAME JOB.json`.

`benchmarks.common.process.run_system` starts this program.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import sys
from pathlib import Path

RUNNERS = {
    "codepref": "codepref:run_samples",
    "codepref-matrix": "codepref:run_matrix",
    "codepref-evaluate": "codepref:run_evaluate",
    "human-eval": "human_eval:run_samples",
    "evalplus": "evalplus:run_samples",
    "evalplus-expected": "evalplus:compute_expected",
    "evalplus-reads": "evalplus:read_results",
    "evalplus-check": "evalplus_check:run",
    "codepref-scale": "scale:run_samples",
    "codepref-many": "scale:run_many",
    "fork": "floor:run_forks",
}
"""System -> "module:function", with a module of this package. A module is imported only when its system runs."""


def main(name: str, path: str) -> None:
    """Run the job in the file `path`, write the answer to the file that the job names, and end the process."""
    module, _, function = RUNNERS[name].partition(":")
    runner = getattr(importlib.import_module(f"benchmarks.systems.{module}"), function)
    job = json.loads(Path(path).read_text())
    answer = runner(job)
    answer["own_peak_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)
    Path(job["answer"]).write_text(json.dumps(answer))
    os._exit(0)  # does not wait for a thread of evalplus, which sleeps for 20 s


if __name__ == "__main__":
    main(*sys.argv[1:])
