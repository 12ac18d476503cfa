"""Measures the CPU time in which the right solutions of a problem load and pass the tests with the largest inputs."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from codepref.errors import UserError
from codepref.execution.engine import Engine
from codepref.execution.largest import largest_tests
from codepref.execution.limits import Limits
from codepref.execution.tasks import Task, TaskRunner, task_digest
from codepref.problems.normalise import normal_form
from codepref.records import PASS, Problem, Solution, Test, VerdictMatrix
from codepref.storage.files import check_target, content_hash, make_folder, read_jsonl, write_jsonl

Speeds = Mapping[str, Mapping[int, Sequence[float]]]
"""The CPU milliseconds of each repeat, by task_id and solution_id."""

Progress = Callable[[int, int], None]

MAX_SOLUTIONS = 32
"""The largest number of solutions of one problem that are measured."""


def measure_speed(
    problems: Sequence[Problem],
    verdicts: Iterable[VerdictMatrix],
    *,
    out: Path | str,
    repeats: int = 5,
    inputs: int = 3,
    limits: Limits | None = None,
    unconfined: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Measure the CPU time of the right solutions in the sandbox, and write it to the file `out`.

    One worker runs the solutions, one after another. Each repeat runs all solutions of a problem. The solution that
    comes first changes between the repeats, although not after each one if there are fewer solutions than repeats. So a
    slow moment of the machine concerns one repeat, and not one solution.
    A solution is right if `verdicts` say that it is correct and that all its tests ran apart from its process. Right
    solutions with equal normal forms count as one. Problems with fewer than two right solutions are left out. At most
    MAX_SOLUTIONS of a problem are measured. A solution that does not pass all tests in each repeat is left out.

    verdicts: verdicts of the problems' own tests. repeats: the number of measurements of each solution. inputs: the
    largest number of tests to measure on; see `codepref.execution.largest.largest_tests`. limits: as in `execute`, but
    `timeout_factor` is ignored, so a test may take `cpu_seconds` in its only attempt. progress(done, total): called
    with the numbers of finished problems and of all problems to measure.

    Problems that an earlier call with the same `out` measured in the same way are not measured again, also if that call
    was killed. Returns the numbers of problems and of solutions in the file. Raises UserError for verdicts of an
    unknown task, for fewer than two repeats, for less than one input and for an `out` that cannot be a file. Raises
    what the engine raises.
    """
    if repeats < 2:
        raise UserError(f"repeats must be at least 2, not {repeats}, since one measurement does not show the noise")
    if inputs < 1:
        raise UserError(f"inputs must be at least 1, not {inputs}")
    target, known = Path(out), {problem.task_id: problem for problem in problems}
    check_target(target)
    limits = replace(limits or Limits(), timeout_factor=None)
    tasks = list(_tasks(known, verdicts, inputs))
    keys = [_key(task, repeats, limits, unconfined) for task in tasks]
    partial = target.with_name(f".{target.name}.partial")
    measured = _read(target) | _read(partial)
    make_folder(target.parent)
    with partial.open("a", encoding="utf-8") as log, Engine(jobs=1, unconfined=unconfined) as engine:
        _end_line(partial, log)
        for done, (task, key) in enumerate(zip(tasks, keys, strict=True), start=1):
            if key not in measured:
                measured[key] = {"task_id": task.problem.task_id, "key": key} | _measure(task, engine, limits, repeats)
                log.write(json.dumps(measured[key]) + "\n")
                log.flush()
            if progress is not None:
                progress(done, len(tasks))
    rows = [measured[key] for key in keys]
    write_jsonl(target, rows)
    partial.unlink()
    return {"problems": len(rows), "solutions": sum(len(row["solution_ids"]) for row in rows)}


def read_speeds(path: Path | str) -> dict[str, dict[int, tuple[float, ...]]]:
    """Return the CPU milliseconds of each repeat, by task_id and solution_id, from a file of `measure_speed`.

    Raises UserError if the file is missing or holds other rows.
    """
    speeds: dict[str, dict[int, tuple[float, ...]]] = {}
    for number, row in read_jsonl(Path(path)):
        try:
            times = zip(row["solution_ids"], row["cpu_ms"], strict=True)
            speeds[row["task_id"]] = {int(one): tuple(map(float, repeats)) for one, repeats in times}
        except (KeyError, TypeError, ValueError):
            raise UserError(f"{path}:{number}: this is no row of a file that `codepref speed` wrote") from None
    return speeds


def _tasks(known: Mapping[str, Problem], verdicts: Iterable[VerdictMatrix], inputs: int) -> Iterator[Task]:
    """Yield a task for each problem with at least two right solutions, with these solutions and the largest tests.

    Right solutions with equal normal forms count as one. A task has at most MAX_SOLUTIONS solutions.
    """
    for matrix in verdicts:
        if matrix.task_id not in known:
            raise UserError(
                f"the verdicts hold task {matrix.task_id!r}, which is not among the problems. Give the problems of "
                "these verdicts"
            )
        right: dict[str, Solution] = {}
        for verdict in matrix.verdicts:
            if verdict.correct and verdict.isolation == "separate":
                right.setdefault(
                    normal_form(verdict.solution), Solution(matrix.task_id, verdict.solution_id, verdict.solution)
                )
        solutions = list(right.values())[:MAX_SOLUTIONS]
        tests: Sequence[Test] = largest_tests(known[matrix.task_id], matrix.tests, inputs)
        if len(solutions) > 1 and tests:
            yield Task(known[matrix.task_id], solutions, tests)


def _key(task: Task, repeats: int, limits: Limits, unconfined: bool) -> str:
    texts = [task.problem.task_id, *((solution.solution_id, solution.text) for solution in task.solutions)]
    return content_hash(task_digest(task.problem, task.tests, limits).hex(), texts, repeats, unconfined)


def _measure(task: Task, engine: TaskRunner, limits: Limits, repeats: int) -> dict[str, Any]:
    """Return the ids of the tests and of the solutions that pass in each repeat, with their CPU milliseconds."""
    times: dict[int, list[float]] = {solution.solution_id: [] for solution in task.solutions}
    for repeat in range(repeats):
        at = repeat * len(task.solutions) // repeats
        turned = replace(task, solutions=[*task.solutions[at:], *task.solutions[:at]])
        (matrix,) = engine.run([turned], limits=limits)
        for verdict in matrix.verdicts:
            if set(verdict.codes) == {PASS}:
                times[verdict.solution_id].append(verdict.cpu_ms)
    complete = {number: values for number, values in times.items() if len(values) == repeats}
    return {
        "tests": [test.test_id for test in task.tests],
        "solution_ids": list(complete),
        "cpu_ms": list(complete.values()),
    }


def _read(path: Path) -> dict[str, Any]:
    """Return the rows of an earlier call by their keys, or no rows if the file is missing.

    Lines that are not JSON objects are left out, such as a line that a kill has cut short.
    """
    if not path.exists():
        return {}
    return {row["key"]: row for _, row in read_jsonl(path, bad_line=lambda message: None) if "key" in row}


def _end_line(path: Path, log: Any) -> None:
    """End the last line of the file if a kill has cut it short."""
    if path.stat().st_size:
        with path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                log.write("\n")
