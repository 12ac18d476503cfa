"""Ends what is left of a server whose codepref was killed, and finds the processes of a server by its mark."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from codepref.errors import UserError
from codepref.storage.files import read_json, write_json

MARK = "CODEPREF_SERVER"
"""The environment variable that marks the processes of a server."""

POLL_SECONDS = 0.1
KILL_SECONDS = 10.0


def write_record(path: Path, supervisor: int, mark: str, seconds: float) -> None:
    """Note the supervisor of a running server, so that the next run can wait until the supervisor has ended.

    seconds: the longest time that the supervisor takes to end after codepref was killed.
    """
    write_json(path, {"supervisor": supervisor, "started": start_time(supervisor), "mark": mark, "seconds": seconds})


def end_leftover(path: Path, log: Callable[[str], None]) -> None:
    """Wait until the supervisor in the record `path` has ended, kill what is left of its server, and remove the record.

    The wait ends after the seconds in the record. Without a readable record, nothing happens.
    """
    record = _read(path)
    if record is None:
        return
    if start_time(record["supervisor"]) == record["started"]:
        log("waiting for the server of an interrupted run to end")
        deadline = time.monotonic() + record["seconds"]
        while start_time(record["supervisor"]) == record["started"] and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
    kill_marked(record["mark"])
    path.unlink(missing_ok=True)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        record: Any = read_json(path)
        return {
            "supervisor": int(record["supervisor"]),
            "started": str(record["started"]),
            "mark": str(record["mark"]),
            "seconds": float(record["seconds"]),
        }
    except (UserError, KeyError, TypeError, ValueError):
        return None


def start_time(pid: int) -> str:
    """Return the time at which the process started, in the kernel's clock ticks, or "" if it has ended.

    A zombie counts as ended. A pid is used again later, so only pid and start time together name one process.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in ("Z", "X") else fields[19]


def kill_marked(mark: str) -> None:
    """Kill the processes whose environment holds the mark, and wait until they have ended.

    This matters if the supervisor was killed, since it could not end them. A process that has overwritten its
    environment is not found. The wait ends after KILL_SECONDS.
    """
    deadline = time.monotonic() + KILL_SECONDS
    while (left := marked(mark)) and time.monotonic() < deadline:
        for pid in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(POLL_SECONDS)


def marked(mark: str) -> list[int]:
    """Return the pids of the processes, other than this one, that were started with the mark in their environment."""
    wanted = f"{MARK}={mark}".encode()
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            try:
                environment = (folder / "environ").read_bytes()
            except OSError:  # the process has ended, or belongs to another user
                continue
            if wanted in environment.split(b"\0"):
                found.append(int(folder.name))
    return found
