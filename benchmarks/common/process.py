"""Runs a system that a benchmark measures in a new process, and keeps the machine busy for runs on a busy machine."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.common.monitor import MemoryMonitor

ROOT = Path(__file__).parents[2]
"""The folder that holds the package `benchmarks`."""
MAX_SECONDS = 4 * 3600.0
"""Wall-clock seconds after which `run_system` kills a system."""
SPIN = "import os\nparent = os.getppid()\nwhile os.getppid() == parent:\n    for _ in range(1 << 18): pass\n"
"""A program that keeps a core busy until its parent ends."""


def module_environment() -> dict[str, str]:
    """Return the environment of this process, changed so that a child finds the package `benchmarks`.

    PYTHONHASHSEED is 0, so that the order of sets does not change from run to run.
    """
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONHASHSEED": "0"}


def run_system(name: str, job: dict[str, Any], *, monitor: bool = False) -> dict[str, Any]:
    """Run a system of `benchmarks.systems` in a new process and return its answer.

    name: a key of `benchmarks.systems.__main__.RUNNERS`. job: what the system reads. Its values must fit JSON.
    monitor: whether to measure the memory of the system's processes. If so, `memory` of the answer has the peaks of
    `MemoryMonitor`.

    `process_seconds` of the answer is the time of the whole process with its start and imports. Raises RuntimeError if
    the system ends without an answer, and subprocess.TimeoutExpired after MAX_SECONDS.
    """
    with tempfile.TemporaryDirectory() as folder:
        answer_file, job_file = Path(folder) / "answer.json", Path(folder) / "job.json"
        job_file.write_text(json.dumps({"folder": folder, **job, "answer": str(answer_file)}))
        problems = str(job.get("problems", ""))
        variables = {"HUMANEVAL_OVERRIDE_PATH": problems, "MBPP_OVERRIDE_PATH": problems}
        variables["XDG_CACHE_HOME"] = str(job.get("cache", folder))
        start = time.perf_counter()
        with subprocess.Popen(
            [sys.executable, "-m", "benchmarks.systems", name, str(job_file)],
            env={**module_environment(), **variables, **job.get("environment", {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            process_group=0,
        ) as process:
            memory = MemoryMonitor(process.pid) if monitor else None
            try:
                _, errors = process.communicate(timeout=MAX_SECONDS)
            finally:
                if memory is not None:
                    memory.stop()
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
        if not answer_file.exists():
            raise RuntimeError(f"{name} ended with status {process.returncode}: {errors.decode()[-2000:]}")
        answer: dict[str, Any] = json.loads(answer_file.read_text())
        answer["process_seconds"] = time.perf_counter() - start
        if memory is not None:
            answer["memory"] = memory.peaks
        return answer


@contextlib.contextmanager
def busy(processes: int, *, sessions: bool) -> Iterator[None]:
    """Keep `processes` processes busy until the block ends. They also end when this process ends.

    sessions: whether each busy process gets its own session.

    A kernel with autogroups divides CPU time among sessions first: all processes of one session together get as much
    as one process that is alone in its session. Each worker of codepref has its own session, so codepref is measured
    with `sessions` set. Other systems stay in the session of this process, so they are measured with `sessions` not
    set. In both cases a working process that shares a core with four busy processes gets a fifth of this core.
    """
    command = [sys.executable, "-c", SPIN]
    spinning = [subprocess.Popen(command, start_new_session=sessions) for _ in range(processes)]
    try:
        yield
    finally:
        for process in spinning:
            process.kill()
        for process in spinning:
            process.wait()
