"""Measures calls a second and memory of commands that call a server, which answers slowly and never fails."""

from __future__ import annotations

import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.servers.scripted import ScriptedServer, commands, write_inputs


def measure_throughput(problems: int) -> dict[str, Any]:
    """Run `codepref respond` and `codepref judge`, and return the figures of each command.

    problems: the number of instructions. Raises SystemExit if one of them fails.
    """
    result: dict[str, Any] = {}
    with ScriptedServer("--seconds", "0.2", "--at-once", "64") as server, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_inputs(folder, server.url, problems, 4, 16, 30.0)
        for command in commands(folder):
            before, begun = server.counts()["answered"], time.monotonic()
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
            peak = 0.0
            while process.poll() is None:
                peak = max(peak, memory_mb(process.pid))
                time.sleep(0.2)
            seconds, answered = time.monotonic() - begun, server.counts()["answered"] - before
            if process.returncode:
                raise SystemExit(f"{command} ended with status {process.returncode}")
            result[command[3]] = {
                "calls": answered,
                "seconds": round(seconds, 1),
                "calls a second": round(answered / seconds, 1),
                "peak MB of both processes": round(peak, 1),
            }
            print(command[3], result[command[3]], flush=True)
        result["most at once"] = server.counts()["most at once"]
    return result


def memory_mb(pid: int) -> float:
    """Return the resident MiB of a process and of the children that its main thread started."""
    total = 0.0
    for process in (pid, *child_ids(pid)):
        try:
            lines = Path(f"/proc/{process}/status").read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError):
            continue
        total += sum(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))
    return total


def child_ids(pid: int) -> list[int]:
    """Return the ids of the children that the main thread of a process started, or [] if the process has ended."""
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []
