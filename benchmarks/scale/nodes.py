"""Measures the rate of solutions that wait a fixed time, on a growing number of nodes."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from typing import Any

from benchmarks.scale.cluster import standing_cluster
from benchmarks.scale.kept import KeptRuns, rounded
from benchmarks.scale.synthetic import problems, sleepers
from codepref.config.scale import ScaleSection
from codepref.execution.cluster import ClusterEngine
from codepref.execution.limits import Limits
from codepref.execution.tasks import Task
from codepref.records import Solution

TASKS = 50
"""The number of problems over which the solutions are spread."""

MIN_SHARE = 0.9
"""The least share of linear growth from the first number of nodes that each number of nodes must reach."""


def measure_nodes(kept: KeptRuns, sizes: Sequence[int], per_node: int, seconds: float, repeats: int) -> dict[str, Any]:
    """Measure the rate on each number of nodes in `sizes`, with `per_node` solutions for each node.

    Return the rates, and the shares of linear growth that they reach. Runs that `kept` has already are not repeated.
    seconds: how long a solution waits. repeats: the number of runs on each number of nodes.
    """
    for repeat in range(repeats):
        for nodes in sizes:
            kept.run(f"{nodes} nodes {repeat}", lambda nodes=nodes: _run(nodes, per_node * nodes, seconds))  # type: ignore[misc]
    rates = {nodes: [kept.runs[f"{nodes} nodes {at}"]["per_second"] for at in range(repeats)] for nodes in sizes}
    one = statistics.median(rates[sizes[0]]) / sizes[0]
    shares = {nodes: [rounded(rate / nodes / one) for rate in found] for nodes, found in rates.items()}
    return kept.write(
        per_second={str(nodes): found for nodes, found in rates.items()},
        share_of_linear={str(nodes): found for nodes, found in shares.items()},
        least_share=MIN_SHARE,
        reached=all(statistics.median(found) >= MIN_SHARE for found in shares.values()),
    )


def _run(nodes: int, count: int, seconds: float) -> dict[str, Any]:
    known = problems(TASKS, 1)
    tasks = [
        Task(known[int(one.task_id.split("/")[1])], [one], known[int(one.task_id.split("/")[1])].tests)
        for one in sleepers(count, seconds, TASKS)
    ]
    wrong, messages = 0, list[str]()
    with standing_cluster(nodes) as cluster:
        begun = time.perf_counter()
        with ClusterEngine(ScaleSection("ray", cluster.address), jobs=1, log=messages.append) as engine:
            while len(engine.hosts.ready()) < nodes:
                engine.hosts.wait(0.5)
            start = time.perf_counter() - begun
            _warm(engine, tasks, nodes)
            begun = time.perf_counter()
            for matrix in engine.run(iter(tasks), limits=Limits(timeout_factor=None)):
                wrong += matrix.verdicts[0].codes != "P"
            spent = time.perf_counter() - begun
            shares = sorted(engine.dispatcher.tally.weights.values())
    rate = count / spent
    print(f"{nodes} nodes: {rate:.2f} solutions/s", flush=True)
    figures = {"start_seconds": round(start, 1), "seconds": round(spent, 2), "per_second": rounded(rate)}
    return figures | {"solutions": count, "wrong_codes": wrong, "solutions_of_nodes": shares, "messages": messages}


def _warm(engine: ClusterEngine, tasks: Sequence[Task], nodes: int) -> None:
    """Run solutions that wait for nothing, four for each node, so that the workers have started."""
    first = tasks[0]
    solution = Solution(first.problem.task_id, 0, "def f(x):\n    return x\n")
    for _ in engine.run((Task(first.problem, [solution], first.tests) for _ in range(4 * nodes)), limits=Limits()):
        pass
