"""Tests of the execution stage: artifacts, continuing after a kill, identical solutions, wrong input."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pyarrow.parquet as pq
import pytest

from codepref.errors import MachineError, UserError
from codepref.execution import worker
from codepref.execution.engine import MAX_TASKS_AHEAD, Engine, execute_tasks
from codepref.execution.execute import execute, iter_verdicts, read_verdicts
from codepref.execution.limits import Limits
from codepref.execution.tasks import Task
from codepref.records import Problem, Solution, Test
from codepref.storage import files

pytestmark = pytest.mark.xdist_group("execution")

LIMITS = Limits(cpu_seconds=0.5)


def problem(task: str) -> Problem:
    tests = (Test(task, "a", "assert f(1) == 2"), Test(task, "b", "def check(c):\n    assert c(2) == 3\n", "check"))
    return Problem(task, "Add one.", "f", tests)


PROBLEMS = [problem("one"), problem("two"), problem("empty")]
SOLUTIONS = [
    Solution("one", 0, "def f(x):\n    return x + 1\n"),
    Solution("two", 0, "def f(x):\n    return 2\n"),
    Solution("one", 1, ""),
    Solution("two", 1, "def f(x):\n    return '\ud800'\n"),
    Solution("two", 2, "def f(x):\n    return 2\n"),
]


def test_the_tables_and_the_summary_hold_all_verdicts(tmp_path):
    seen = []
    matrices = execute(PROBLEMS, SOLUTIONS, out=tmp_path, limits=LIMITS, jobs=1, progress=lambda *at: seen.append(at))
    assert [(m.task_id, [v.codes for v in m.verdicts]) for m in matrices] == [
        ("one", ["PP", "EE"]),
        ("two", ["PF", "EE", "PF"]),
    ]
    assert seen[-1] == (5, 5)
    rows = pq.read_table(tmp_path / "verdicts.parquet")
    assert rows.column_names == ["task_id", "solution_id", "solution", "verdicts", "isolation", "cpu_ms", "outcomes"]
    assert rows["verdicts"].to_pylist() == ["PP", "EE", "PF", "EE", "PF"]
    assert pq.read_table(tmp_path / "tests.parquet").column_names == ["task_id", "test_id", "test", "kind", "count"]
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["verdicts"] == {"P": 4, "F": 2, "E": 4}
    assert summary["samples"] == 5
    assert summary["distinct_samples"] == 4
    assert summary["cells"] == 10
    assert summary["problems_without_solutions"] == 1
    assert not (tmp_path / "parts").exists()
    back = read_verdicts(tmp_path)
    assert [m.tests for m in back] == [m.tests for m in matrices]
    assert [[v.codes for v in m.verdicts] for m in back] == [[v.codes for v in m.verdicts] for m in matrices]
    assert back[0].verdicts[1].detail == "no code"


def test_a_damaged_table_of_verdicts_is_refused(tmp_path):
    execute(PROBLEMS, SOLUTIONS[:1], out=tmp_path, limits=LIMITS, jobs=1)
    table = tmp_path / "verdicts.parquet"
    table.write_bytes(table.read_bytes()[:-20])
    with pytest.raises(UserError, match="cannot be read as Parquet"):
        read_verdicts(tmp_path)


def test_the_count_and_the_kind_of_a_test_are_read_back(tmp_path):
    check = Test("one", "1", "def check(candidate):\n    assert candidate(1) == 2", "check")
    own = {"one": [Test("one", "0", "assert f(1) == 2", count=3), check]}
    execute(PROBLEMS, SOLUTIONS[:1], own, out=tmp_path, limits=LIMITS, jobs=1)
    (back,) = read_verdicts(tmp_path)
    assert list(back.tests) == own["one"]


def test_a_finished_run_is_not_repeated_unless_the_input_changes(tmp_path):
    execute(PROBLEMS, SOLUTIONS, out=tmp_path, limits=LIMITS, jobs=1)
    before = (tmp_path / "verdicts.parquet").stat().st_mtime_ns
    execute(PROBLEMS, SOLUTIONS, out=tmp_path, limits=LIMITS, jobs=1)
    assert (tmp_path / "verdicts.parquet").stat().st_mtime_ns == before
    more = [*SOLUTIONS, Solution("empty", 0, "def f(x):\n    return x + 1\n")]
    assert len(execute(PROBLEMS, more, out=tmp_path, limits=LIMITS, jobs=1)) == 3
    assert len(read_verdicts(tmp_path)) == 3


RUN = """
import sys
from codepref.execution.execute import execute
from codepref.execution.limits import Limits
from codepref.records import Problem, Solution, Test
problems = [Problem(str(n), "", "f", (Test(str(n), "0", "assert f(1) == 2"),)) for n in range(12)]
slow = "def f(x):\\n    for _ in range(10**6): pass\\n    return x + 1\\n"
matrices = execute(problems, [Solution(str(n), k, slow + f"#{k}") for n in range(12) for k in range(2)],
                   out=sys.argv[1], limits=Limits(cpu_seconds=5), jobs=1)
print("".join(v.codes for m in matrices for v in m.verdicts))
"""


def test_a_killed_run_continues_where_it_stopped(tmp_path):
    first = subprocess.Popen([sys.executable, "-c", RUN, str(tmp_path)])
    kept = tmp_path / "parts" / "verdicts.jsonl"
    while not kept.exists() or len(kept.read_text().splitlines()) < 3:
        assert first.poll() is None
        time.sleep(0.02)
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert not (tmp_path / "summary.json").exists()
    with pytest.raises(UserError, match="was not finished"):
        read_verdicts(tmp_path)
    second = subprocess.run([sys.executable, "-c", RUN, str(tmp_path)], capture_output=True, text=True, check=True)
    assert second.stdout.strip() == "P" * 24
    assert json.loads((tmp_path / "summary.json").read_text())["judged_in_this_run"]["samples"] <= 18


def test_temporary_files_of_a_killed_run_are_removed(tmp_path):
    left = tmp_path / ".verdicts.parquet.123.tmp"
    foreign = tmp_path / ".notes.123.tmp"
    for path in (left, foreign):
        path.write_bytes(b"half")
    execute([problem("t")], [Solution("t", 0, "def f(x):\n    return x + 1\n")], out=tmp_path)
    assert not left.exists()
    assert foreign.exists()


def test_identical_solutions_run_once(engine):
    texts = ["import os\ndef f(x):\n    return os.getpid()\n"] * 20
    solutions = [Solution("t", at, text) for at, text in enumerate(texts)]
    tests = [Test("t", "0", "raise ValueError(f(1))")]
    (matrix,) = engine.run([Task(Problem("t", "", "f"), solutions, tests)])
    assert len({verdict.detail for verdict in matrix.verdicts}) == 1
    assert [verdict.solution_id for verdict in matrix.verdicts] == list(range(20))


def test_matrices_come_in_the_order_of_tasks_and_few_tasks_are_read_ahead(engine):
    read = []

    def tasks():
        for at in range(3 * MAX_TASKS_AHEAD):
            read.append(at)
            yield Task(
                problem(str(at)), [Solution(str(at), 0, f"def f(x): return x + 1 # {at}")], problem(str(at)).tests
            )

    for at, matrix in enumerate(engine.run(tasks(), limits=LIMITS)):
        assert matrix.task_id == str(at)
        assert len(read) <= at + MAX_TASKS_AHEAD + 1


def test_the_engine_can_be_used_after_an_abandoned_run(engine):
    many = [
        Task(problem("t"), [Solution("t", at, f"def f(x): return {at}") for at in range(50)], problem("t").tests)
    ] * 2
    next(engine.run(many, limits=LIMITS))
    (matrix,) = engine.run([Task(problem("t"), [Solution("t", 0, "def f(x): return x + 1")], problem("t").tests)])
    assert matrix.verdicts[0].codes == "PP"


def test_a_worker_that_dies_is_replaced_and_its_work_is_repeated():
    with Engine(jobs=1) as engine:
        solutions = [Solution("t", at, f"def f(x):\n    return x + 1 #{at}") for at in range(200)]
        killed = []

        def progress(done: int) -> None:
            if not killed:
                killed.append(engine._workers[0]._process.pid)
                os.kill(killed[0], signal.SIGKILL)

        engine._progress = progress
        (matrix,) = engine.run([Task(problem("t"), solutions, problem("t").tests)], limits=LIMITS)
    assert killed
    assert {verdict.codes for verdict in matrix.verdicts} == {"PP"}


def test_a_worker_that_always_fails_gives_the_code_i_and_not_a_wrong_solution(monkeypatch):
    monkeypatch.setattr(worker.Worker, "receive", lambda self: (_ for _ in ()).throw(worker.WorkerLost("on fire")))
    solutions = [Solution("t", 0, "def f(x):\n    return x + 1")]
    (matrix,) = execute_tasks([Task(problem("t"), solutions, problem("t").tests)], limits=LIMITS, jobs=1)
    assert matrix.verdicts[0].codes == "II"
    assert "on fire" in matrix.verdicts[0].detail


def test_wrong_input_is_reported_before_anything_runs():
    with pytest.raises(UserError, match="unknown task: 'nowhere'"):
        execute(PROBLEMS, [Solution("nowhere", 0, "x")])
    with pytest.raises(UserError, match="tests for an unknown task"):
        execute(PROBLEMS, SOLUTIONS, {"nowhere": []})
    with pytest.raises(UserError, match="occurs more than once"):
        execute(PROBLEMS, [*SOLUTIONS, SOLUTIONS[0]])
    with pytest.raises(UserError, match="more than once among the problems"):
        execute([*PROBLEMS, PROBLEMS[0]], SOLUTIONS)
    with pytest.raises(UserError, match="test x: the source of a test of kind"):
        execute(PROBLEMS, SOLUTIONS, [Test("one", "x", "{}", "inputs")])
    with pytest.raises(UserError, match="jobs must be at least 1"):
        execute(PROBLEMS, SOLUTIONS, jobs=0)


def test_without_landlock_execution_refuses_and_says_what_is_needed(monkeypatch):
    import sandlock

    monkeypatch.setattr(sandlock, "landlock_abi_version", lambda: 0)
    worker.check_machine.cache_clear()
    try:
        with pytest.raises(MachineError, match=r"no Landlock.*--unconfined"):
            execute(PROBLEMS, SOLUTIONS, limits=LIMITS)
        matrices = execute(PROBLEMS, SOLUTIONS, limits=LIMITS, jobs=1, unconfined=True)
        assert matrices[0].verdicts[0].codes == "PP"
    finally:
        worker.check_machine.cache_clear()


def test_a_run_without_solutions_or_without_tests(tmp_path):
    assert execute(PROBLEMS, [], out=tmp_path, limits=LIMITS) == []
    assert read_verdicts(tmp_path) == []
    (matrix,) = execute(PROBLEMS, SOLUTIONS[:1], {}, limits=LIMITS, jobs=1)
    assert matrix.codes_ST.shape == (1, 0)


def test_tables_are_written_in_row_groups_and_read_back_completely(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "GROUP_ROWS", 2)
    execute(PROBLEMS, SOLUTIONS, out=tmp_path, limits=LIMITS, jobs=1)
    assert pq.ParquetFile(tmp_path / "verdicts.parquet").num_row_groups == 3
    rows = [(v.task_id, v.solution_id, v.codes) for m in read_verdicts(tmp_path) for v in m.verdicts]
    assert rows == [("one", 0, "PP"), ("one", 1, "EE"), ("two", 0, "PF"), ("two", 1, "EE"), ("two", 2, "PF")]
    assert list(iter_verdicts(tmp_path)) == read_verdicts(tmp_path)


def test_a_task_without_tests_beside_probes_of_another(tmp_path):
    tests = {"two": [Test("two", "0", "assert g(1)"), Test("two", "0~0", "g(5)", count=0)]}
    execute(PROBLEMS, SOLUTIONS, tests, out=tmp_path, limits=LIMITS, jobs=1)
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert (summary["problems"], summary["tests"], summary["probes"]) == (2, 1, 1)


def test_probes_are_counted_separately_and_their_answers_are_recorded(tmp_path):
    problem = Problem("t", "Add one.", "f")
    tests = {"t": [Test("t", "0", "assert f(1) == 2"), Test("t", "0~0", "f(5)", count=0)]}
    solutions = [Solution("t", at, f"def f(x):\n    return x + {add}\n") for at, add in enumerate((1, 1.0, 2))]
    (matrix,) = execute([problem], solutions, tests, out=tmp_path, limits=LIMITS, jobs=1)
    assert [verdict.codes for verdict in matrix.verdicts] == ["PP", "PP", "FP"]
    answer_digests_ST = matrix.answer_digests_ST
    # The test accepts both 2 and 2.0, but they are different answers.
    assert len({*answer_digests_ST[:, 0].tolist()}) == 3
    assert len({*answer_digests_ST[:, 1].tolist()}) == 3
    assert 0 not in answer_digests_ST
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert (summary["tests"], summary["probes"], summary["cells"]) == (1, 1, 3)
    assert summary["verdicts"] == {"P": 2, "F": 1}
    assert summary["samples_passing_all"] == 2
