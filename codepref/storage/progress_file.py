"""A small file that tells other processes how far an unfinished piece of work has come.

`codepref status` reads it. Nothing that decides results reads it, so a file that is missing or old does no harm.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from codepref.errors import MachineError, UserError
from codepref.storage.files import read_json, write_json
from codepref.storage.progress import NodeProgress, duration

PROGRESS = "progress.json"
"""The name of the file in the folder of unfinished work."""

WRITE_SECONDS = 2.0
"""Least number of seconds between two writes. Each write costs about a millisecond."""


Nodes = Callable[[], Mapping[str, NodeProgress]]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a command has come.

    unit: what is counted, in the plural. first: how many were finished when the command began. done, total: how many
    are finished, and how many there are. began, updated: seconds since 1970. nodes: the nodes of a cluster by name, or
    the processes of this machine, or {}. host: the name of the machine on which the command runs. process: the process
    of the command, as `_process_name` states it.
    """

    unit: str
    first: int
    done: int
    total: int
    began: float
    updated: float
    host: str
    process: str
    nodes: dict[str, NodeProgress] = field(default_factory=dict)

    @property
    def runs(self) -> bool | None:
        """Whether the command still runs, or None if it was started on another machine."""
        if self.host != socket.gethostname():
            return None
        return _process_name(int(self.process.split()[0])) == self.process

    def rate(self) -> float:
        """Return how many were finished in a second since the command began, up to the last write."""
        return (self.done - self.first) / max(self.updated - self.began, 1e-9)

    def lines(self, now: float) -> list[str]:
        """Return a line with count, rate and remaining time, and a line for each node. now: seconds since 1970.

        If the command has stopped, return one line that says so.
        """
        text = f"{self.done:,} of {self.total:,} {self.unit}"
        rate = self.rate()
        if self.runs is False:
            return [f"{text}; the command has stopped, and continues if it is started again"]
        if rate > 0:
            text += f", {rate:,.1f}/s, about {duration((self.total - self.done) / rate)} left"
        text += f"; last change {duration(max(0.0, now - self.updated))} ago"
        seconds = max(self.updated - self.began, 1e-9)
        return [text, *(f"  {name}: {_node(node, seconds)}" for name, node in sorted(self.nodes.items()))]


def _node(node: NodeProgress, seconds: float) -> str:
    counted = f"{node.finished:,} finished, {node.finished / seconds:,.1f}/s"
    if node.state == "ready":
        return counted
    return f"{node.state}; {counted}" if node.finished else node.state


class ProgressFile:
    """Writes the file `folder`/progress.json while the work goes on. Call the object with (done, total).

    unit: what is counted, in the plural. nodes: returns the nodes that do the work. clock: the seconds since 1970.
    The folder must exist. A file that cannot be written is left out, since the work itself does not need it.
    """

    def __init__(
        self,
        folder: Path,
        unit: str,
        *,
        nodes: Nodes = dict,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.path, self.unit, self.nodes, self.clock = folder / PROGRESS, unit, nodes, clock
        self.first: int | None = None
        self.began = self.written = 0.0
        self.owner = {"host": socket.gethostname(), "process": _process_name(os.getpid())}

    def __call__(self, done: int, total: int) -> None:
        """Write the file, unless the last write is less than WRITE_SECONDS ago. Rates count from the first call."""
        now = self.clock()
        if self.first is None:
            self.first, self.began = done, now
        elif now - self.written < WRITE_SECONDS:
            return
        self.written = now
        times = {"began": self.began, "updated": now}
        nodes = {name: asdict(node) for name, node in self.nodes().items()}
        counts = {"unit": self.unit, "first": self.first, "done": done, "total": total}
        with contextlib.suppress(UserError, MachineError, OSError):
            write_json(self.path, counts | times | self.owner | {"nodes": nodes})


def read_progress(folder: Path) -> Progress | None:
    """Return the progress that a command wrote in `folder`, or None without a readable file."""
    try:
        value: dict[str, Any] = read_json(folder / PROGRESS)
        nodes = {name: NodeProgress(**node) for name, node in value.pop("nodes").items()}
        return Progress(nodes=nodes, **value)
    except (UserError, OSError, KeyError, TypeError, AttributeError):
        return None


def _process_name(process: int) -> str:
    """Return the id of a process and the time of its start, or "" if no process with this id runs.

    The time tells a process from a later one with the same id. Where there is no /proc, the time is left out.
    """
    try:
        stat = Path(f"/proc/{process}/stat").read_text()
    except FileNotFoundError:
        return "" if Path("/proc/self").exists() else f"{process}"
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] in "ZX" else f"{process} {fields[19]}"  # Z, X: ended, but its parent has not seen it yet
