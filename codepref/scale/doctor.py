"""Reports for each node of a Ray cluster whether solutions can run there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from codepref.errors import MachineError
from codepref.scale import shipped
from codepref.scale.cluster import Node, connected, load_ray, nodes
from codepref.scale.versions import own_version

NODE_SECONDS = 120.0
"""How many seconds the nodes may take for their reports. All nodes report at the same time."""


def examine_nodes(address: str) -> Iterator[str]:
    """Yield lines to print: for each node whether solutions can run there, and the lines of its own report.

    address: as in `connected`. Raises what `connected` raises, and MachineError if no node can run solutions.
    """
    with connected(address):
        found = nodes()
        reports = _reports([node for node in found if node.cpus > 0])
        fit = 0
        for node in found:
            cores = f"{node.cpus} core{'' if node.cpus == 1 else 's'}"
            if node.cpus == 0:
                yield f"{node.name}: not used, since it offers no core to Ray"
                continue
            lines, mistake = reports[node.id]
            fit += not mistake
            yield f"{node.name}: {f'left out: {mistake}' if mistake else f'{cores}, can run solutions'}"
            yield from (f"  {line}" for line in lines)
    yield f"{fit} of {len(found)} nodes can run solutions"
    if not fit:
        raise MachineError("no node of the Ray cluster can run solutions; the lines above say why")


def _reports(found: list[Node]) -> dict[str, tuple[list[str], str]]:
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    ray = load_ray()
    ray.cloudpickle.register_pickle_by_value(shipped)
    actors: dict[str, Any] = {}
    for node in found:
        options = {"num_cpus": 0, "scheduling_strategy": NodeAffinitySchedulingStrategy(node.id, soft=False)}
        actors[node.id] = ray.remote(shipped.HostActor).options(**options).remote()
    calls = {key: actor.lines.remote(own_version()) for key, actor in actors.items()}
    reports: dict[str, tuple[list[str], str]] = {}
    if calls:
        ray.wait(list(calls.values()), num_returns=len(calls), timeout=NODE_SECONDS)
    for key, call in calls.items():
        try:
            reports[key] = ray.get(call, timeout=0)
        except ray.exceptions.RayError as error:
            reports[key] = ([], f"it gave no report: {(str(error).splitlines() or [''])[0] or type(error).__name__}")
        ray.kill(actors[key], no_restart=True)
    return reports
