"""Tests of a `StreamEngine` that has ended or cannot run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from codepref.errors import MachineError
from codepref.execution.limits import Limits
from codepref.execution.service import ExecutionService
from codepref.execution.stream import StreamEngine, Work
from codepref.execution.tasks import Task
from codepref.records import Problem, Solution, Test

TASK = Task(Problem("t", "", "f"), [Solution("t", 0, "def f(): return 1")], [Test("t", "0", "assert f() == 1")])


def test_an_engine_that_has_ended_writes_to_no_descriptor_when_it_is_stopped_or_work_is_cancelled():
    engine = StreamEngine(jobs=1)
    before = list(Path("/proc/self/fd").iterdir())
    engine.close()
    reader, writer = os.pipe()
    copies = [os.dup(writer) for _ in before]  # one of them has the number that the engine had
    engine.stop()
    engine.cancel(Work(TASK, Limits(), lambda work: None))
    os.set_blocking(reader, False)
    with pytest.raises(BlockingIOError):
        os.read(reader, 1)
    for descriptor in (reader, writer, *copies):
        os.close(descriptor)


def test_an_engine_that_cannot_run_tells_its_own_cause(monkeypatch: pytest.MonkeyPatch):
    def fails(self: StreamEngine) -> None:
        raise MachineError("no process can be started here")

    monkeypatch.setattr(StreamEngine, "_assign_queued", fails)
    for _ in range(5):
        with pytest.raises(MachineError, match="no process can be started here"):
            ExecutionService(jobs=1)
