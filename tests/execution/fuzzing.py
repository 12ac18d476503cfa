"""The fuzz target of the execution engine. It runs generated programs through one long-lived engine.

These are findings:

- The engine raises an exception, or refuses a malformed test with another exception than UserError.
- A verdict code is missing or unknown, or a code is I and no hostile test is known to be the reason.
- A batch hangs.
- A canary gets a wrong verdict.
- The engine or a worker has too many processes or descriptors.
- A process, a descriptor, a file or shared memory is left at the end.
- A verdict by honest tests changes when a batch runs a second time, and neither time, memory nor a race explains it.
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
"""Every tenth batch runs a second time, with its solutions in another order."""
EDGE = set("TS")
"""Codes that depend on the time a test takes: T, and S, which follows after T."""
KEPT = 200
"""The largest number of findings in the report, and of differences."""

_RACING = re.compile(r"\b(thread|threading|os|socket|ctypes|time|signal|gc|resource)\b")
"""Matches words in programs whose results may depend on timing, such as programs with two threads."""

_NATIVE = re.compile(r"\b(numpy|pandas|scipy)\b")
"""Matches the names of packages that use OpenBLAS, which ends the process when the address space is used up.

With the 64 MiB of this target, this depends on the addresses that the kernel assigns, and so on the process.
"""

Progress = Callable[[int, int, float], None]


class Hang(Exception):
    """Raised when a batch takes longer than `bound` allows."""


class Fuzz:
    """One run of the fuzz target: the engine, the state of the machine before the run, counts and findings."""

    def __init__(self, seed: int, engine: Engine, machine: Machine) -> None:
        self.seed, self.engine, self.machine = seed, engine, machine
        self.findings: list[dict[str, Any]] = []
        self.differences: list[dict[str, Any]] = []
        self.families: Counter[str] = Counter()
        self.codes: dict[str, Counter[str]] = {}
        self.refused = self.again = self.slowest = 0.0

    def find(self, kind: str, batch: int, detail: str, **more: Any) -> None:
        """Keep a finding. more: further facts that help to reproduce it."""
        self.findings.append({"kind": kind, "seed": self.seed, "batch": batch, "detail": detail, **more})

    def batch(self, batch: Batch) -> None:
        """Run one batch, and keep what is wrong with it as findings. Raises Hang."""
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
        """Run tasks and return the verdicts, or None if the engine raised an exception. Raises Hang."""
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
            # A hostile reference yields no expected outputs, so the code I is right for its test.
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
    """Return whether a test of the task may have written the code I itself. detail: the detail of the verdict."""
    reached = any(TO_THE_PAGE in test.source for test in task.tests)
    return reached and (not detail or detail.startswith(("test", "the problem's helpers")))


def _why(family: str, program: str, differing: list[tuple[str, str]]) -> str:
    """Return why a verdict may change from run to run, or "" if it must not change."""
    if all(EDGE & set(pair) for pair in differing):
        return "edge of time"
    if _NATIVE.search(program):
        return "edge of memory"
    return "races with its test runner" if family in ("system", "protocol") or _RACING.search(program) else ""


def bound(batch: Batch) -> float:
    """Return the seconds after which a batch counts as a hang.

    The result is one minute plus a multiple of the wall-clock limits of all solutions, because the machine may be busy.
    For a hostile test 25 s take the place of the limit: the test may hold its test runner for 2 * 6 s of wall-clock
    time, or 20 s of CPU time, before the test runner is killed.
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

    completions: see `fuzz_programs.programs`. quiet_machine: whether every new file is a finding, because nothing else
    writes files on this machine. Otherwise only files with one of MARKS in the path are findings.
    progress(done, count, seconds): called after each batch.
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
