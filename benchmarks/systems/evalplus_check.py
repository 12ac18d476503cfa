"""What happens inside EvalPlus's own check of one sample: the input it came to, what was raised, after how long.

`evalplus.eval.unsafe_execute`, which runs the inputs and swallows what is raised, is called as EvalPlus calls it, in a
process of its own and with its own limits; only the solution's function is wrapped, so that it tells what it raises.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import tempfile
import time
from pathlib import Path
from typing import Any

WRAPPER = """
def _watched(_function, _fd):
    import os, time
    def watched(*_arguments):
        _start = time.perf_counter()
        try:
            return _function(*_arguments)
        except BaseException as _error:
            _spent = time.perf_counter() - _start
            os.write(_fd, f"{type(_error).__name__} after {_spent:.2f} s\\n".encode())
            raise
    return watched
%s = _watched(%s, %d)
"""
SECONDS = 120.0


def run(job: dict[str, Any]) -> dict[str, Any]:
    """For each row of `samples`, and each of base and plus: what `told` returns."""
    from evalplus import evaluate
    from evalplus.data import get_human_eval_plus, get_mbpp_plus
    from evalplus.eval._special_oracle import MBPP_OUTPUT_NOT_NONE_TASKS

    mbpp = job["dataset"] == "mbpp"
    problems = get_mbpp_plus() if mbpp else get_human_eval_plus()
    none = MBPP_OUTPUT_NOT_NONE_TASKS if mbpp else []
    found = []
    for line in Path(job["samples"]).read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        problem = problems[row["task_id"]]
        truth = evaluate.get_groundtruth({row["task_id"]: problem}, f"why-{row['task_id'].replace('/', '-')}", none)
        expected = truth[row["task_id"]]
        found.append(
            {part: told(job["dataset"], row["solution"], problem, expected, part) for part in ("base", "plus")}
        )
    return {"seconds": 0.0, "why": found}


def told(dataset: str, solution: str, problem: dict[str, Any], expected: dict[str, Any], part: str) -> dict[str, Any]:
    """`ended`: whether the check came to its end without an exception. counted, inputs: how many inputs it counted as
    run, of how many. raised: the type of the last exception in the solution and its seconds. limit: seconds by the wall
    clock that the input at which it stopped may take. spent: seconds of the whole.
    """
    from evalplus.config import DEFAULT_GT_TIME_LIMIT_FACTOR, DEFAULT_MIN_TIME_LIMIT
    from evalplus.eval import _SUCCESS, unsafe_execute

    inputs = problem[f"{part}_input"]
    limits = [max(DEFAULT_MIN_TIME_LIMIT, DEFAULT_GT_TIME_LIMIT_FACTOR * t) for t in expected[f"{part}_time"]]
    stat, progress = multiprocessing.Value("i", -1), multiprocessing.Value("i", 0)
    details = multiprocessing.Array("b", [False] * max(1, len(inputs)))
    name = problem["entry_point"]
    with tempfile.TemporaryFile() as notes:
        os.set_inheritable(notes.fileno(), True)
        code = solution + WRAPPER % (name, name, notes.fileno())
        rest = (inputs, expected[part], limits, problem["atol"], True, stat, details, progress)
        start = time.perf_counter()
        child = multiprocessing.Process(target=unsafe_execute, args=(dataset, name, code, *rest))
        child.start()
        child.join(SECONDS)
        if child.is_alive():
            child.kill()
            child.join()
        spent = time.perf_counter() - start
        notes.seek(0)
        raised = notes.read().decode().splitlines()
    at = max(0, min(progress.value, len(inputs)) - 1)
    answer = {
        "ended": stat.value == _SUCCESS,
        "counted": progress.value,
        "inputs": len(inputs),
        "spent": round(spent, 2),
    }
    return {**answer, "raised": raised[-1] if raised else "", "limit": round(limits[at], 2) if limits else 0.0}
