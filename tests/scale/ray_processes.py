"""Processes of a Ray cluster on this machine."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]
MARK = "CODEPREF_TESTED_BY"
"""The environment variable that marks the processes of the cluster of a test process. It holds the test process's
id."""


def actor_processes() -> list[psutil.Process]:
    """Return the processes of the actors of all nodes of this process's cluster."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if "ray::HostActor" in " ".join(process.info["cmdline"] or []):
            with contextlib.suppress(psutil.NoSuchProcess):
                if process.environ().get(MARK) == str(os.getpid()):
                    found.append(process)
    return found
