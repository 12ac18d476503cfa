"""Tests of the measurement of CPU time: what is measured, and calls that are continued."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from codepref.errors import UserError
from codepref.execution import speed as module
from codepref.execution.speed import measure_speed, read_speeds
from codepref.execution.tasks import Task
from codepref.records import Problem, Test, Verdict, VerdictMatrix

TESTS = (Test("t", "0", "assert f(200000) == 200000"), Test("t", "1", "assert f(2) == 2"))
PROBLEM = Problem("t", "Return n.", "f", tests=TESTS)
FAST = "def f(n):\n    return n"
SLOW = "def f(n):\n    k = 0\n    for _ in range(n * 20):\n        k += 1\n    return n"


def verdicts(*rows: tuple[str, str], task: str = "t") -> VerdictMatrix:
    judged = [Verdict(task, number, text, codes) for number, (text, codes) in enumerate(rows)]
    return VerdictMatrix(task, TESTS, tuple(judged))


class Scripted:
    """An engine whose solutions take 1 millisecond per character of their text.

    A solution with "flaky" in its text fails in the second call.
    """

    calls: list[Task]

    def __init__(self, **options: Any) -> None:
        assert options["jobs"] == 1

    def __enter__(self) -> "Scripted":
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def run(self, tasks: Iterable[Task], *, limits: Any = None) -> Iterator[VerdictMatrix]:
        for task in tasks:
            Scripted.calls.append(task)
            codes = ["F" if "flaky" in one.text and len(Scripted.calls) == 2 else "P" for one in task.solutions]
            yield VerdictMatrix(
                task.problem.task_id,
                tuple(task.tests),
                tuple(
                    Verdict(one.task_id, one.solution_id, one.text, code, cpu_ms=float(len(one.text)))
                    for one, code in zip(task.solutions, codes, strict=True)
                ),
            )


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> type[Scripted]:
    Scripted.calls = []
    monkeypatch.setattr(module, "Engine", Scripted)
    return Scripted


def test_right_solutions_are_measured_several_times_on_the_largest_input(tmp_path: Path, scripted: Any) -> None:
    rows = verdicts((FAST, "PP"), ("wrong", "PF"), (FAST + "  # again", "PP"), (SLOW, "PP"))
    counts = measure_speed([PROBLEM], [rows], out=tmp_path / "speeds.jsonl", repeats=3, inputs=1)
    assert counts == {"problems": 1, "solutions": 2}
    assert read_speeds(tmp_path / "speeds.jsonl") == {"t": {0: (len(FAST),) * 3, 3: (len(SLOW),) * 3}}
    assert [[test.test_id for test in task.tests] for task in scripted.calls] == [["0"]] * 3
    assert len({tuple(one.solution_id for one in task.solutions) for task in scripted.calls}) == 2, "the order changes"


def test_a_solution_that_fails_in_one_repeat_is_left_out(tmp_path: Path, scripted: Any) -> None:
    rows = verdicts((FAST, "PP"), (SLOW, "PP"), ("flaky", "PP"))
    measure_speed([PROBLEM], [rows], out=tmp_path / "speeds.jsonl", repeats=3)
    assert set(read_speeds(tmp_path / "speeds.jsonl")["t"]) == {0, 1}


def test_a_problem_with_one_right_solution_is_not_measured(tmp_path: Path, scripted: Any) -> None:
    counts = measure_speed([PROBLEM], [verdicts((FAST, "PP"), (SLOW, "PF"))], out=tmp_path / "speeds.jsonl")
    assert counts == {"problems": 0, "solutions": 0}
    assert scripted.calls == []
    assert read_speeds(tmp_path / "speeds.jsonl") == {}


def test_a_call_that_was_killed_is_continued(tmp_path: Path, scripted: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    other = Problem("u", "Return n.", "f", tests=TESTS)
    both = [verdicts((FAST, "PP"), (SLOW, "PP")), verdicts((FAST, "PP"), (SLOW, "PP"), task="u")]
    out, run = tmp_path / "speeds.jsonl", Scripted.run

    def killed(self: Any, tasks: Any, *, limits: Any = None) -> Iterator[VerdictMatrix]:
        if len(Scripted.calls) == 2:
            raise KeyboardInterrupt
        return run(self, tasks, limits=limits)

    monkeypatch.setattr(Scripted, "run", killed)
    with pytest.raises(KeyboardInterrupt):
        measure_speed([PROBLEM, other], both, out=out, repeats=2)
    assert not out.exists()
    with (tmp_path / ".speeds.jsonl.partial").open("a") as file:
        file.write('{"task_id": "u", "key"')  # a line that was cut short
    monkeypatch.setattr(Scripted, "run", run)
    Scripted.calls = []
    assert measure_speed([PROBLEM, other], both, out=out, repeats=2) == {"problems": 2, "solutions": 4}
    assert [task.problem.task_id for task in scripted.calls] == ["u", "u"]
    assert [path.name for path in tmp_path.iterdir()] == ["speeds.jsonl"]
    # nothing is measured again, unless the repeats, the tests or the programs are others
    measure_speed([PROBLEM, other], both, out=out, repeats=2)
    assert len(scripted.calls) == 2
    measure_speed([PROBLEM, other], both, out=out, repeats=3)
    assert len(scripted.calls) == 8


def test_wrong_input_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="repeats must be at least 2"):
        measure_speed([PROBLEM], [], out=tmp_path / "s.jsonl", repeats=1)
    with pytest.raises(UserError, match="task 'u', which is not among the problems"):
        measure_speed([PROBLEM], [verdicts(task="u")], out=tmp_path / "s.jsonl")
    (tmp_path / "s.jsonl").write_text(json.dumps({"task_id": "t"}) + "\n")
    with pytest.raises(UserError, match=r"s\.jsonl:1: this is no row"):
        read_speeds(tmp_path / "s.jsonl")


def test_the_sandbox_measures_that_a_long_loop_is_slower(tmp_path: Path) -> None:
    rows = verdicts((FAST, "PP"), (SLOW, "PP"))
    measure_speed([PROBLEM], [rows], out=tmp_path / "speeds.jsonl", repeats=2, inputs=1)
    times = read_speeds(tmp_path / "speeds.jsonl")["t"]
    # the loop of four million steps takes more than 100 ms, and the other program starts in a few
    assert all(slow > 2 * fast and slow > fast + 10 for fast, slow in zip(times[0], times[1], strict=True))
