"""Processes of a Ray cluster on this machine."""

from __future__ import annotations

from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]


def actor_processes() -> list[psutil.Process]:
    """Return the processes of the actors of all nodes."""
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if "ray::HostActor" in " ".join(process.info["cmdline"] or [])
    ]
