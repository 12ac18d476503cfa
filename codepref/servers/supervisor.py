"""The process that runs a server for codepref, and stops the server with everything that the server started.

codepref starts this file as a program of its own. It needs only the standard library, and imports nothing of codepref.
It stops the server when it gets SIGTERM, when codepref closes the pipe to its stdin, and when codepref ends in any way.
If codepref ends, the kernel closes the pipe, and this process gets another parent. It checks both, since a child of
codepref can hold the pipe open.

The process is a subreaper: a process that the server started and left behind becomes its child. It therefore finds
descendants of the server in other sessions and process groups too. If this process is killed, the kernel kills the
server.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
CHECK_SECONDS = 0.5
"""Time between two checks of the parent and the server. The end of the pipe is noticed at once."""
POLL_SECONDS = 0.05
REST_SECONDS = 2.0
"""Time that the descendants of the server have to end after the server has ended."""

KILL_SECONDS = 10.0
"""Time after which processes that survive SIGKILL, since they hang in the kernel, are given up."""

Server = subprocess.Popen[bytes]


def main() -> int:
    """Run the server until it ends or must end, and return 0.

    The first line of stdin is a JSON object: {"command": words, "log": path, "grace": seconds between SIGTERM and
    SIGKILL, "parent": pid of codepref}. The server gets the environment of this process.
    Writes JSON lines to stdout: {"started": pid} or {"failed": reason}, and {"ended": status} if the server ends by
    itself. The status is negative for a signal.
    """
    setup = read_setup()
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    terminated: list[bool] = []
    for number in (signal.SIGINT, signal.SIGHUP):  # SIG_IGN would be inherited by the server
        signal.signal(number, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: terminated.append(True))
    try:
        server = start(setup["command"], setup["log"], libc)
    except (OSError, subprocess.SubprocessError) as error:
        report({"failed": str(error)})
        return 0
    report({"started": server.pid})
    while not terminated and os.getppid() == setup["parent"]:
        reap(besides=server.pid)
        if server.poll() is not None:
            report({"ended": server.returncode})
            break
        readable, _, _ = select.select([0], [], [], CHECK_SECONDS)
        if readable and not os.read(0, 4096):
            break
    stop(server, setup["grace"])
    return 0


def read_setup() -> Any:
    """Return the object in the first line of stdin. Exit if codepref has ended before it wrote the line."""
    line = b""
    while not line.endswith(b"\n"):
        if not (part := os.read(0, 1 << 16)):
            raise SystemExit(0)
        line += part
    return json.loads(line)


def start(command: list[str], log: str, libc: ctypes.CDLL) -> Server:
    """Start the server in a session of its own. Its output goes to the end of the file `log`.

    Raises OSError or SubprocessError if the command cannot be started or the log cannot be opened.
    """
    supervisor = os.getpid()

    def before_exec() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != supervisor:  # the supervisor ended before this call
            os._exit(1)

    with open(log, "ab") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=before_exec,
        )


def stop(server: Server, grace: float) -> None:
    """Send SIGTERM to the server's process group, and kill all descendants that do not end in time.

    The server has `grace` seconds. If it ends in this time, the processes that it leaves behind get SIGTERM too, and
    have REST_SECONDS.
    """
    deadline = time.monotonic() + grace
    if server.poll() is None:
        signal_group(server.pid, signal.SIGTERM)
    while server.poll() is None and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    if server.returncode is not None:
        signal_all(descendants(), signal.SIGTERM)
        deadline = time.monotonic() + REST_SECONDS
        while descendants() and time.monotonic() < deadline:
            reap()
            time.sleep(POLL_SECONDS)
    deadline = time.monotonic() + KILL_SECONDS
    while (left := descendants()) and time.monotonic() < deadline:
        signal_all(left, signal.SIGKILL)
        reap()
        time.sleep(POLL_SECONDS)


def signal_group(group: int, number: int) -> None:
    """Send a signal to a process group, which may have ended."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)


def signal_all(pids: set[int], number: int) -> None:
    """Send a signal to processes, which may have ended."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def descendants() -> set[int]:
    """Return the pids of all processes that descend from this process."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                stat = (folder / "stat").read_text(errors="replace")
            except OSError:  # the process has ended
                continue
            parents[int(folder.name)] = int(stat.rpartition(")")[2].split()[1])
    found: set[int] = set()
    new = {os.getpid()}
    while new:
        new = {pid for pid, parent in parents.items() if parent in new} - found
        found |= new
    return found


def reap(besides: int = 0) -> None:
    """Collect the exit status of children that have ended, so that they leave the table of processes.

    besides: the pid of a child whose status is left for another call. While this child waits, no other is collected.
    """
    with contextlib.suppress(ChildProcessError):
        while child := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            if child.si_pid == besides:
                return
            os.waitpid(child.si_pid, 0)


def report(message: dict[str, Any]) -> None:
    """Write a message to stdout. Do nothing if codepref has ended."""
    with contextlib.suppress(OSError):
        os.write(1, json.dumps(message).encode() + b"\n")


if __name__ == "__main__":
    sys.exit(main())
