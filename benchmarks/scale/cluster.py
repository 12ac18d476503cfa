"""Starts a Ray cluster with several raylets on this machine, and finds processes that a command left behind."""

from __future__ import annotations

import contextlib
import ctypes
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from benchmarks.common.process import module_environment

STORE_BYTES = 80 << 20
"""The size of a node's object store. It is a little more than the least size that Ray allows."""

WAIT_SECONDS = 20.0
"""How many seconds processes may take to end after the command that started them."""

STANDING = (
    *("/raylet/raylet", "/gcs/gcs_server", "ray::IDLE", "default_worker.py", "ray::DashboardAgent"),
    *("ray::RuntimeEnvAgent", "dashboard/agent.py", "runtime_env/agent/main.py", "dashboard/dashboard.py"),
    *("log_monitor.py", "autoscaler/_private/monitor.py"),
)
"""Parts of the command lines of processes that belong to Ray itself. They stay as long as the cluster stands."""

_PR_SET_CHILD_SUBREAPER = 36


@contextlib.contextmanager
def standing_cluster(nodes: int) -> Iterator[Any]:
    """Yield a cluster of a head without cores and `nodes` nodes with one core each. It ends with the `with` block."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ["PYTHONPATH"] = module_environment()["PYTHONPATH"]
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 0, "object_store_memory": STORE_BYTES, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        for _ in range(nodes):
            add_node(cluster)
        yield cluster
    finally:
        cluster.shutdown()


def add_node(cluster: Any) -> Any:
    """Add a node with one core and return it."""
    return cluster.add_node(num_cpus=1, object_store_memory=STORE_BYTES)


def adopt_orphans() -> None:
    """Make this process the parent of its descendants whose own parents end, so that `processes_left` finds them."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)


def processes_left(wait_seconds: float = WAIT_SECONDS, standing: tuple[str, ...] = STANDING) -> list[str]:
    """Return the command lines of the descendants of this process that still run after `wait_seconds`.

    Each command line is cut after 200 characters. Processes whose command lines hold a text of `standing` are left out.
    The function returns as soon as no other descendant runs. It collects the exit status of dead children, except for
    those of Ray.
    """
    end = time.monotonic() + wait_seconds
    while (left := _working(standing)) and time.monotonic() < end:
        time.sleep(0.2)
    return left


def _working(standing: tuple[str, ...]) -> list[str]:
    found = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.status() == psutil.STATUS_ZOMBIE:
                _collect(process)
                continue
            line = " ".join(process.cmdline()) or process.name()
            if not any(part in line for part in standing):
                found.append(line[:200])
    return found


def _collect(process: psutil.Process) -> None:
    """Collect the exit status of a dead child. A process with "ray" in its name is left to Ray's own code."""
    if process.ppid() == os.getpid() and "ray" not in process.name().lower():
        with contextlib.suppress(ChildProcessError):
            os.waitpid(process.pid, os.WNOHANG)


def actor_processes() -> list[psutil.Process]:
    """Return the processes of actors among the descendants of this process."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if "ray::HostActor" in " ".join(process.cmdline()):
                found.append(process)
    return found


def raylet_of(node: Any) -> psutil.Process:
    """Return the raylet of a node."""
    ((_, info),) = [item for item in node.all_processes.items() if item[0] == "raylet"]
    return psutil.Process(info[0].process.pid)


def folder_bytes(folder: Path) -> int:
    """Return the bytes of all files below a folder. Files that vanish meanwhile do not count."""
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            total += path.stat().st_size if path.is_file() else 0
    return total
