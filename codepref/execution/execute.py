"""Solutions x tests -> verdicts: the stage, with its artifacts, resumable."""

from __future__ import annotations

import platform
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from codepref.errors import UserError
from codepref.execution.artifacts import (
    SUMMARY,
    Parts,
    finished_summary,
    task_key,
    write_artifacts,
)
from codepref.execution.engine import Engine
from codepref.execution.limits import Limits
from codepref.execution.reading import iter_verdicts, read_verdicts
from codepref.execution.tasks import Task
from codepref.records import VERDICT_LETTERS, Problem, Solution, Test, VerdictMatrix
from codepref.runs.files import content_hash, make_folder

__all__ = ["execute", "iter_verdicts", "read_verdicts"]

Progress = Callable[[int, int], None]
Tests = Mapping[str, Sequence[Test]] | Sequence[Test]


def execute(
    problems: Sequence[Problem],
    solutions: Iterable[Solution],
    tests: Tests | None = None,
    *,
    out: Path | str | None = None,
    limits: Limits | None = None,
    jobs: int | None = None,
    unconfined: bool = False,
    progress: Progress | None = None,
) -> list[VerdictMatrix]:
    """Run every solution of a problem against every test of it, in a sandbox; one matrix a problem with solutions.

    tests: by task id, or a flat list; None means each problem's own. out: a folder for verdicts.parquet,
    tests.parquet, details.parquet and summary.json; a run that was killed goes on there, a finished one is read back.
    jobs: worker processes, None means one a core. progress(done, total) counts solutions.

    Worked example:
        problem = Problem("t", "Add one.", "f", tests=(Test("t", "0", "assert f(1) == 2"),))
        execute([problem], [Solution("t", 0, "def f(x): return x + 1")])[0].verdicts[0].letters == "P"

    Raises UserError (a solution or test of an unknown task, one solution id twice, a malformed inputs test),
    MachineError (no Landlock, full disk).
    """
    limits = limits or Limits()
    tasks, idle = make_tasks(problems, solutions, tests)
    if out is None:
        return list(_judged(tasks, limits, jobs, unconfined, _Counter(progress, tasks)))
    folder = Path(out)
    keys = [task_key(task, limits, unconfined) for task in tasks]
    whole = content_hash(keys)
    if finished_summary(folder, whole) is not None:
        return read_verdicts(folder)
    make_folder(folder)
    (folder / SUMMARY).unlink(missing_ok=True)  # the marker of another input's run must not vouch for this one
    parts, counter, start = Parts(folder), _Counter(progress, tasks), time.monotonic()
    kept = {key: matrix for key, task in zip(keys, tasks, strict=True) if (matrix := parts.read(task, key))}
    counter.add(sum(len(matrix.verdicts) for matrix in kept.values()))
    owed = [(key, task) for key, task in zip(keys, tasks, strict=True) if key not in kept]
    made = dict(kept)
    judged = _judged([task for _, task in owed], limits, jobs, unconfined, counter)
    for (key, _), matrix in zip(owed, judged, strict=True):
        parts.write(key, matrix)
        made[key] = matrix
    matrices = [made[key] for key in keys]
    seconds = time.monotonic() - start
    summary = summarise(matrices, limits, seconds, fresh=[made[key] for key, _ in owed])
    summary |= {"problems_without_solutions": idle, "unconfined": unconfined, "key": whole}
    write_artifacts(folder, matrices, summary)
    parts.remove()
    return matrices


def make_tasks(
    problems: Sequence[Problem], solutions: Iterable[Solution], tests: Tests | None
) -> tuple[list[Task], int]:
    """Group solutions and tests by problem; and count the problems without solutions. Raises UserError."""
    known = {problem.task_id: problem for problem in problems}
    by_task: dict[str, list[Solution]] = {}
    for solution in solutions:
        by_task.setdefault(solution.task_id, []).append(solution)
    tests_of = {task: list(problem.tests) for task, problem in known.items()} if tests is None else _by_task(tests)
    wrong = [f"solutions for an unknown task: {task!r}" for task in by_task if task not in known]
    wrong += [f"tests for an unknown task: {task!r}" for task in tests_of if task not in known]
    if len(known) != len(problems):
        twice = [task for task, count in Counter(problem.task_id for problem in problems).items() if count > 1]
        wrong.append(f"the same task twice among the problems: {', '.join(map(repr, twice[:5]))}")
    for task, mine in by_task.items():
        if len({solution.solution_id for solution in mine}) != len(mine):
            wrong.append(f"{task}: a solution_id stands twice; number the solutions of a task from 0")
    if wrong:
        more = [f"... and {len(wrong) - 5} more"] if len(wrong) > 5 else []
        raise UserError(*wrong[:5], *more, "Give problems and solutions of the same data set.")
    tasks = [
        Task(problem, by_task[problem.task_id], tests_of.get(problem.task_id, []))
        for problem in problems
        if problem.task_id in by_task
    ]
    return tasks, len(problems) - len(tasks)


def _by_task(tests: Tests) -> dict[str, list[Test]]:
    if isinstance(tests, Mapping):
        return {task: list(mine) for task, mine in tests.items()}
    grouped: dict[str, list[Test]] = {}
    for test in tests:
        grouped.setdefault(test.task_id, []).append(test)
    return grouped


class _Counter:
    """Turns "so many more are done" into (done, total)."""

    def __init__(self, progress: Progress | None, tasks: Sequence[Task]) -> None:
        self._progress, self._done = progress, 0
        self._total = sum(len(task.solutions) for task in tasks)

    def add(self, count: int) -> None:
        self._done += count
        if self._progress is not None and count:
            self._progress(self._done, self._total)


def _judged(
    tasks: Sequence[Task], limits: Limits, jobs: int | None, unconfined: bool, counter: _Counter
) -> Iterator[VerdictMatrix]:
    if tasks:
        with Engine(jobs=jobs, unconfined=unconfined, progress=counter.add) as engine:
            yield from engine.run(tasks, limits=limits)


def summarise(
    matrices: Sequence[VerdictMatrix], limits: Limits, seconds: float, fresh: Sequence[VerdictMatrix]
) -> dict[str, Any]:
    """Counts, rates and versions as summary.json holds them. `fresh`: what this run judged itself, in `seconds`."""
    from codepref import __version__

    verdicts = [verdict for matrix in matrices for verdict in matrix.verdicts]
    letters = Counter(letter for verdict in verdicts for letter in verdict.letters)
    samples = sum(len(matrix.verdicts) for matrix in fresh)
    cells = sum(len(verdict.letters) for matrix in fresh for verdict in matrix.verdicts)
    return {
        "problems": len(matrices),
        "samples": len(verdicts),
        "distinct_samples": sum(len({verdict.solution for verdict in matrix.verdicts}) for matrix in matrices),
        "tests": sum(len(matrix.tests) for matrix in matrices),
        "cells": sum(letters.values()),
        "verdicts": {letter: letters[letter] for letter in VERDICT_LETTERS if letters[letter]},
        "samples_passing_all": sum(bool(verdict.letters) and set(verdict.letters) == {"P"} for verdict in verdicts),
        "shared_samples": sum(verdict.isolation == "shared" for verdict in verdicts),
        "cpu_seconds": round(sum(verdict.cpu_ms for verdict in verdicts) / 1000, 3),
        "seconds": round(seconds, 3),
        "judged_in_this_run": {"samples": samples, "cells": cells},
        "samples_per_second": round(samples / seconds, 1) if seconds else 0.0,
        "cells_per_second": round(cells / seconds, 1) if seconds else 0.0,
        "limits": limits.resolved(),
        "versions": {"codepref": __version__, "python": platform.python_version()},
    }
