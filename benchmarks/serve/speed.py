"""Compares the rate of requests over HTTP with the rate of the local engine, on the same solutions."""

from __future__ import annotations

import asyncio
import json
import random
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import codepref
from benchmarks.common.samples import SUITES, read_samples
from benchmarks.serve.http import Connection, ServerProcess, running_server
from codepref.execution.engine import Engine
from codepref.execution.limits import Limits
from codepref.execution.tasks import Task, task_digest
from codepref.execution.vacuous import screen
from codepref.records import Problem, Solution
from codepref.service.exact import exact_row

WAYS = {"single, 64 clients": (64, 1), "batches of 32, 8 clients": (8, 32)}
"""Name -> (clients, solutions in one request)."""


@dataclass(frozen=True)
class Load:
    """What every system runs.

    Attributes: `solutions` holds the solutions in the order in which they are sent to the server.
    """

    problems: dict[str, Problem]
    solutions: list[Solution]
    limits: Limits
    jobs: int


def read_load(data: Path, problems: int | None, samples: int | None, limits: Limits, jobs: int, shuffled: bool) -> Load:
    """Return the samples of CodeGen-16B that do not run out of time when the local engine runs all of them once."""
    known = {problem.task_id: problem for problem in codepref.load_problems(str(data / SUITES["humaneval"][0]))}
    rows = read_samples(data, problems, samples)
    solutions = [Solution(row["task_id"], at, row["solution"]) for at, row in enumerate(rows)]
    load = Load(known, solutions, limits, jobs)
    codes = run_locally(load)[1]
    kept = [one for one in solutions if "T" not in codes[one.task_id, one.text]]
    if shuffled:
        random.Random(0).shuffle(kept)
    return Load(known, kept, limits, jobs)


Codes = dict[tuple[str, str], str]


def run_locally(load: Load) -> tuple[float, Codes]:
    """Return the seconds that the local engine takes, and the codes of each solution.

    The time does not include the start of the workers. Nor does it include `screen`, which runs programs that do
    nothing, to find tests that prove nothing.
    """
    groups: dict[str, list[Solution]] = {}
    for solution in load.solutions:
        groups.setdefault(solution.task_id, []).append(solution)
    codes: Codes = {}
    with Engine(jobs=load.jobs) as engine:
        problems = [load.problems[task] for task in groups]
        digests = ((one, one.tests, task_digest(one, one.tests, load.limits)) for one in problems)
        screen(digests, engine, load.limits)
        some = groups[problems[0].task_id][:8]
        list(engine.run([Task(problems[0], some, problems[0].tests)] * 2, limits=load.limits))  # starts the workers
        begun = time.perf_counter()
        tasks = (Task(load.problems[task], group, load.problems[task].tests) for task, group in groups.items())
        for matrix in engine.run(tasks, limits=load.limits):
            for verdict in matrix.verdicts:
                codes[verdict.task_id, verdict.solution] = verdict.codes
        return time.perf_counter() - begun, codes


def bodies(load: Load, size: int) -> list[tuple[list[Solution], bytes]]:
    """Return the solutions and the body of each request.

    A request holds at most `size` solutions, all of one problem.
    """
    rows = {task: exact_row(problem) for task, problem in load.problems.items()}
    parts: list[list[Solution]] = []
    for solution in load.solutions:
        if not parts or len(parts[-1]) == size or parts[-1][0].task_id != solution.task_id:
            parts.append([])
        parts[-1].append(solution)
    limits = asdict(load.limits)
    return [
        (
            part,
            json.dumps(
                {
                    "problem": rows[part[0].task_id],
                    "solutions": [one.text for one in part],
                    "limits": limits,
                    "exact": True,
                }
            ).encode(),
        )
        for part in parts
    ]


async def run_remotely(server: ServerProcess, requests: Sequence[tuple[list[Solution], bytes]], clients: int) -> Any:
    """Send all requests from `clients` connections. Return seconds, codes, the seconds of each request, and errors."""
    waiting, codes, seconds, errors = iter(requests), {}, [], []

    async def client() -> None:
        connection = Connection(server.host, server.port)
        for part, body in waiting:
            begun = time.perf_counter()
            status, _, answer = await connection.post("/judge", body)
            seconds.append(time.perf_counter() - begun)
            if status != 200:
                errors.append((status, answer))
                continue
            for one, verdict in zip(part, answer["verdicts"], strict=True):
                codes[one.task_id, one.text] = verdict["codes"]
        connection.close()

    begun = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    return time.perf_counter() - begun, codes, seconds, errors


def measure_speed(load: Load, repeats: int) -> dict[str, Any]:
    """Run the local engine and the ways of WAYS in turn, `repeats` times each.

    Return the medians of rates, ratios and times, and the numbers of errors and of solutions with wrong codes.
    """
    count = len(load.solutions)
    local: list[float] = []
    rows: dict[str, dict[str, Any]] = {
        name: {"rates": [], "ratios": [], "p50": [], "p99": [], "errors": 0, "wrong_codes": 0} for name in WAYS
    }
    sent = {name: bodies(load, size) for name, (_, size) in WAYS.items()}
    with running_server("--jobs", str(load.jobs)) as server:
        warm = {part[0].task_id: (part, body) for part, body in sent["single, 64 clients"]}
        asyncio.run(run_remotely(server, list(warm.values()), 4))
        for _ in range(repeats):
            seconds, expected = run_locally(load)
            local.append(count / seconds)
            for name, (clients, _) in WAYS.items():
                taken, codes, times, errors = asyncio.run(run_remotely(server, sent[name], clients))
                row = rows[name]
                row["rates"].append(count / taken)
                row["ratios"].append(seconds / taken)
                row["p50"].append(statistics.median(times))
                row["p99"].append(sorted(times)[int(0.99 * (len(times) - 1))])
                row["errors"] += len(errors)
                row["wrong_codes"] += sum(codes.get(key) != code for key, code in expected.items())
                print(name, f"{count / taken:.0f}/s against {local[-1]:.0f}/s", flush=True)
    summary = {name: _medians(row) for name, row in rows.items()}
    return {"solutions": count, "local_per_second": _rounded(statistics.median(local)), "ways": summary}


def _medians(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "per_second": _rounded(statistics.median(row["rates"])),
        "share_of_local": _rounded(statistics.median(row["ratios"])),
        "shares": [_rounded(one) for one in row["ratios"]],
        "p50_ms": _rounded(1000 * statistics.median(row["p50"])),
        "p99_ms": _rounded(1000 * statistics.median(row["p99"])),
        "errors": row["errors"],
        "wrong_codes": row["wrong_codes"],
    }


def _rounded(value: float) -> float:
    return float(f"{value:.3g}")
