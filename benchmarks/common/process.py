"""Starting one system in a process of its own, watching what it takes, and keeping the machine busy beside it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SCRIPT = Path(__file__).parent / "execution_systems.py"
GIVE_UP_SECONDS = 4 * 3600.0
SPIN = "import os\nparent = os.getppid()\nwhile os.getppid() == parent:\n    for _ in range(1 << 18): pass\n"


def run_system(name: str, job: dict[str, Any], *, watch: bool = False) -> dict[str, Any]:
    """What the system answered, with `process_seconds`, its imports and start included.

    watch: sample the memory of its processes meanwhile, into `memory` (see `Watcher`).
    Raises RuntimeError when it ended without an answer.
    """
    with tempfile.TemporaryDirectory() as folder:
        answer, paper = Path(folder) / "answer.json", Path(folder) / "job.json"
        paper.write_text(json.dumps({"folder": folder, **job, "answer": str(answer)}))
        problems = str(job.get("problems", ""))
        variables = {"PYTHONHASHSEED": "0", "HUMANEVAL_OVERRIDE_PATH": problems, "MBPP_OVERRIDE_PATH": problems}
        variables["XDG_CACHE_HOME"] = str(job.get("cache", folder))
        start = time.perf_counter()
        with subprocess.Popen(
            [sys.executable, str(SCRIPT), name, str(paper)],
            env={**os.environ, **variables, **job.get("environment", {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            process_group=0,
        ) as process:
            watcher = Watcher(process.pid) if watch else None
            try:
                _, said = process.communicate(timeout=GIVE_UP_SECONDS)
            finally:
                if watcher is not None:
                    watcher.stop()
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
        if not answer.exists():
            raise RuntimeError(f"{name} ended with status {process.returncode}: {said.decode()[-2000:]}")
        result: dict[str, Any] = json.loads(answer.read_text())
        result["process_seconds"] = time.perf_counter() - start
        if watcher is not None:
            result["memory"] = watcher.peaks
        return result


class Watcher:
    """Samples the memory of a process and of all its descendants, in MiB: the peak of each figure.

    resident: sum over all processes, pages that they share counted in
    each. proportional: the same with shared pages divided among those that share them.
    """

    def __init__(self, pid: int, every: float = 0.1) -> None:
        self.peaks = {"resident": 0.0, "proportional": 0.0, "processes": 0}
        self._pid, self._every, self._stop = pid, every, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._stop.wait(self._every):
            family = descendants(self._pid)
            sizes = [memory_of(pid) for pid in family]
            resident, proportional = (sum(size[at] for size in sizes) / 1024 for at in (0, 1))
            now = {"resident": resident, "proportional": proportional, "processes": len(family)}
            self.peaks = {key: max(old, now[key]) for key, old in self.peaks.items()}

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()


def descendants(root: int) -> list[int]:
    """`root` and every process below it."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(entry.name))
    family = [root]
    for pid in family:
        family += children.get(pid, [])
    return family


def memory_of(pid: int) -> tuple[int, int]:
    """Resident and proportional size in KiB; zeros for a process that is gone."""
    with contextlib.suppress(OSError):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
        found = {line.split()[0]: int(line.split()[1]) for line in lines}
        return found["Rss:"], found["Pss:"]
    return 0, 0


@contextlib.contextmanager
def busy(processes: int, *, sessions: bool) -> Iterator[None]:
    """Keep the machine busy with so many spinning processes. They end with the block, or with this process.

    sessions: each in a session of its own. Where the kernel's autogroups share the cores among sessions first, all
    processes of one session weigh as much as one process of another: so codepref, whose workers have sessions of their
    own, is measured beside sessions, and the peers, which stay in this one, beside processes of this one. Either way a
    working process gets a fifth of a core beside four busy ones.
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
