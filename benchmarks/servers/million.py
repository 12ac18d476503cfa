"""Samples many answers from a scripted server, kills the command near its end, and continues it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.common.monitor import MemoryMonitor, descendants
from benchmarks.servers.scripted import ScriptedServer

KILL_AT = 0.9
"""The share of the calls after which the command is killed."""


def measure_many(problems: int, n: int, per_call: int) -> dict[str, Any]:
    """Sample `n` answers to each of `problems` problems, `per_call` answers a call, with one kill.

    Returns the figures of the command that was killed and of the command that continued it, counts of the server, and
    counts of missing and misplaced rows.
    """
    with ScriptedServer("--several") as server, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write_problems(folder / "problems.jsonl", problems)
        command = [sys.executable, "-m", "codepref", "sample", "--model", "writer", "--base-url", server.url]
        command += ["--problems", str(folder / "problems.jsonl"), "-n", str(n), "--answers-per-call", str(per_call)]
        command += ["--out", str(folder / "answers.jsonl")]
        calls = -(-n // per_call) * problems
        result = {"answers": problems * n, "calls": calls, "killed": _run(command, server, round(KILL_AT * calls))}
        result["killed"]["journal_mb"] = _megabytes(folder / "answers.jsonl.calls")
        print("killed", result["killed"], flush=True)
        result["continued"] = _run(command, server, None)
        result["server"] = {key: server.counts()[key] for key in ("answered", "twice")}
        result |= _check(folder / "answers.jsonl", problems, n)
    print(result, flush=True)
    return result


def _write_problems(path: Path, count: int) -> None:
    with path.open("w") as stream:
        for number in range(count):
            row = {"task_id": f"t/{number}", "prompt": f"Write f number {number}.", "entry_point": "f"}
            stream.write(json.dumps(row | {"tests": ["assert f() is None"]}) + "\n")


def _run(command: list[str], server: ScriptedServer, kill_at: int | None) -> dict[str, Any]:
    """Run the command to its end, or kill it when the server has answered `kill_at` calls. Returns its figures.

    Raises SystemExit if the command fails and `kill_at` is None.
    """
    before, begun, first, cpu = server.counts()["answered"], time.monotonic(), None, 0.0
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    memory = MemoryMonitor(process.pid, every=0.5)
    answered = before
    while process.poll() is None and (kill_at is None or answered < kill_at):
        if first is None:
            cpu = sum(map(_cpu_seconds, descendants(process.pid))) or cpu
        time.sleep(0.2 if first is None else 1.0)
        answered = server.counts()["answered"]
        if first is None and answered > before:
            first = time.monotonic() - begun
    seconds = time.monotonic() - begun
    if kill_at is not None:
        process.kill()
    if (status := process.wait()) and kill_at is None:
        raise SystemExit(f"{command} ended with status {status}")
    while answered < (answered := server.counts()["answered"]):  # the calls that ran when the command was killed
        time.sleep(1.0)
    memory.stop()
    return {
        "answered_calls": answered - before,
        "seconds": round(seconds, 1),
        "seconds_to_first_answer": round(first or 0.0, 1),
        "cpu_seconds_to_first_answer": round(cpu, 1),
        "peak_mb": {name: round(memory.peaks[name], 1) for name in ("resident", "proportional")},
    }


def _check(path: Path, problems: int, n: int) -> dict[str, int]:
    """Return the numbers of rows, of missing rows, and of rows that stand at the place of another row."""
    rows = misplaced = 0
    with path.open("rb") as stream:
        for place, line in enumerate(stream):
            row = json.loads(line)
            rows += 1
            misplaced += (row["task_id"], row["sample"]) != (f"t/{place // n}", place % n)
    return {"rows": rows, "missing": problems * n - rows, "misplaced": misplaced}


def _cpu_seconds(pid: int) -> float:
    """Return the CPU seconds of a process, or 0 if it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _megabytes(folder: Path) -> float:
    return round(sum(file.stat().st_size for file in folder.iterdir()) / 1e6, 1)
