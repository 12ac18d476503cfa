"""The fuzz target of the execution engine: it runs generated programs through one long-lived engine.

A finding is one of these: the engine raises an exception; a code is missing or is I; a batch hangs; a canary gets a
wrong verdict; a descriptor, process, file or piece of shared memory is left; a verdict changes when the batch runs again.
"""

from __future__ import annotations

import os
import platform
import random
import re
import signal
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from fuzz_batches import LIMITS, TO_THE_PAGE, Batch, batches
from fuzz_machine import Machine, adopting

from codepref.execution.engine import Engine, usable_cpus
from codepref.execution.tasks import Task
from codepref.records import VERDICT_CODES, VerdictMatrix

AGAIN = 10
"""One batch in so many runs a second time, with its solutions in another order."""
EDGE = set("TS")
"""Codes of tests that come near their time limit. S follows T."""
KEPT = 200
"""Findings, and differences, that the report holds."""

_RACING = re.compile(r"\b(thread|threading|os|socket|ctypes|time|signal|gc|resource)\b")
"""Words of programs whose result may depend on timing: two threads, or two writers at one channel."""

_NATIVE = re.compile(r"\b(numpy|pandas|scipy)\b")
"""Packages that end their process (exit status 1, from OpenBLAS) when the address space is used up. Under the 64 MiB of
this target that varies from process to process, with the addresses that the kernel assigns.
"""

Progress = Callable[[int, int, float], None]


class Hang(Exception):
    """A batch took longer than all its limits together."""


class Fuzz:
    """One run of the fuzz target: the engine, the earlier state of the machine, counts and findings."""

    def __init__(self, seed: int, engine: Engine, machine: Machine) -> None:
        self.seed, self.engine, self.machine = seed, engine, machine
        self.findings: list[dict[str, Any]] = []
        self.differences: list[dict[str, Any]] = []
        self.families: Counter[str] = Counter()
        self.codes: dict[str, Counter[str]] = {}
        self.refused = self.again = self.slowest = 0.0

    def find(self, kind: str, batch: int, detail: str, **more: Any) -> None:
        """Keep a finding with what is needed to reproduce it."""
        self.findings.append({"kind": kind, "seed": self.seed, "batch": batch, "detail": detail, **more})

    def batch(self, batch: Batch) -> None:
        """Run one batch and check everything that it must not do. Raises Hang."""
        self.refused += len(batch.broken) + batch.refused
        for detail, source in batch.broken:
            self.find("exception for a malformed test", batch.number, detail, program=source)
        first = self._run(batch, batch.tasks)
        if first is None:
            return
        for matrix, task in zip(first, batch.tasks, strict=True):
            self._codes(batch, matrix, task)
        if batch.number % AGAIN == 0:
            self._again(batch, first)
        for kind, detail in self.machine.after_batch(self.engine):
            self.find(kind, batch.number, detail)

    def _run(self, batch: Batch, tasks: list[Task]) -> list[VerdictMatrix] | None:
        """The verdicts, or None when the engine raised an exception. Raises Hang."""
        done: list[VerdictMatrix] = []
        errors: list[str] = []

        def run() -> None:
            try:
                done.extend(self.engine.run(tasks, limits=LIMITS))
            except BaseException:  # noqa: BLE001 - every exception of the engine is a finding
                errors.append(traceback.format_exc())

        thread, start = threading.Thread(target=run, daemon=True), time.monotonic()
        thread.start()
        thread.join(bound(batch))
        if thread.is_alive():
            assert thread.ident is not None
            stack = "".join(traceback.format_stack(sys._current_frames()[thread.ident]))
            texts = {f"{task.problem.task_id}": [s.text for s in task.solutions] for task in tasks[len(done) :]}
            self.find("hang", batch.number, f"longer than {bound(batch):.0f} s\n{stack}", program=texts)
            raise Hang
        self.slowest = max(self.slowest, time.monotonic() - start)
        for error in errors:
            self.find("exception of the engine", batch.number, error)
        return None if errors else done

    def _codes(self, batch: Batch, matrix: VerdictMatrix, task: Task) -> None:
        hostile = matrix.task_id in batch.hostile
        tests = [{"kind": test.kind, "source": test.source[:5000]} for test in task.tests] if hostile else None
        for solution, verdict in zip(task.solutions, matrix.verdicts, strict=True):
            key = (matrix.task_id, solution.solution_id)
            facts = {
                "task": matrix.task_id,
                "codes": verdict.codes,
                "program": solution.text[:20000],
                "tests": tests,
            }
            if len(verdict.codes) != len(task.tests) or not set(verdict.codes) <= set(VERDICT_CODES):
                self.find("codes missing", batch.number, verdict.detail, **facts)
            # A hostile reference yields no expected outputs. That I is the problem's fault.
            kinds = [test.kind for test, code in zip(task.tests, verdict.codes, strict=False) if code == "I"]
            own = hostile and (set(kinds) == {"inputs"} or _wrote_codes(task, verdict.detail))
            if kinds and not own:
                self.find("code I", batch.number, verdict.detail, **facts)
            if key in batch.canaries and set(verdict.codes) != {batch.canaries[key]}:
                self.find("canary", batch.number, f"{verdict.codes} {verdict.detail}", **facts)
            if key in batch.programs:
                family = "hostile tests" if hostile else batch.programs[key].family
                self.families[batch.programs[key].family] += 1
                self.codes.setdefault(family, Counter()).update(verdict.codes)

    def _again(self, batch: Batch, first: list[VerdictMatrix]) -> None:
        rng = random.Random(batch.number)
        shuffled = [Task(t.problem, rng.sample(list(t.solutions), len(t.solutions)), t.tests) for t in batch.tasks]
        second = self._run(batch, shuffled)
        self.again += 1
        before = {(v.task_id, v.solution_id): v for matrix in first for v in matrix.verdicts}
        for verdict in (v for matrix in second or () for v in matrix.verdicts):
            old = before[verdict.task_id, verdict.solution_id]
            differing = [pair for pair in zip(old.codes, verdict.codes, strict=True) if pair[0] != pair[1]]
            if not differing or verdict.task_id in batch.hostile:
                continue
            program = batch.programs.get((verdict.task_id, verdict.solution_id))
            facts = {
                "batch": batch.number,
                "family": program.family if program else "canary",
                "codes": [old.codes, verdict.codes],
                "details": [old.detail, verdict.detail],
                "program": verdict.solution[:20000],
            }
            facts["why"] = _why(program.family if program else "canary", verdict.solution, differing)
            self.differences.append(facts)
            if not facts["why"]:
                self.find("verdict changed", batch.number, f"{old.codes} {verdict.codes}", program=verdict.solution)


def _wrote_codes(task: Task, detail: str) -> bool:
    """Whether a test of the task may have written the code I itself, so that no worker was lost."""
    reached = any(TO_THE_PAGE in test.source for test in task.tests)
    return reached and (not detail or detail.startswith(("test", "the problem's helpers")))


def _why(family: str, program: str, differing: list[tuple[str, str]]) -> str:
    """Why a verdict may have changed, or "" when it should not have."""
    if all(EDGE & set(pair) for pair in differing):
        return "edge of time"
    if _NATIVE.search(program):
        return "edge of memory"
    return "races with its test runner" if family in ("system", "protocol") or _RACING.search(program) else ""


def bound(batch: Batch) -> float:
    """Seconds that no batch may take: all its limits in sequence, times three for a busy machine, and a minute more.

    A hostile test may hold its runner for 2 * 6 s of wall-clock time, or 20 s of CPU, before the runner is killed.
    """
    assert LIMITS.wall_seconds is not None
    seconds = 60.0
    for task in batch.tasks:
        one = 25.0 if task.problem.task_id in batch.hostile else LIMITS.wall_seconds
        seconds += 3 * one * len(task.solutions) * (1 + (len(task.tests) if one > 1 else 1))
    return seconds


def fuzz(
    seed: int,
    count: int,
    jobs: int | None = None,
    completions: Sequence[str] = (),
    *,
    quiet_machine: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Run `count` programs of `seed` through one engine. Returns the report, whose `findings` should be empty.

    completions: further real programs for the corpus. quiet_machine: nothing else writes files here, so every new file
    is a finding, not only those with our mark. progress(done, count, seconds): called after each batch.
    """
    start, stopped = time.monotonic(), False
    with adopting():
        machine = Machine()
        engine = Engine(jobs=jobs)
        run = Fuzz(seed, engine, machine)
        try:
            for batch in batches(seed, count, completions):
                run.batch(batch)
                if progress is not None:
                    progress(sum(run.families.values()), count, time.monotonic() - start)
        except Hang:
            stopped = True
            for worker in list(engine._workers):
                os.killpg(worker._process.pid, signal.SIGKILL)
        else:
            engine.close()
            del engine, run.engine
        seconds = time.monotonic() - start
        for kind, detail in machine.after_close():
            run.find(kind, -1, detail)
    marked, others = machine.new_files()
    for path in marked + (others if quiet_machine else []):
        run.find("file left", -1, path)
    return _report(run, seconds, stopped, [] if quiet_machine else others, jobs)


def _report(run: Fuzz, seconds: float, stopped: bool, others: list[str], jobs: int | None) -> dict[str, Any]:
    programs = sum(run.families.values())
    order = {family: dict(sorted(codes.items())) for family, codes in sorted(run.codes.items())}
    return {
        "seed": run.seed,
        "programs": programs,
        "families": dict(sorted(run.families.items())),
        "codes": order,
        "stopped_by_a_hang": stopped,
        "finding_count": len(run.findings),
        "findings": run.findings[:KEPT],
        "batches_run_again": int(run.again),
        "difference_count": len(run.differences),
        "differences": run.differences[:KEPT],
        "tests_refused": int(run.refused),
        "new_files_of_unknown_origin": others,
        "seconds": round(seconds, 1),
        "slowest_batch_seconds": round(run.slowest, 1),
        "programs_per_second": round(programs / seconds, 1),
        "limits": LIMITS.resolved(),
        "machine": {
            "cores": os.cpu_count(),
            "jobs": jobs or usable_cpus(),
            "kernel": platform.release(),
            "python": platform.python_version(),
        },
    }
