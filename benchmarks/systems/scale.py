"""Runs `execute` on this machine or on Ray as one of the systems (see `benchmarks.systems`)."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any

from benchmarks.systems import Job, read_samples


class StartTimes:
    """Measures how long the first workers of the local engine, or the first actor, take to start."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __enter__(self) -> StartTimes:
        from codepref.execution.engine import Engine
        from codepref.scale.actors import RayHosts

        start_workers, create, ready = Engine._start_workers, RayHosts.__init__, RayHosts.ready
        begun: list[float] = []

        def timed_start(engine: Any, count: int) -> Any:
            start = time.perf_counter()
            workers = start_workers(engine, count)
            self.seconds = self.seconds or time.perf_counter() - start
            return workers

        def timed_create(hosts: Any, *arguments: Any, **options: Any) -> None:
            begun.append(time.perf_counter())
            create(hosts, *arguments, **options)

        def timed_ready(hosts: Any) -> Any:
            found = ready(hosts)
            if found and not self.seconds:
                self.seconds = time.perf_counter() - begun[-1]
            return found

        changes = [(Engine, "_start_workers", timed_start), (RayHosts, "__init__", timed_create)]
        changes.append((RayHosts, "ready", timed_ready))
        self._before = [(owner, name, getattr(owner, name)) for owner, name, _ in changes]
        for owner, name, function in changes:
            setattr(owner, name, function)
        return self

    def __exit__(self, *error: object) -> None:
        for owner, name, function in self._before:
            setattr(owner, name, function)


def run_samples(job: Job) -> dict[str, Any]:
    """Run `execute_into` on a file of samples. Further keys of the job:

    executor: "local" or "ray"; "ray" starts Ray with one node. workers: the number of workers.

    The answer has `solutions` (their number), `ray_seconds` (starting and ending Ray), `start_seconds` (starting the
    first workers, or the first actor), `work_seconds` (the rest of the execution) and `codes`, the codes of each sample
    in the order of the file.
    """
    from codepref.config.scale import ScaleSection
    from codepref.execution.engine import usable_cpus
    from codepref.execution.execute import execute_into
    from codepref.execution.reading import iter_verdicts
    from codepref.problems.load import load_problems
    from codepref.records import Solution
    from codepref.scale.cluster import connected

    os.environ["CODEPREF_CACHE"] = "off"
    problems = load_problems(job["problems"])
    rows = read_samples(job["samples"])
    solutions = [Solution(row["task_id"], at, row["solution"]) for at, row in enumerate(rows)]
    out, scale = Path(job["folder"]) / "out", None
    with contextlib.ExitStack() as stack, StartTimes() as start:
        begun = time.perf_counter()
        if job["executor"] == "ray":
            scale = ScaleSection("ray")
            stack.enter_context(connected("", cpus=usable_cpus()))
        ray_seconds, begun = time.perf_counter() - begun, time.perf_counter()
        summary = execute_into(problems, solutions, out=out, jobs=job["workers"], scale=scale)
        spent, ending = time.perf_counter() - begun, time.perf_counter()
        stack.close()
        ray_seconds += time.perf_counter() - ending
    codes = {(v.task_id, v.solution_id): v.codes for matrix in iter_verdicts(out) for v in matrix.verdicts}
    return {
        "solutions": summary["samples"],
        "ray_seconds": ray_seconds if scale else 0.0,
        "start_seconds": start.seconds,
        "work_seconds": spent - start.seconds,
        "codes": [codes[one.task_id, one.solution_id] for one in solutions],
    }


def run_many(job: Job) -> dict[str, Any]:
    """Run many tiny solutions, each of which is made only when `execute_into` reads it. Keys of the job:

    count: the number of solutions. per_problem: how many of them belong to one problem. tests: the number of tests of
    each problem. executor, workers: as in `run_samples`. address: the address of the cluster, or "". out: the folder of
    the files.

    The answer has the seconds of the whole execution, the CPU seconds of this process without its workers, the largest
    size in bytes of the folder `parts`, the sizes of the finished files, the counts of solutions, verdicts and codes,
    and a hash of all verdicts in their order. The folder `parts` holds the data of an unfinished run. It is measured at
    most every 5 s.
    """
    from benchmarks.scale.synthetic import problems, solutions
    from codepref.config.scale import ScaleSection
    from codepref.execution.execute import execute_into
    from codepref.execution.reading import iter_verdicts

    os.environ["CODEPREF_CACHE"] = "off"
    out = Path(job["out"])
    known = problems(-(-job["count"] // job["per_problem"]), job["tests"])
    scale = ScaleSection("ray", job["address"]) if job["executor"] == "ray" else None
    parts, asked = 0, 0.0

    def watch(done: int, total: int) -> None:
        nonlocal parts, asked
        if time.monotonic() - asked > 5:
            asked = time.monotonic()
            folder = (path.stat().st_size for path in (out / "parts").glob("*"))
            parts = max(parts, sum(folder))

    begun, cpu = time.perf_counter(), time.process_time()
    rows = solutions(job["count"], job["per_problem"])
    summary = execute_into(known, rows, out=out, jobs=job["workers"], scale=scale, progress=watch)
    cpu, seconds, digest = time.process_time() - cpu, time.perf_counter() - begun, hashlib.sha256()
    for matrix in iter_verdicts(out):
        for verdict in matrix.verdicts:
            digest.update(f"{verdict.task_id} {verdict.solution_id} {verdict.codes}\n".encode())
    return {
        "seconds": seconds,
        "driver_cpu_seconds": round(cpu, 2),
        "solutions": summary["samples"],
        "verdicts": summary["cells"],
        "codes": json.loads(json.dumps(summary["verdicts"])),
        "digest": digest.hexdigest()[:16],
        "largest_parts_bytes": parts,
        "file_bytes": {path.name: path.stat().st_size for path in sorted(out.iterdir()) if path.is_file()},
    }
