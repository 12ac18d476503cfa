"""A real Ray cluster on this machine, with several raylets."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import psutil
import pytest
from ray_processes import ROOT

STORE = 80 << 20
"""The size of a node's object store, in bytes. Ray's minimum is a little lower."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Yield a cluster of a head node with one core, to which this process is connected. Tests add nodes."""
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    before = {name: os.environ.get(name) for name in ("RAY_USAGE_STATS_ENABLED", "PYTHONPATH")}
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ["PYTHONPATH"] = f"{ROOT}:{before['PYTHONPATH'] or ''}"
    started = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 1, "object_store_memory": STORE, "include_dashboard": False},
    )
    # Ray puts the current folder on the path of its processes, and the folder of the repository holds codepref.
    with contextlib.chdir(tmp_path_factory.mktemp("driver")):
        ray.init(address=started.address, logging_level="ERROR", log_to_driver=False)
    try:
        yield started
    finally:
        ray.shutdown()
        started.shutdown()
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})
    left = [process for process in psutil.Process().children(recursive=True) if "ray" in process.name().lower()]
    _, left = psutil.wait_procs(left, timeout=20)
    assert not left


@pytest.fixture
def add_node(cluster: Any) -> Iterator[Any]:
    """Yield a function that adds a node with one core. Its arguments are those of Ray. The test's nodes are removed."""
    added: list[Any] = []

    def add(**options: Any) -> Any:
        node = cluster.add_node(num_cpus=1, object_store_memory=STORE, **options)
        added.append(node)
        return node

    yield add
    for node in added:
        if node in cluster.worker_nodes:
            cluster.remove_node(node, allow_graceful=False)
