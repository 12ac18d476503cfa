"""Times bare forks as one of the systems (see `benchmarks.systems`), for comparison with real systems."""

from __future__ import annotations

import os
import time
from typing import Any

from benchmarks.systems import Job


def run_forks(job: Job) -> dict[str, Any]:
    """Fork a child that exits, and wait for it, `count` times. This process has imported very little."""
    start = time.perf_counter()
    for _ in range(job["count"]):
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
    return {"seconds": time.perf_counter() - start, "count": job["count"]}
