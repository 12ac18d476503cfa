"""Execution on a real Ray cluster gives the verdicts of this machine, even if nodes are lost or left out."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet as pq
import pytest
from ray_processes import ROOT, actor_processes

from codepref.config.scale import ScaleSection
from codepref.errors import MachineError
from codepref.execution.cluster import ClusterEngine
from codepref.execution.execute import execute, execute_into
from codepref.execution.limits import Limits
from codepref.execution.tasks import Task
from codepref.records import Problem, Solution, Test
from codepref.runs.inspect import status_lines
from codepref.scale.cluster import nodes
from codepref.scale.doctor import examine_nodes

pytestmark = [pytest.mark.xdist_group("ray"), pytest.mark.slow]

RAY = ScaleSection("ray", wait_seconds=60)
LIMITS = Limits(cpu_seconds=1)
BODIES = (
    "return x + 1",
    "return x + 2",
    "return x + 1 if x < 5 else 0",
    "raise ValueError(x)",
    "exit()",
    "",
    "import os\n    os.fork()",
)
ENDLESS = "while True:\n        pass"


def problems(count: int) -> list[Problem]:
    return [
        Problem(f"t/{at}", "Add one.", "f", tuple(Test(f"t/{at}", str(x), f"assert f({x}) == {x + 1}") for x in (1, 5)))
        for at in range(count)
    ]


def solutions(count: int, bodies: Sequence[str] = BODIES, sleep: float = 0.0) -> list[Solution]:
    pause = f"import time\ntime.sleep({sleep})\n" if sleep else ""
    return [
        Solution(f"t/{at}", number, f"{pause}def f(x):\n    {body}\n" if body else "")
        for at in range(count)
        for number, body in enumerate(bodies)
    ]


def verdicts(out: Path) -> tuple[list[Any], list[Any], dict[str, Any]]:
    """Return the rows of the tables and the summary, without times and what the last of several commands did."""
    rows = [
        {name: value for name, value in row.items() if "cpu" not in name}
        for row in pq.read_table(out / "verdicts.parquet").to_pylist()
    ]
    summary = json.loads((out / "summary.json").read_text())
    return (
        rows,
        pq.read_table(out / "details.parquet").to_pylist(),
        {name: value for name, value in summary.items() if "second" not in name and name != "judged_in_this_run"},
    )


class Disturbance:
    """A progress callback. It calls each action once, as soon as enough solutions are finished.

    actions: pairs of a number of solutions and a function.
    """

    def __init__(self, *actions: tuple[int, Callable[[], object]]) -> None:
        self.pending = list(actions)

    def __call__(self, done: int, total: int) -> None:
        while self.pending and done >= self.pending[0][0]:
            self.pending.pop(0)[1]()


def kill_an_actor() -> None:
    actor_processes()[0].kill()


def test_a_cluster_writes_the_files_of_one_machine_though_an_actor_and_a_node_are_lost(
    cluster: Any, add_node: Any, tmp_path: Path
):
    lost = add_node()
    work = problems(30), [*solutions(30, sleep=0.02), Solution("t/3", 100, f"def f(x):\n    {ENDLESS}\n")]
    disturbance = Disturbance(
        (20, kill_an_actor), (60, lambda: cluster.remove_node(lost, allow_graceful=False)), (100, add_node)
    )
    messages: list[str] = []
    execute_into(*work, out=tmp_path / "ray", limits=LIMITS, scale=RAY, progress=disturbance, log=messages.append)
    assert not disturbance.pending
    assert [message for message in messages if "goes out again" in message]
    _, left = psutil.wait_procs(actor_processes(), timeout=60)
    assert not left
    execute_into(*work, out=tmp_path / "local", limits=LIMITS, jobs=2)
    assert verdicts(tmp_path / "ray") == verdicts(tmp_path / "local")
    files = {path.relative_to(tmp_path / "local") for path in (tmp_path / "local").rglob("*")}
    assert files == {path.relative_to(tmp_path / "ray") for path in (tmp_path / "ray").rglob("*")}


def test_a_killed_driver_leaves_its_verdicts_and_no_process(cluster: Any, tmp_path: Path):
    rows = [
        {"task_id": one.task_id, "prompt": "Add one.", "entry_point": "f", "tests": [test.source for test in one.tests]}
        for one in problems(40)
    ]
    (tmp_path / "problems.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    texts = [{"task_id": one.task_id, "solution": one.text} for one in solutions(40, sleep=0.03)]
    (tmp_path / "solutions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in texts))
    command = [sys.executable, "-m", "codepref", "execute", "--problems", str(tmp_path / "problems.jsonl")]
    command += ["--solutions", str(tmp_path / "solutions.jsonl"), "--cpu-seconds", "1"]
    on_ray = [*command, "--out", str(tmp_path / "ray"), "--executor", "ray", "--address", cluster.address]
    driver = subprocess.Popen(on_ray, stderr=subprocess.PIPE, text=True)
    while "/s, about" not in (shown := " ".join(status_lines_of(tmp_path / "ray"))):
        assert driver.poll() is None, driver.stderr and driver.stderr.read()
        time.sleep(0.05)
    assert re.search(r"[\d,]+ of 280 solutions, [\d.]+/s, about .* left.*node \w+ .*: \d+ finished", shown)
    driver.kill()
    driver.communicate()
    assert "the command has stopped, and continues" in " ".join(status_lines(tmp_path / "ray"))
    kept = (tmp_path / "ray" / "parts" / "verdicts.jsonl").read_bytes().count(b"\n")
    assert 0 < kept < 40
    _, left = psutil.wait_procs(actor_processes(), timeout=60)
    assert not left
    subprocess.run(on_ray, check=True, capture_output=True)
    subprocess.run([*command, "--out", str(tmp_path / "local")], check=True, capture_output=True)
    assert verdicts(tmp_path / "ray") == verdicts(tmp_path / "local")
    assert status_lines(tmp_path / "ray")[0].startswith(f"{tmp_path / 'ray'}: finished in ")


def status_lines_of(out: Path) -> list[str]:
    """Return what `codepref status` shows while the folder `out`/parts exists, else []."""
    return status_lines(out) if (out / "parts").exists() else []


def test_an_actor_ends_when_only_the_raylet_of_its_node_is_killed(cluster: Any, add_node: Any):
    node = add_node()
    with ClusterEngine(RAY, jobs=1) as engine:
        while node.node_id not in {host.node for host in engine.hosts.ready()}:
            engine.hosts.wait(1.0)
        raylet = psutil.Process(node.all_processes["raylet"][0].process.pid)
        actors = [process for process in actor_processes() if process.ppid() == raylet.pid]
        workers = [worker for actor in actors for worker in actor.children(recursive=True)]
        raylet.kill()
        _, left = psutil.wait_procs(actors + workers, timeout=60)
        while node.node_id in {one.id for one in nodes()}:  # later tests count the nodes
            engine.hosts.wait(0.2)
    assert actors
    assert workers
    assert not left


UNFIT = {
    "it has codepref 0.0.1, and the driver has": ("codepref", "__version__ = '0.0.1'\n"),
    "the package codepref is missing there (not here)": ("codepref", "raise ImportError('not here')\n"),
    "this kernel offers no Landlock": ("sandlock", "def landlock_abi_version():\n    return 0\n"),
}
"""For each reason why a node is left out: the name and the text of the package on the node that causes it."""


def test_nodes_that_cannot_do_the_work_are_left_out_and_named(cluster: Any, add_node: Any, tmp_path: Path):
    names = {}
    for at, (reason, (package, text)) in enumerate(UNFIT.items()):
        (tmp_path / str(at) / package).mkdir(parents=True)
        (tmp_path / str(at) / package / "__init__.py").write_text(text)
        names[reason] = add_node(env_vars={"PYTHONPATH": f"{tmp_path / str(at)}:{ROOT}"}).node_id[:8]
    messages: list[str] = []
    with ClusterEngine(RAY, log=messages.append) as engine:
        while len(messages) < len(UNFIT) or not engine.hosts.ready():
            engine.hosts.wait(1.0)
            engine.hosts.ready()
        (matrix,) = engine.run([Task(problems(1)[0], solutions(1)[:1], problems(1)[0].tests)], limits=LIMITS)
    assert matrix.verdicts[0].codes == "PP"
    for reason, name in names.items():
        assert [message for message in messages if f"node {name}" in message and f"is left out: {reason}" in message]
    lines = list(examine_nodes(""))
    for reason, name in names.items():
        assert [line for line in lines if f"node {name}" in line and f": left out: {reason}" in line]
    assert [line for line in lines if line.endswith(": 1 core, can run solutions")]
    assert "  untrusted programs are confined on this machine" in lines
    assert re.fullmatch(r"1 of \d+ nodes can run solutions", lines[-1])  # Ray may still list nodes of earlier tests


def test_without_a_node_that_is_fit_there_is_one_message(cluster: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("codepref.scale.actors.own_version", lambda: ("9.9", "x", "3.0"))
    with pytest.raises(MachineError, match=r"no node of the Ray cluster can do the work. node .*it runs Python"):
        execute(problems(1), solutions(1), limits=LIMITS, scale=RAY)
