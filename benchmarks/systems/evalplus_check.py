"""Runs EvalPlus's own check of one sample and reports how it ended.

As EvalPlus does, it calls `evalplus.eval.unsafe_execute` in a new process, with EvalPlus's limits of one input.
`unsafe_execute` runs the inputs and discards exceptions. A wrapper around the solution's function records the
exceptions that the function raises. The whole check may take MAX_SECONDS, which is not EvalPlus's limit.
"""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import time
from typing import Any

from benchmarks.systems import Job, read_samples

WRAPPER = """
def _recorded(_function, _fd):
    import os, time
    def recorded(*_arguments):
        _start = time.perf_counter()
        try:
            return _function(*_arguments)
        except BaseException as _error:
            _spent = time.perf_counter() - _start
            os.write(_fd, f"{type(_error).__name__} after {_spent:.2f} s\\n".encode())
            raise
    return recorded
%s = _recorded(%s, %d)
"""
MAX_SECONDS = 120.0
"""Wall-clock seconds after which a check is killed."""


def run(job: Job) -> dict[str, Any]:
    """Check each sample on the base inputs and on the plus inputs.

    `checks` of the answer has the results of `check` by sample and part.

    Further key of the job: dataset, EvalPlus's name of the data set, "humaneval" or "mbpp".
    """
    from evalplus import evaluate
    from evalplus.data import get_human_eval_plus, get_mbpp_plus
    from evalplus.eval._special_oracle import MBPP_OUTPUT_NOT_NONE_TASKS

    mbpp = job["dataset"] == "mbpp"
    problems = get_mbpp_plus() if mbpp else get_human_eval_plus()
    not_none = MBPP_OUTPUT_NOT_NONE_TASKS if mbpp else []
    checks = []
    for row in read_samples(job["samples"]):
        task = row["task_id"]
        expected = evaluate.get_groundtruth({task: problems[task]}, f"check-{task.replace('/', '-')}", not_none)[task]
        parts = ("base", "plus")
        checks.append({part: check(job["dataset"], row["solution"], problems[task], expected, part) for part in parts})
    return {"seconds": 0.0, "checks": checks}


def check(dataset: str, solution: str, problem: dict[str, Any], expected: dict[str, Any], part: str) -> dict[str, Any]:
    """Run EvalPlus's check of one sample. expected: EvalPlus's expected outputs and times. part: "base" or "plus".

    The result has:
    ended: whether the check ran to its end without an exception.
    inputs: the number of inputs. counted: the number of inputs that EvalPlus counted as run.
    raised: the type of the last exception that the solution's function raised, and the seconds of its call. "" for
    none.
    limit: the wall-clock seconds that the last counted input may take, or those of the first input if none is counted.
    0.0 without inputs.
    spent: the seconds of the whole check.
    """
    from evalplus.config import DEFAULT_GT_TIME_LIMIT_FACTOR, DEFAULT_MIN_TIME_LIMIT
    from evalplus.eval import _SUCCESS, unsafe_execute

    inputs = problem[f"{part}_input"]
    limits = [max(DEFAULT_MIN_TIME_LIMIT, DEFAULT_GT_TIME_LIMIT_FACTOR * t) for t in expected[f"{part}_time"]]
    stat, progress = multiprocessing.Value("i", -1), multiprocessing.Value("i", 0)
    details = multiprocessing.Array("b", [False] * max(1, len(inputs)))
    name = problem["entry_point"]
    with tempfile.TemporaryFile() as record:
        os.set_inheritable(record.fileno(), True)
        code = solution + WRAPPER % (name, name, record.fileno())
        rest = (inputs, expected[part], limits, problem["atol"], True, stat, details, progress)
        start = time.perf_counter()
        child = multiprocessing.Process(target=unsafe_execute, args=(dataset, name, code, *rest))
        child.start()
        child.join(MAX_SECONDS)
        if child.is_alive():
            child.kill()
            child.join()
        spent = time.perf_counter() - start
        record.seek(0)
        raised = record.read().decode().splitlines()
    last = max(0, min(progress.value, len(inputs)) - 1)
    counts = {"ended": stat.value == _SUCCESS, "counted": progress.value, "inputs": len(inputs)}
    limit = round(limits[last], 2) if limits else 0.0
    return {**counts, "spent": round(spent, 2), "raised": raised[-1] if raised else "", "limit": limit}
