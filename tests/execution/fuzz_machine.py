"""Finds what the fuzz target leaves on the machine: processes, descriptors, files, shared memory. Reads /proc."""

from __future__ import annotations

import contextlib
import ctypes
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import fuzz_system

from codepref.execution.engine import Engine

_SUBREAPER = 36
MARKS = (fuzz_system.MARK, "codepref-escape", "cheated")
"""Parts of the names of files that generated programs and attacks may create."""
PROCESSES_A_WORKER, DESCRIPTORS_A_PROCESS = 10, 100
"""The largest number of processes of a worker, and of open descriptors of one of its processes.

A worker usually has at most these processes: a supervisor, two nurseries, three zygotes, a test runner, a process with
a solution, a process that was forked ahead, and a process that is ending.
"""


@dataclass(frozen=True, slots=True)
class Process:
    """One process of /proc. session: the session's id.

    All processes of a worker have the pid of the worker as this id.
    """

    pid: int
    name: str
    state: str
    parent: int
    session: int


def processes() -> dict[int, Process]:
    """Return all visible processes of the machine by their pid."""
    table = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                head, _, tail = (entry / "stat").read_text(errors="replace").rpartition(")")
                state, parent, _, session = tail.split()[:4]
                table[int(entry.name)] = Process(
                    int(entry.name), head.partition("(")[2], state, int(parent), int(session)
                )
    return table


def descendants(table: dict[int, Process], root: int) -> list[Process]:
    """Return all processes of `table` below the process `root`."""
    below, last = {root}, 0
    while len(below) != last:
        last = len(below)
        below |= {process.pid for process in table.values() if process.parent in below}
    return [table[pid] for pid in below - {root} if pid in table]


@contextlib.contextmanager
def adopting() -> Iterator[None]:
    """Make this process the parent of every orphan below it, so that an orphan stays among its descendants."""
    prctl = ctypes.CDLL(None).prctl
    prctl(_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        prctl(_SUBREAPER, 0, 0, 0, 0)


class Machine:
    """The state of the machine before the fuzzing. The methods report what differs from this state later."""

    def __init__(self) -> None:
        self.old = {process.pid for process in descendants(processes(), os.getpid())}
        self.descriptors = _descriptors()
        self.files = _files()
        self.shared = _shared_memory()
        self.sessions: set[int] = set()

    def after_batch(self, engine: Engine) -> list[tuple[str, str]]:
        """Return findings (kind, detail). Call this while the workers live.

        A finding is that a worker has too many processes, or that the engine, a supervisor, a zygote of solutions
        without packages or a runner zygote has too many open descriptors.
        """
        workers = [worker._process.pid for worker in engine._workers]
        self.sessions |= set(workers)
        findings = []
        allowed = self.descriptors + 1 + 3 * len(workers)
        if _descriptors() > allowed:
            findings.append(("descriptors", f"the engine has {_descriptors()} open, {allowed} expected"))
        everything = processes()
        for pid in workers:
            family = [process for process in everything.values() if process.session == pid]
            if len(family) > PROCESSES_A_WORKER:
                findings.append(("processes", f"a worker has {len(family)} processes: {_listed(family)}"))
            for process in family:
                with contextlib.suppress(OSError):
                    count = len(list(Path(f"/proc/{process.pid}/fd").iterdir()))
                    if count > DESCRIPTORS_A_PROCESS and process.name in ("supervisor", "solutions", "runners"):
                        findings.append(("descriptors", f"{process.name} has {count} open"))
        return findings

    def after_close(self, timeout: float = 10.0) -> list[tuple[str, str]]:
        """Return findings (kind, detail) after `Engine.close`.

        A finding is a process that is left after `timeout` seconds, more open descriptors than before the fuzzing, or
        new shared memory.
        """
        end = time.monotonic() + timeout
        while (left := self._left()) and time.monotonic() < end:
            time.sleep(0.05)
        findings = [("process left", _listed(left))] if left else []
        if _descriptors() > self.descriptors:
            findings.append(("descriptors", f"{_descriptors()} open after close, {self.descriptors} before"))
        shared = _shared_memory() - self.shared
        return findings + [("shared memory left", line) for line in sorted(shared)]

    def new_files(self) -> tuple[list[str], list[str]]:
        """Return new files and folders that lie directly in some folders, such as /tmp.

        The first list has those with one of MARKS in the path, and the second list has the others.
        """
        new = sorted(_files() - self.files)
        marked = [path for path in new if any(mark in path for mark in MARKS)]
        return marked, [path for path in new if path not in marked]

    def _left(self) -> list[Process]:
        table = processes()
        below = {process.pid: process for process in descendants(table, os.getpid()) if process.pid not in self.old}
        below |= {process.pid: process for process in table.values() if process.session in self.sessions}
        for process in list(below.values()):
            if process.state == "Z" and process.parent == os.getpid():
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(process.pid, os.WNOHANG)
                del below[process.pid]
        return list(below.values())


def _listed(family: list[Process]) -> str:
    return ", ".join(f"{process.name} ({process.pid}, {process.state})" for process in family)


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def _files() -> set[str]:
    folders = {
        tempfile.gettempdir(),
        "/tmp",
        "/var/tmp",
        "/dev/shm",
        "/dev/mqueue",
        "/",
        str(Path.cwd()),
        str(Path.home()),
    }
    paths = set()
    for folder in folders:
        with contextlib.suppress(OSError):
            paths |= {str(path) for path in Path(folder).iterdir()}
    return paths


def _shared_memory() -> set[str]:
    entries = set()
    for kind in ("shm", "sem", "msg"):
        with contextlib.suppress(OSError):
            lines = Path(f"/proc/sysvipc/{kind}").read_text().splitlines()[1:]
            entries |= {f"{kind} {' '.join(line.split()[:2])}" for line in lines}
    return entries
