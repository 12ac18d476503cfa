"""Writes and reads a small file that says how far an unfinished sampling or execution has come.

`codepref status` shows its content. No result depends on the file, so a file that is missing or old does no harm.
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
"""The name of the file. It lies in the folder that holds the unfinished work."""

WRITE_SECONDS = 2.0
"""Least number of seconds between two writes. A write takes a few milliseconds."""


Nodes = Callable[[], Mapping[str, NodeProgress]]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a command has come.

    unit: what is counted, in the plural, such as "answers". done, total: how many are finished, and how many there are.
    first: how many were finished at the first write, for example by an earlier command that was killed. began, updated:
    the times of the first and the last write, in seconds since 1970. nodes: the nodes of a cluster or the processes of
    this machine that do the work, by name. It is {} if the command itself does the work. host: the name of the machine
    on which the command runs. process: the result of `_process_name` for the command.
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
        """Whether the command still runs, or None if it was started on another machine.

        Without /proc, this is True even if the command has ended.
        """
        if self.host != socket.gethostname():
            return None
        number = self.process.partition(" ")[0]
        return number.isdecimal() and _process_name(int(number)) == self.process

    def rate(self) -> float:
        """Return how many were finished in a second, on average from the first to the last write."""
        return (self.done - self.first) / max(self.updated - self.began, 1e-9)

    def lines(self, now: float) -> list[str]:
        """Return a line with the count and the time since the last write, and a line for each node.

        The first line also states the rate and the remaining time, if anything was finished between the first and the
        last write. If the command has stopped, the result is one line that says so. now: the time, in seconds since
        1970.
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

    unit: what is counted, in the plural. nodes: a function that returns the nodes or processes that do the work, by
    name. clock: a function that returns the seconds since 1970.
    The folder is made if it is missing. If the file cannot be written, the work goes on without it.
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
    """Return the progress that a command wrote in `folder`, or None if there is no file or it is malformed."""
    try:
        value: dict[str, Any] = read_json(folder / PROGRESS)
        nodes = {name: NodeProgress(int(one["finished"]), str(one["state"])) for name, one in value["nodes"].items()}
        return Progress(
            unit=str(value["unit"]),
            first=int(value["first"]),
            done=int(value["done"]),
            total=int(value["total"]),
            began=float(value["began"]),
            updated=float(value["updated"]),
            host=str(value["host"]),
            process=str(value["process"]),
            nodes=nodes,
        )
    except (UserError, OSError, KeyError, TypeError, ValueError, AttributeError):
        return None


def _process_name(process: int) -> str:
    """Return the id of a process and the time of its start, or "" if no process with this id runs.

    The time tells the process from a later one with the same id. Without /proc, the result is the id alone, whether or
    not the process runs.
    """
    try:
        stat = Path(f"/proc/{process}/stat").read_text()
    except FileNotFoundError:
        return "" if Path("/proc/self").exists() else f"{process}"
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] in "ZX" else f"{process} {fields[19]}"  # Z, X: ended, but its parent has not seen it yet
