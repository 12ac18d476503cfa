"""Runs EvalPlus as one of the systems (see `benchmarks.systems`)."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

from benchmarks.systems import Job, read_samples


def run_samples(job: Job) -> dict[str, Any]:
    """Run `evalplus.evaluate` on a file of samples. Further key of the job: dataset, EvalPlus's name of the data set.

    EvalPlus limits each input. A whole test may take a little more than the sum of these limits, or than 60 s if the
    sum is larger. An input may take `seconds` of wall-clock time, or five times as long as the canonical solution took,
    whichever is more. codepref gives a whole test at least five times the CPU time of its reference. If `seconds` is
    None, EvalPlus's own limits hold.

    `phases` of the answer has the seconds for expected outputs. `printed` has the lines with which EvalPlus reports
    pass@k.
    """
    from evalplus import evaluate

    get_expected, phases, printed = evaluate.get_groundtruth, {}, list[str]()

    def timed(*arguments: Any) -> Any:
        start = time.perf_counter()
        expected = get_expected(*arguments)
        phases["expected"] = time.perf_counter() - start
        return expected

    evaluate.get_groundtruth = timed
    evaluate.cprint = lambda text, *_: printed.append(text)
    results = Path(job["samples"].replace(".jsonl", "_eval_results.json"))
    results.unlink(missing_ok=True)  # EvalPlus would read an old results file and judge nothing
    start = time.perf_counter()
    own_limits = job["seconds"] is None
    limits = {} if own_limits else {"min_time_limit": job["seconds"], "gt_time_limit_factor": 5.0}
    evaluate.evaluate(job.get("dataset", "humaneval"), job["samples"], parallel=job["workers"], **limits)
    spent = time.perf_counter() - start
    by_task = {task: iter(rows) for task, rows in json.loads(results.read_text())["eval"].items()}
    verdicts = []
    for row in read_samples(job["samples"]):
        result = next(by_task[row["task_id"]])
        statuses = (result["base_status"], result["plus_status"])
        failed = {part: str(result[f"{part}_fail_tests"])[:200] for part in ("base", "plus")}
        facts = {"timed_out": "timeout" in statuses, "status": "/".join(statuses), "detail": str(failed)}
        verdicts.append({"passed": statuses == ("pass", "pass"), **facts})
    return {"seconds": spent, "phases": phases, "verdicts": verdicts, "printed": printed}


def read_results(job: Job) -> dict[str, Any]:
    """Return the lines with which EvalPlus reports the pass@k of another program's results file.

    Further keys of the job: dataset, EvalPlus's name of the data set. results, the path of the file.
    """
    from evalplus import evaluate

    printed: list[str] = []
    evaluate.cprint = lambda text, *_: printed.append(text)
    evaluate.evaluate(job["dataset"], job["results"].replace("_eval_results.json", ".jsonl"))
    return {"printed": printed}


def compute_expected(job: Job) -> dict[str, Any]:
    """Empty EvalPlus's cache, and measure how long EvalPlus takes for the expected outputs of HumanEval+.

    The `seconds` of the answer include the reading of the problems.
    """
    from appdirs import user_cache_dir
    from evalplus import evaluate

    shutil.rmtree(user_cache_dir("evalplus"), ignore_errors=True)
    start = time.perf_counter()
    problems = evaluate.get_human_eval_plus()
    evaluate.get_groundtruth(problems, evaluate.get_human_eval_plus_hash(), [])
    return {"seconds": time.perf_counter() - start, "verdicts": []}
