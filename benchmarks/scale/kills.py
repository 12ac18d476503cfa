"""Kills a raylet, an actor or the driver at random moments, and compares the files with those of a run without Ray.

Two runs on one machine differ in measured values, so the comparison leaves them out: the column `cpu_ms` of
verdicts.parquet, and the keys of summary.json in MEASURED. The rest of both runs must be equal byte for byte, and both
runs must have the same files.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.common.process import module_environment
from benchmarks.common.samples import write_rows
from benchmarks.scale.cluster import (
    actor_processes,
    add_node,
    adopt_orphans,
    processes_left,
    raylet_of,
    standing_cluster,
)
from benchmarks.scale.kept import KeptRuns

NODES = 2
"""The number of nodes that do the work."""

VICTIMS = ("raylet", "actor", "driver")

MAX_SECONDS = 300.0
"""How many seconds one command may take."""

MEASURED = ("seconds", "cpu_seconds", "samples_per_second", "cells_per_second", "judged_in_this_run")
"""The keys of summary.json that hold times or rates, or what the last of several commands did."""

BODIES = (
    "return x + {at}",
    "return x + {at} - (x > 2)",
    "raise ValueError(x)",
    "return x + {at} if x < 3 else None",
    "import os\n    os.fork()",
    "exit()",
    "import time\n    time.sleep(0.05)\n    return x + {at}",
)
"""The bodies of the solutions. Some are right, some are wrong, and some are not allowed. None takes much CPU time."""


def measure_kills(kept: KeptRuns, count: int, seed: int) -> dict[str, Any]:
    """Run the same command `count` times with a kill. Return the counts, with what went wrong as `damage`."""
    adopt_orphans()
    with tempfile.TemporaryDirectory() as name, standing_cluster(NODES) as cluster:
        work = _Work(Path(name), cluster)
        for number in range(count):
            run = kept.run(f"kill {number}", lambda number=number: work.disturbed(random.Random(f"{seed}/{number}")))  # type: ignore[misc]
            shown = {key: run[key] for key in ("victim", "share", "damage")}
            print(number, shown, flush=True)
    left = processes_left(standing=())
    runs = [kept.runs[f"kill {number}"] for number in range(count)]
    damage = [f"kill {number}: {text}" for number, run in enumerate(runs) for text in run["damage"]]
    damage += [f"a process stayed after the cluster: {line}" for line in left]
    return kept.write(
        kills={victim: sum(run["victim"] == victim and run["hit"] for run in runs) for victim in VICTIMS},
        not_hit=sum(not run["hit"] for run in runs),
        continued=sum(run["commands"] > 1 for run in runs),
        kept_solutions=sum(run["kept_solutions"] for run in runs),
        left_out_of_the_comparison=["verdicts.parquet: cpu_ms", f"summary.json: {', '.join(MEASURED)}"],
        damage=damage,
        reached=not damage and all(run["hit"] for run in runs),
    )


class _Work:
    """The command whose files are compared, and the hashes of the files that it writes without Ray.

    Raises SystemExit if the command writes other files with Ray, without any kill.
    """

    def __init__(self, folder: Path, cluster: Any, problems: int = 24, copies: int = 4) -> None:
        self._folder, self._cluster = folder, cluster
        rows: dict[str, list[dict[str, Any]]] = {"problems": [], "solutions": []}
        for at in range(problems):
            task = f"t/{at}"
            tests = [f"assert f({x}) == {x + at}" for x in range(1, 5)]
            rows["problems"].append({"task_id": task, "prompt": "Add.", "entry_point": "f", "tests": tests})
            for copy in range(copies):
                for body in BODIES:
                    text = f"def f(x):\n    {body.format(at=at)}\n# {copy}\n"
                    rows["solutions"].append({"task_id": task, "solution": text})
        self._files = {kind: str(write_rows(folder / f"{kind}.jsonl", found)) for kind, found in rows.items()}
        self._expected = self._digests(self._run_whole(folder / "local", None))
        begun = time.monotonic()
        undisturbed = self._digests(self._run_whole(folder / "ray", cluster.address))
        self.seconds = time.monotonic() - begun
        if undisturbed != self._expected:
            raise SystemExit(f"without a kill, the files differ: {_differences(undisturbed, self._expected)}")

    def disturbed(self, chance: random.Random) -> dict[str, Any]:
        """Run the command with a kill, and run it again if the driver was killed. Return facts and what went wrong.

        If the command ends before the kill, it is run anew with an earlier kill. After five runs without a kill, `hit`
        in the result is False.
        """
        victim, share, choice = chance.choice(VICTIMS), chance.uniform(0.0, 1.0), chance.random()
        out = self._folder / "out"
        shutil.rmtree(out, ignore_errors=True)
        hit, tries, commands, kept_solutions = False, 0, 1, 0
        damage: list[str] = []
        while not hit and tries < 5:  # a command that is faster than the first one may end before its kill
            tries += 1
            shutil.rmtree(out, ignore_errors=True)
            process = self._start(out, self._cluster.address)
            begun = time.monotonic()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(share * self.seconds * (1 - 0.15 * (tries - 1)))
            hit = process.poll() is None and self._kill(victim, process, choice)
            status, errors = self._finish(process)
            at = time.monotonic() - begun
            if victim != "driver" and status:
                damage.append(f"the command ended with status {status}: {errors[-500:]}")
                break
        if victim == "driver" and hit:
            damage += [f"left by the killed driver: {line}" for line in processes_left()]
            kept_solutions = _kept(out)
            process, commands = self._start(out, self._cluster.address), 2
            status, errors = self._finish(process)
            damage += [f"the second command ended with status {status}: {errors[-500:]}"] if status else []
        damage += [f"left: {line}" for line in processes_left()]
        damage += _differences(self._digests(out), self._expected)
        self._mend_cluster()
        figures = {"victim": victim, "share": round(share, 3), "seconds": round(at, 1), "hit": hit, "tries": tries}
        return figures | {"commands": commands, "kept_solutions": kept_solutions, "damage": damage}

    def _kill(self, victim: str, driver: subprocess.Popen[bytes], choice: float) -> bool:
        """Kill the victim, and return whether there was one. An actor counts only if the driver had not ended yet."""
        with contextlib.suppress(psutil.NoSuchProcess):
            if victim == "driver":
                driver.kill()
                return True
            if victim == "raylet":
                nodes = sorted(self._cluster.worker_nodes, key=lambda node: str(node.node_id))
                raylet_of(nodes[int(choice * len(nodes))]).kill()
                return True
            end = time.monotonic() + self.seconds
            while driver.poll() is None and time.monotonic() < end:  # actors start some time after the driver
                if actors := actor_processes():
                    actors[int(choice * len(actors))].kill()
                    return driver.poll() is None
                time.sleep(0.01)
        return False

    def _mend_cluster(self) -> None:
        """Replace the nodes whose raylets have ended."""
        for node in list(self._cluster.worker_nodes):
            if node.all_processes["raylet"][0].process.poll() is not None:
                self._cluster.remove_node(node, allow_graceful=False)
        while len(self._cluster.worker_nodes) < NODES:
            add_node(self._cluster)

    def _start(self, out: Path, address: str | None) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "codepref", "execute", "--problems", self._files["problems"]]
        command += ["--solutions", self._files["solutions"], "--out", str(out), "--skip-gold"]
        command += ["--executor", "ray", "--address", address] if address else ["--jobs", "2"]
        environment = {**module_environment(), "CODEPREF_CACHE": "off"}
        return subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )

    def _finish(self, process: subprocess.Popen[bytes]) -> tuple[int, str]:
        try:
            _, errors = process.communicate(timeout=MAX_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            return -1, f"it took longer than {MAX_SECONDS:.0f} s"
        return process.returncode, errors.decode(errors="replace")

    def _run_whole(self, out: Path, address: str | None) -> Path:
        status, errors = self._finish(self._start(out, address))
        if status:
            raise SystemExit(f"the command without a kill ended with status {status}: {errors[-1000:]}")
        return out

    def _digests(self, out: Path) -> dict[str, str]:
        return {str(path.relative_to(out)): _digest(path) for path in sorted(out.rglob("*"))}


def _digest(path: Path) -> str:
    """Return a hash of a file without what a run measures, or "folder" for a folder."""
    if path.is_dir():
        return "folder"
    data = path.read_bytes()
    if path.name == "verdicts.parquet":
        table = pq.read_table(path)
        stream = pa.BufferOutputStream()
        pq.write_table(table.drop_columns(["cpu_ms"]), stream)
        data = stream.getvalue().to_pybytes()
    elif path.name == "summary.json":
        summary = json.loads(data)
        data = json.dumps({key: value for key, value in summary.items() if key not in MEASURED}).encode()
    return hashlib.sha256(data).hexdigest()[:16]


def _differences(found: dict[str, str], expected: dict[str, str]) -> list[str]:
    names = sorted(set(found) | set(expected))
    return [f"{name} differs" for name in names if found.get(name) != expected.get(name)]


def _kept(out: Path) -> int:
    """Return how many verdicts a killed run has kept in its folder."""
    from codepref.execution.parts import Parts

    if not (out / "parts").is_dir():
        return 0
    return sum(len(verdicts) for _, verdicts in Parts(out).read())
