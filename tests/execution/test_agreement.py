"""Tests on real samples that a sample passes exactly if it also passes when sample and test run in one process."""

from __future__ import annotations

import gzip
import json
import os
import resource
import signal
from collections import defaultdict
from pathlib import Path

import pytest

from codepref.execution.execute import execute
from codepref.execution.limits import Limits
from codepref.records import Problem, Solution, Test

DATA = Path(os.environ.get("CODEPREF_DATA", Path(__file__).parents[3] / "shared" / "data")) / "codegen16b"
pytestmark = [
    pytest.mark.xdist_group("execution"),
    pytest.mark.skipif(not DATA.is_dir(), reason=f"the published samples are not at {DATA}"),
]


def rows(name: str) -> list[dict]:
    with gzip.open(DATA / name, "rt") as stream:
        return [json.loads(line) for line in stream]


def in_process(program: str) -> bool:
    """Run a program in a forked child for at most a second of CPU time. Returns whether it ends without a failure."""
    pid = os.fork()
    if pid == 0:
        try:
            null = os.open(os.devnull, os.O_RDWR)
            for standard in range(3):
                os.dup2(null, standard)
            resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
            signal.setitimer(signal.ITIMER_PROF, 1.0)
            exec(program, {})
        except BaseException:  # noqa: BLE001 - every exception is a failure
            os._exit(1)
        os._exit(0)
    return os.waitpid(pid, 0)[1] == 0


def test_verdicts_agree_with_one_process():
    problems = {row["task_id"]: row for row in rows("problems.jsonl.gz")}
    samples = defaultdict(list)
    for row in rows("solutions.jsonl.gz"):
        if row["completion"] not in samples[row["task_id"]]:
            samples[row["task_id"]].append(row["completion"])
    chosen = {task: samples[task][::9] for task in list(problems)[::4]}
    records, solutions, expected = [], [], []
    for task, completions in chosen.items():
        row = problems[task]
        records.append(Problem(task, row["prompt"], row["entry_point"], (Test(task, "0", row["test"], "check"),)))
        for at, completion in enumerate(completions):
            program = row["prompt"] + completion
            solutions.append(Solution(task, at, program))
            expected.append(in_process(f"{program}\n{row['test']}\ncheck({row['entry_point']})"))
    matrices = execute(records, solutions, limits=Limits(cpu_seconds=1.0))
    verdicts = [verdict for matrix in matrices for verdict in matrix.verdicts]
    assert len(verdicts) > 150
    assert 0.1 < sum(expected) / len(expected) < 0.9
    assert [
        (v.task_id, v.solution_id) for v, right in zip(verdicts, expected, strict=False) if (v.codes == "P") != right
    ] == []
