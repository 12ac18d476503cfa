"""Measures at intervals how much memory a process and its descendants use."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path


class MemoryMonitor:
    """Measures the memory of the process `pid` and its descendants in a thread, with pauses of `every` seconds.

    Attributes:
        peaks: the largest value of each of these figures so far. "resident": MiB of all processes together; a page that
            several processes share counts once for each of them. "proportional": MiB of all processes together; a
            shared page is divided among the processes that share it. "processes": the number of processes.
    """

    def __init__(self, pid: int, every: float = 0.1) -> None:
        self.peaks = {"resident": 0.0, "proportional": 0.0, "processes": 0}
        self._pid, self._every, self._stop = pid, every, threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()

    def _sample(self) -> None:
        while not self._stop.wait(self._every):
            family = descendants(self._pid)
            sizes = [memory_of(pid) for pid in family]
            resident, proportional = (sum(size[column] for size in sizes) / 1024 for column in (0, 1))
            now = {"resident": resident, "proportional": proportional, "processes": len(family)}
            self.peaks = {name: max(peak, now[name]) for name, peak in self.peaks.items()}

    def stop(self) -> None:
        """Stop measuring and wait until the thread has ended."""
        self._stop.set()
        self._thread.join()


def descendants(root: int) -> list[int]:
    """Return the ids of the process `root` and of its descendants.

    A descendant is missed if a process between it and `root` has ended, since the kernel gave it another parent then.
    """
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
    """Return the resident and the proportional size of a process in KiB.

    Returns (0, 0) if they cannot be read, for example because the process has ended.
    """
    with contextlib.suppress(OSError):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
        sizes = {line.split()[0]: int(line.split()[1]) for line in lines}
        return sizes["Rss:"], sizes["Pss:"]
    return 0, 0
