"""Tests that solutions are read as a stream: the order of the tables, continuing after a kill, and memory."""

from __future__ import annotations

import contextlib
import json
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import repeat
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet as pq
import pytest

from codepref import api
from codepref.cli.main import main
from codepref.errors import MachineError, UserError
from codepref.execution import spool
from codepref.execution.execute import execute, execute_into, read_verdicts
from codepref.execution.limits import Limits
from codepref.execution.parts import Parts
from codepref.records import Problem, Solution, Test
from codepref.sampling import answers

pytestmark = pytest.mark.xdist_group("execution")

LIMITS = Limits(cpu_seconds=2)
TASKS = ["t/0", "t/1", "t/2"]
PROBLEMS = [Problem(task, "Add one.", "f", (Test(task, "0", "assert f(1) == 2"),)) for task in TASKS]
WRITTEN = ["t/2", "t/0", "t/0", "t/2", "t/1", "t/0"]


def program(step: int, note: object = "") -> str:
    return f"def f(x):\n    return x + {step}  # {note}\n"


def table(out: Path) -> list[tuple[Any, ...]]:
    rows = pq.read_table(out / "verdicts.parquet").to_pylist()
    return [(row["task_id"], row["solution_id"], row["solution"], row["verdicts"]) for row in rows]


def details(out: Path) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in pq.read_table(out / "details.parquet").to_pylist()]


def written(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_lines_of_a_task_that_are_apart_come_together_in_their_order(tmp_path):
    rows = [{"task_id": task, "solution": program(at % 2 + 1, at // 2)} for at, task in enumerate(WRITTEN)]
    api.execute_into(PROBLEMS, rows, out=tmp_path / "apart", limits=LIMITS, jobs=1)
    assert table(tmp_path / "apart") == [
        ("t/0", 0, program(2, 0), "F"),
        ("t/0", 1, program(1, 1), "P"),
        ("t/0", 2, program(2, 2), "F"),
        ("t/1", 0, program(1, 2), "P"),
        ("t/2", 0, program(1, 0), "P"),
        ("t/2", 1, program(2, 1), "F"),
    ]
    together = sorted(rows, key=lambda row: row["task_id"])
    api.execute_into(PROBLEMS, iter(together), out=tmp_path / "together", limits=LIMITS, jobs=1)
    for read in (table, details):
        assert read(tmp_path / "together") == read(tmp_path / "apart")


def test_own_solution_ids_are_kept_in_the_order_of_the_lines(tmp_path):
    solutions = [Solution("t/0", number, program(1)) for number in (7, 3, 12)]
    execute_into(PROBLEMS, solutions, out=tmp_path, limits=LIMITS, jobs=1)
    assert [number for _, number, *_ in table(tmp_path)] == [7, 3, 12]
    with pytest.raises(UserError, match="t/0: a solution_id occurs more than once"):
        execute_into(PROBLEMS, [*solutions, solutions[1]], out=tmp_path, limits=LIMITS, jobs=1)


@pytest.mark.parametrize("remembered", [0, 1 << 25])
def test_cutting_a_task_into_pieces_changes_nothing(tmp_path, monkeypatch, remembered):
    monkeypatch.setattr(spool, "PIECE_SOLUTIONS", 2)
    monkeypatch.setattr(spool, "MAX_REMEMBERED", remembered)
    monkeypatch.setattr(answers, "_CACHED", remembered)
    ask = "import os\ndef f(x):\n    return os.getpid()  # {}\n"
    rows = [{"task_id": "t/0", "solution": ask.format(at % 5)} for at in range(40)]
    tests = {"t/0": [Test("t/0", "0", "raise ValueError(f(1))")]}
    summary = api.execute_into(PROBLEMS, rows, tests, out=tmp_path, limits=LIMITS, jobs=1)
    assert [number for _, number, *_ in table(tmp_path)] == list(range(40))
    assert (summary["samples"], summary["distinct_samples"], summary["verdicts"]) == (40, 5, {"E": 40})
    pids = [detail for _, _, detail in details(tmp_path)]
    assert len(set(pids)) == 5  # equal programs ran once, in one process
    assert all(pids[at] == pids[at % 5] for at in range(40))


def slow_rows() -> list[dict[str, Any]]:
    slow = "def f(x):\n    for _ in range(10**6): pass\n    return x + {}  # {}\n"
    return [
        {"task_id": f"t/{task}", "solution": slow.format(at % 2 + 1, at % 3)} for at in range(6) for task in range(12)
    ]


def test_a_killed_run_ends_with_the_same_tables_and_repeats_no_work(tmp_path):
    own = [{"task_id": f"t/{n}", "prompt": "", "entry_point": "f", "tests": ["assert f(1) == 2"]} for n in range(12)]
    problems = written(tmp_path / "problems.jsonl", own)
    solutions = written(tmp_path / "solutions.jsonl", slow_rows())
    command = ["execute", "--problems", str(problems), "--solutions", str(solutions), "--jobs", "1", "--out"]
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    first = subprocess.Popen([sys.executable, "-m", "codepref", *command, str(killed)], stdout=subprocess.DEVNULL)
    kept = killed / "parts" / "verdicts.jsonl"
    while not kept.exists() or kept.read_bytes().count(b"\n") < 4:
        assert first.poll() is None
        time.sleep(0.01)
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert not (killed / "summary.json").exists()
    for out in (killed, whole):
        assert main([*command, str(out)]) == 0
    assert table(killed) == table(whole)
    assert details(killed) == details(whole)
    assert len(table(whole)) == 72
    ours, theirs = (json.loads((out / "summary.json").read_text()) for out in (killed, whole))
    assert theirs["judged_in_this_run"]["samples"] == 72
    assert ours["judged_in_this_run"]["samples"] <= 72 - 4 * 6
    for name in ("samples", "distinct_samples", "cells", "verdicts", "samples_passing_all", "key"):
        assert ours[name] == theirs[name]
    assert {path.name for path in killed.iterdir()} == {path.name for path in whole.iterdir()}
    assert not (killed / "parts").exists()


@pytest.mark.parametrize("damage", [lambda data: data[:-9], lambda data: data.replace(b'"P"', b'"F"')])
def test_a_line_that_was_cut_short_is_pending_again(tmp_path, monkeypatch, damage):
    solutions = [Solution(task, 0, program(1)) for task in TASKS]

    def stop(done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        execute_into(PROBLEMS, solutions, out=tmp_path, limits=LIMITS, jobs=1, progress=stop)
    kept = tmp_path / "parts" / "verdicts.jsonl"
    lines = kept.read_bytes().splitlines(keepends=True)
    assert len(lines) == 2  # the third verdict was known but not yet written
    kept.write_bytes(lines[0] + damage(lines[1]))
    with pytest.raises(KeyboardInterrupt):
        execute_into(PROBLEMS, solutions, out=tmp_path, limits=LIMITS, jobs=1, progress=stop)
    summary = execute_into(PROBLEMS, solutions, out=tmp_path, limits=LIMITS, jobs=1)
    assert summary["verdicts"] == {"P": 3}
    assert summary["judged_in_this_run"]["samples"] == 1  # the second run added a line after the damaged one


def test_all_wrong_rows_are_reported_at_once_and_nothing_runs(tmp_path):
    seen = []

    def solutions() -> Iterator[Solution]:
        for task in ("t/0", "nowhere", "t/1", "elsewhere", "t/1"):
            yield Solution(task, 0, program(1))

    with pytest.raises(UserError) as caught:
        execute_into(
            PROBLEMS,
            solutions(),
            out=tmp_path / "new" / "out",
            limits=LIMITS,
            jobs=1,
            progress=lambda *at: seen.append(at),
        )
    assert caught.value.problems[:3] == (
        "solutions for an unknown task: 'nowhere'",
        "solutions for an unknown task: 'elsewhere'",
        "t/1: a solution_id occurs more than once. Give each solution of a task its own number",
    )
    assert seen == []
    assert list(tmp_path.iterdir()) == []


def test_a_malformed_test_of_the_last_task_is_reported_before_the_first_task_runs(tmp_path):
    seen = []
    wrong = {"t/0": PROBLEMS[0].tests, "t/2": [Test("t/2", "x", "{}", "inputs")]}
    solutions = [Solution(task, 0, program(1)) for task in TASKS]
    with pytest.raises(UserError, match="t/2, test x: the source of a test of kind"):
        execute(PROBLEMS, solutions, wrong, limits=LIMITS, jobs=1, progress=lambda *at: seen.append(at))
    assert seen == []


def test_a_folder_that_another_process_uses_is_refused(tmp_path):
    with Parts(tmp_path), pytest.raises(UserError, match="another codepref process uses this folder"):
        execute_into(PROBLEMS, [], out=tmp_path)
    assert execute_into(PROBLEMS, [], out=tmp_path)["samples"] == 0


def test_deleted_tables_are_written_again(tmp_path):
    solutions = [Solution("t/0", 0, program(1))]
    execute_into(PROBLEMS, solutions, out=tmp_path, limits=LIMITS, jobs=1)
    (tmp_path / "verdicts.parquet").unlink()
    execute_into(PROBLEMS, solutions, out=tmp_path, limits=LIMITS, jobs=1)
    assert table(tmp_path) == [("t/0", 0, program(1), "P")]


def test_a_full_disk_while_rows_are_read_is_reported_in_one_message(tmp_path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    rows = [{"task_id": "t/0", "solution": f"{at:>5000}"} for at in range(20_000)]
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, before[1]))
    try:
        with pytest.raises(MachineError, match=r"cannot write .*Free some space"):
            api.execute_into(PROBLEMS, rows, out=tmp_path / "out")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not (tmp_path / "out").exists()


def test_solutions_of_other_types_are_refused():
    for wrong in ([Solution("t/0", 0, "x"), {"task_id": "t/0", "solution": "x"}], ["x"], [None]):
        with pytest.raises(UserError, match="solutions must be a path, Solution records, or rows"):
            api.execute(PROBLEMS, wrong)


ROWS = 1_000_000


@pytest.mark.slow
@pytest.mark.parametrize("tasks", [1, 1000])
def test_a_million_rows_stay_below_a_gigabyte(tmp_path, tasks):
    own = [{"task_id": str(n), "prompt": "", "entry_point": "f", "tests": ["assert f(1) == 2"]} for n in range(tasks)]
    problems = written(tmp_path / "problems.jsonl", own)
    pad = "    # so that a row is as long as a solution\n" * 8
    texts = [f"def f(x):\n{pad}    return x + {step}\n" for step in (1, 2)]
    solutions, out = tmp_path / "solutions.jsonl", tmp_path / "out"
    lines = "".join(json.dumps({"task_id": str(n), "solution": text}) + "\n" for text in texts for n in range(tasks))
    with solutions.open("w") as stream:
        stream.writelines(repeat(lines, ROWS // tasks // 2))  # the rows of one task do not follow each other
    command = ["execute", "--problems", str(problems), "--solutions", str(solutions), "--out", str(out)]
    run = subprocess.Popen([sys.executable, "-m", "codepref", *command], stdout=subprocess.DEVNULL)
    peak, top = 0, psutil.Process(run.pid)
    while run.poll() is None:
        peak = max(peak, resident(top))
        time.sleep(0.1)
    assert run.returncode == 0
    assert 20 << 20 < peak < 1 << 30
    summary = json.loads((out / "summary.json").read_text())
    assert (summary["samples"], summary["distinct_samples"]) == (ROWS, 2 * tasks)
    assert summary["verdicts"] == {"P": ROWS // 2, "F": ROWS // 2}
    with pq.ParquetFile(out / "verdicts.parquet") as table:
        assert table.metadata.num_rows == ROWS


def resident(top: psutil.Process) -> int:
    """Return the sum of the peak resident bytes of a process and its descendants.

    Shared pages count for each process.
    """
    total = 0
    with contextlib.suppress(psutil.Error, OSError, StopIteration):  # a process may have ended meanwhile
        for process in [top, *top.children(recursive=True)]:
            status = Path(f"/proc/{process.pid}/status").read_text().splitlines()
            total += 1024 * int(next(line for line in status if line.startswith("VmHWM")).split()[1])
    return total


def test_a_file_in_place_of_a_folder_of_verdicts_is_one_message(tmp_path):
    path = tmp_path / "scored.jsonl"
    path.write_text("{}\n")
    with pytest.raises(UserError, match=r"is a file, and verdicts are a folder .* as --pairs"):
        read_verdicts(path)
