"""The section `[scale]` of a recipe: where solutions run, and where the embedded engine samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from codepref.config.fields import bounded


@dataclass(frozen=True)
class ScaleSection:
    """The machines and processes that sample and run solutions; see docs/how-to/scale.md."""

    executor: Literal["local", "ray"] = bounded(
        "local", doc="`local`: this machine; `ray`: the nodes of a Ray cluster run solutions and sample"
    )
    address: str = bounded("", doc="the cluster: `auto` or HOST:PORT; empty: RAY_ADDRESS, or a new Ray on this machine")
    replicas: int = bounded(
        0,
        low=0,
        doc="processes that sample; with executor ray, the number on each node; 0: one process, or usually one per "
        "core for a small model on a CPU; with ray one per GPU, or one per node if no node has a GPU",
    )
    wait_seconds: float = bounded(
        120.0, above=0.0, doc="with executor ray: seconds after which the work fails if no node is ready"
    )
