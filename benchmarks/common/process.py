"""Runs one system in a process of its own, and keeps the machine busy beside it."""

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
SPIN = "import os\nparent = os.getppid()\nwhile os.getppid() == parent:\n    for _ in range(1 << 18): pass\n"


def module_environment() -> dict[str, str]:
    """The environment of this process, changed so that a child finds `benchmarks` and hashes strings as this run does.

    The hash seed is fixed, so that the order of sets does not change from run to run.
    """
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONHASHSEED": "0"}


def run_system(name: str, job: dict[str, Any], *, monitor: bool = False) -> dict[str, Any]:
    """Run a system of `benchmarks.systems` in a new process and return its answer.

    name: see `benchmarks.systems.__main__.RUNNERS`. job: what the system reads; its values must fit JSON.
    monitor: sample the memory of the system's processes into the answer's `memory` (see `MemoryMonitor`).

    The answer has `process_seconds` besides: the time of the whole process, with start and imports.
    Raises RuntimeError when the system ends without an answer.
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
    """Run so many spinning processes while the block lasts. They also end when this process ends.

    sessions: put each into a session of its own. Where the kernel's autogroups divide CPU time among sessions first,
    all processes of one session together get as much as one process of another session. codepref's workers have
    sessions of their own, so they are measured beside sessions; the peers stay in this session, so they are measured
    beside processes of this session. In both cases a working process gets a fifth of a core beside four busy ones.
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
