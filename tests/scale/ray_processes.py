"""Processes of a Ray cluster on this machine."""

from __future__ import annotations

import contextlib
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]


def actor_processes() -> list[psutil.Process]:
    """Return the processes of the actors of all nodes. Actors of other clusters on this machine are not among them."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if "ray::HostActor" in " ".join(process.cmdline()):
                found.append(process)
    return found
