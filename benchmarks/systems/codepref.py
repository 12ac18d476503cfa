"""Runs codepref as one of the systems (see `benchmarks.systems`)."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from benchmarks.systems import Job, Verdict, read_samples


def run_samples(job: Job) -> dict[str, Any]:
    """Run `execute` on a file of samples. `seconds` becomes `Limits.cpu_seconds`. Further keys of the job:

    codepref_cache: the folder of expected outputs, or "off" (the default). alone: whether to run one sample at a time.
    timeout_factor: see `codepref.execution.limits.Limits`.
    """
    from codepref.execution.execute import execute
    from codepref.execution.limits import Limits
    from codepref.problems.load import load_problems
    from codepref.records import Solution

    os.environ["CODEPREF_CACHE"] = job.get("codepref_cache", "off")
    start = time.perf_counter()
    problems = load_problems(job["problems"])
    counts: dict[str, int] = {}
    solutions = []
    for row in read_samples(job["samples"]):
        index = counts[row["task_id"]] = counts.get(row["task_id"], -1) + 1
        solutions.append(Solution(row["task_id"], index, row["solution"]))
    limits = Limits(cpu_seconds=job["seconds"], timeout_factor=job.get("timeout_factor", Limits().timeout_factor))
    if job.get("alone"):
        by_id = {problem.task_id: problem for problem in problems}
        matrices = [execute([by_id[s.task_id]], [s], limits=limits, jobs=1)[0] for s in solutions]
    else:
        matrices = execute(problems, solutions, limits=limits, jobs=job["workers"], out=Path(job["folder"]) / "out")
    spent = time.perf_counter() - start
    by_solution = {(v.task_id, v.solution_id): v for matrix in matrices for v in matrix.verdicts}
    verdicts = [by_solution[solution.task_id, solution.solution_id] for solution in solutions]
    return {"seconds": spent, "verdicts": [as_verdict(verdict) for verdict in verdicts]}


def as_verdict(verdict: Any) -> Verdict:
    """Return a verdict of codepref in the form that `benchmarks.systems` defines."""
    codes = verdict.codes
    facts = {"cpu_ms": verdict.cpu_ms, "isolation": verdict.isolation, "detail": verdict.detail}
    return {"passed": set(codes) == {"P"}, "timed_out": "T" in codes, "status": codes, **facts}


def run_matrix(job: Job) -> dict[str, Any]:
    """Run `execute` on each solution in a file with each self-written test of its task.

    The answer has `codes` and `details` by task and solution. Further keys of the job:

    data: the folder of the CodeT files. per_completion: the largest number of tests from one completion.
    max_tests: the largest number of tests for one problem (default: all).
    """
    from codepref.execution.execute import execute
    from codepref.execution.limits import Limits
    from codepref.problems.load import load_problems
    from codepref.records import Solution
    from codepref.sampling.answers import load_tests

    begin = time.perf_counter()
    data = Path(job["data"])
    problems = load_problems(data / "problems.jsonl.gz")
    solutions: dict[str, list[Any]] = {}
    for row in read_samples(job["samples"]):
        same_task = solutions.setdefault(row["task_id"], [])
        same_task.append(Solution(row["task_id"], len(same_task), row["solution"]))
    extracted = load_tests(data / "tests.jsonl.gz", problems, per_completion=job["per_completion"]).tests
    tests = {task: rows[: job.get("max_tests")] for task, rows in extracted.items() if task in solutions}
    flat = [solution for rows in solutions.values() for solution in rows]
    start, out = time.perf_counter(), Path(job["folder"]) / "out"
    matrices = execute(problems, flat, tests, out=out, limits=Limits(job["seconds"]), jobs=job["workers"])
    answer: dict[str, Any] = {"seconds": time.perf_counter() - start, "reading_seconds": start - begin}
    answer["judging_seconds"] = json.loads((out / "summary.json").read_text())["seconds"]
    answer["codes"] = [[verdict.codes for verdict in matrix.verdicts] for matrix in matrices]
    answer["details"] = [[verdict.detail for verdict in matrix.verdicts] for matrix in matrices]
    return answer


def run_evaluate(job: Job) -> dict[str, Any]:
    """Run `codepref.evaluate` with `solutions`, `evalplus` and default limits. Further key of the job:

    results: the path to which the results file for EvalPlus is written.
    """
    from codepref import evaluate
    from codepref.evaluation.scores import summarise
    from codepref.execution.reading import read_verdicts

    os.environ["CODEPREF_CACHE"] = "off"
    out, start = Path(job["folder"]) / "out", time.perf_counter()
    more = {"k": (1, 10, 100), "jobs": job["workers"], "out": out, "evalplus": job["results"]}
    scores = evaluate(job["problems"], solutions=job["samples"], **more)
    spent = time.perf_counter() - start
    by_task = {task.task_id: iter(task.verdicts) for task in read_verdicts(out / "verdicts")}
    verdicts = [as_verdict(next(by_task[row["task_id"]])) for row in read_samples(job["samples"])]
    written = json.loads(Path(job["results"]).read_text(encoding="utf-8"))["pass_at_k"]
    figures = {"base": written["base"], "plus": {figure.name: figure.value for figure in summarise(scores)}}
    return {"seconds": spent, "verdicts": verdicts, "figures": figures, "left_out": scores.left_out()}
