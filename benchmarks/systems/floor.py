"""The floor of all systems: bare forks."""

from __future__ import annotations

import os
import time
from typing import Any

from benchmarks.systems import Job


def run_forks(job: Job) -> dict[str, Any]:
    """Fork, exit and wait `count` times, one at a time, in a process that has loaded very little."""
    start = time.perf_counter()
    for _ in range(job["count"]):
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
    return {"seconds": time.perf_counter() - start, "count": job["count"]}
