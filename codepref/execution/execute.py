"""The stage that runs solutions against tests. With an output folder, a run that was killed can be continued."""

from __future__ import annotations

import time
from collections import ChainMap, Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import astuple
from itertools import groupby
from pathlib import Path
from typing import Any

from codepref.config.scale import ScaleSection
from codepref.errors import UserError
from codepref.execution.artifacts import DETAILS, SUMMARY, TESTS, VERDICTS, finished_summary, task_key, write_tables
from codepref.execution.engine import Engine
from codepref.execution.limits import Limits
from codepref.execution.parts import Parts
from codepref.execution.reading import iter_verdicts, read_verdicts
from codepref.execution.spool import ProgramVerdict, Spool
from codepref.execution.summary import summarise
from codepref.execution.tasks import Task, TaskRunner, task_digest
from codepref.execution.vacuous import PROVEN, Screening, check_vacuous_tests, counted, screen
from codepref.problems.left_out import left_out_of
from codepref.problems.statements import STATEMENTS, write_statements
from codepref.records import Problem, Solution, Test, VacuousTests, Verdict, VerdictMatrix
from codepref.storage.files import content_hash, remove_temporaries, write_json
from codepref.storage.progress_file import ProgressFile

__all__ = ["execute", "execute_into", "iter_verdicts", "read_verdicts"]

Progress = Callable[[int, int], None]
Tests = Mapping[str, Sequence[Test]] | Sequence[Test]
Log = Callable[[str], None]


def _quiet(text: str) -> None:
    """Drop a message."""


def execute(
    problems: Sequence[Problem],
    solutions: Iterable[Solution],
    tests: Tests | None = None,
    *,
    out: Path | str | None = None,
    limits: Limits | None = None,
    jobs: int | None = None,
    unconfined: bool = False,
    progress: Progress | None = None,
    vacuous_tests: VacuousTests = "leave-out",
    scale: ScaleSection | None = None,
    log: Log = _quiet,
) -> list[VerdictMatrix]:
    """Run every solution against the tests of its problem, in a sandbox.

    tests: the tests by task id, or a list of tests. None means each problem's own tests.
    out: a folder for the files that `execute_into` writes. The matrices are then read from this folder.
    jobs: the largest number of worker processes. With a cluster, this is the number on each node. None means one for
        each core.
    unconfined: run untrusted programs without Landlock.
    progress(done, total): called with numbers of solutions.
    vacuous_tests: "leave-out" leaves out tests that use nothing of a solution, and tests that programs which do nothing
        pass. If such a program passes all other tests of a problem, a solution that passes them too is unjudged (code
        S). If no test of a problem is left, all its solutions are unjudged. `codepref.execution.vacuous` has the exact
        rules. "keep" runs all tests as they are.
    scale: where solutions run. None means on this machine.
    log: called with messages about the nodes of a cluster.

    Returns one matrix for each problem that has solutions, in the order of the problems.
    A matrix has no column for a test that was left out, unless all tests of the problem were left out.

    Worked example:
        problem = Problem("t", "Add one.", "f", tests=(Test("t", "0", "assert f(1) == 2"),))
        execute([problem], [Solution("t", 0, "def f(x): return x + 1")])[0].verdicts[0].codes == "P"

    Raises UserError for mistakes in the input, such as a solution or test of an unknown task, a solution id that occurs
    twice, or a test of an unknown kind or, if its kind is written in JSON, of another form. Raises UserError also when
    another execution uses `out`. Raises MachineError if this machine lacks something, such as Landlock or disk space.
    """
    if out is not None:
        settings: dict[str, Any] = {"limits": limits, "jobs": jobs, "unconfined": unconfined, "progress": progress}
        settings |= {"vacuous_tests": vacuous_tests, "scale": scale, "log": log}
        execute_into(problems, solutions, tests, out=out, **settings)
        return read_verdicts(out)
    work = _Work(problems, tests, limits or Limits(), unconfined, vacuous_tests)
    with Spool(None, [problem.task_id for problem in problems]) as spool:
        work.fill(spool, solutions)
        with work.engine(spool, jobs, progress, scale, log) as engine:
            work.screen(engine)
            for verdicts in work.run(spool, engine):
                spool.keep(verdicts)
        return [
            VerdictMatrix(task, tuple(work.tests.get(task, ())), tuple(_verdict(*row) for row in rows))
            for task, rows in groupby(spool.rows(), key=lambda row: row[0])
        ]


def execute_into(
    problems: Sequence[Problem],
    solutions: Iterable[Solution],
    tests: Tests | None = None,
    *,
    out: Path | str,
    limits: Limits | None = None,
    jobs: int | None = None,
    unconfined: bool = False,
    progress: Progress | None = None,
    vacuous_tests: VacuousTests = "leave-out",
    scale: ScaleSection | None = None,
    log: Log = _quiet,
) -> dict[str, Any]:
    """Run solutions as `execute` does, and write files into `out`. The solutions need not fit into memory.

    The files are verdicts.parquet, tests.parquet, details.parquet, problems.jsonl and, last, summary.json. If an
    earlier run into `out` was interrupted, its verdicts are used again for tasks that have not changed. If `out` holds
    a finished run over the same input, nothing runs again.

    solutions: read once and kept on disk. All of them are read, and mistakes are reported, before the first one runs.

    Returns the content of summary.json. Raises what `execute` raises.
    """
    folder, work = Path(out), _Work(problems, tests, limits or Limits(), unconfined, vacuous_tests)
    with Parts(folder) as parts, Spool(parts.scratch, [problem.task_id for problem in problems]) as spool:
        for name in (VERDICTS, TESTS, DETAILS, SUMMARY, STATEMENTS):
            remove_temporaries(folder / name)
        work.fill(spool, solutions)
        keys = {problem.task_id: work.key(problem) for problem in problems if problem.task_id in spool.counts}
        whole = spool.key(keys)
        summary = finished_summary(folder, whole)
        if summary is None:
            (folder / SUMMARY).unlink(missing_ok=True)  # this summary is of another input
        write_statements(folder, problems, keys)
        if summary is None:
            start = time.monotonic()
            with work.engine(spool, jobs, progress, scale, log, parts.folder) as engine:
                work.screen(engine)
                # The codes of an earlier run are taken over only if the same tests were left out then.
                screened = {task: work.screened_key(task, key) for task, key in keys.items()}
                _resume(parts, spool, screened)
                for verdicts in work.run(spool, engine):
                    parts.write(screened[verdicts[0].task_id], verdicts)
                    spool.keep(verdicts)
            seconds = time.monotonic() - start
            used = [test for task in keys for test in work.tests.get(task, ())]
            summary = summarise(spool, used, work.limits, seconds) | work.vacuous()
            summary |= {"problems_without_solutions": len(problems) - len(keys), "unconfined": unconfined, "key": whole}
            summary["problems_left_out"] = left_out_of(problems).as_dict()
            write_tables(folder, spool, used)
            write_json(folder / SUMMARY, summary)
        parts.remove()
    return summary


def _resume(parts: Parts, spool: Spool, keys: Mapping[str, str]) -> None:
    """Take over the verdicts of an interrupted run, for tasks that have not changed.

    keys: the key of each task, by task id.
    """
    tasks = {key: task for task, key in keys.items()}
    for key, verdicts in parts.read():
        if key in tasks:
            spool.recall(tasks[key], verdicts)


def _verdict(task: str, solution_id: int, row: ProgramVerdict) -> Verdict:
    return Verdict(task, solution_id, *row)


class _Work:
    """The problems, their tests and the limits of one execution.

    Attributes:
        tests: the tests by task. After `screen` they lack those that are left out.
    """

    def __init__(
        self,
        problems: Sequence[Problem],
        tests: Tests | None,
        limits: Limits,
        unconfined: bool,
        vacuous_tests: VacuousTests,
    ) -> None:
        check_vacuous_tests(vacuous_tests)
        self.problems = problems
        self.tests: Mapping[str, Sequence[Test]] = _tests_by_task(problems, tests)
        self._all_tests = self.tests
        self.limits, self._unconfined, self._keeps = limits, unconfined, vacuous_tests == "keep"
        self._known = {problem.task_id: problem for problem in problems}
        self._digests: dict[str, bytes] = {}
        self._screenings: Mapping[str, Screening] = {}
        self._progress: Callable[[int], None] = lambda count: None

    def fill(self, spool: Spool, solutions: Iterable[Solution]) -> None:
        """Read all solutions into the spool. Raises UserError for mistakes in solutions, tests or problems."""
        wrong = spool.fill(solutions)
        wrong += [f"tests for an unknown task: {task!r}" for task in self.tests if task not in self._known]
        if len(self._known) != len(self.problems):
            twice = [task for task, count in Counter(p.task_id for p in self.problems).items() if count > 1]
            wrong.append(f"task ids that occur more than once among the problems: {', '.join(map(repr, twice[:5]))}")
        if wrong:
            foreign = any("for an unknown task" in line for line in wrong)
            hint = "Check that problems, tests and solutions belong to the same data set."
            raise UserError(*_first(wrong), *([hint] if foreign else []))
        self._check_tests(spool.counts)

    def _check_tests(self, tasks: Iterable[str]) -> None:
        """Raise UserError if a test cannot be encoded (see `encode_task`), before the first solution runs."""
        wrong: list[str] = []
        for task in tasks:
            try:
                self._digests[task] = task_digest(self._known[task], self.tests.get(task, ()), self.limits)
            except UserError as error:
                wrong += error.problems
        if wrong:
            raise UserError(*_first(wrong))

    def key(self, problem: Problem) -> str:
        """Return the key of a problem (see `task_key`), with a mark if vacuous tests are kept."""
        key = task_key(problem, self._all_tests.get(problem.task_id, ()), self.limits, self._unconfined)
        return f"{key} keep" if self._keeps else key

    def screened_key(self, task: str, key: str) -> str:
        """Return `key`, with a hash of the task's screening if the screening is not PROVEN."""
        screening = self._screenings.get(task, PROVEN)
        return key if screening == PROVEN else f"{key} {content_hash(astuple(screening))}"

    def engine(
        self,
        spool: Spool,
        jobs: int | None,
        progress: Progress | None,
        scale: ScaleSection | None,
        log: Log,
        folder: Path | None = None,
    ) -> AbstractContextManager[TaskRunner]:
        """Return the engine of this execution. It calls `progress` with numbers of solutions.

        folder: where the progress is also written, for `codepref status`. None writes it nowhere.
        """
        done = 0
        file = None if folder is None else ProgressFile(folder, "solutions")

        def report(count: int) -> None:
            nonlocal done
            done += count
            if file is not None:
                file(done, spool.lines)
            if progress is not None and count:
                progress(done, spool.lines)

        self._progress = report
        if scale is not None and scale.executor == "ray":
            from codepref.execution.cluster import ClusterEngine

            engine = ClusterEngine(scale, jobs=jobs, unconfined=self._unconfined, progress=report, log=log)
            if file is not None:
                file.nodes = engine.dispatcher.nodes
            return engine
        return Engine(jobs=jobs, unconfined=self._unconfined, progress=report)

    def screen(self, engine: TaskRunner) -> None:
        """Run the programs that do nothing, and leave out the tests that prove nothing. "keep" switches this off."""
        if self._keeps:
            return
        tasks = ((self._known[task], self.tests.get(task, ()), digest) for task, digest in self._digests.items())
        self._screenings = screen(tasks, engine, self.limits)
        kept = {task: screening.kept(self.tests[task]) for task, screening in self._screenings.items()}
        self.tests = ChainMap(kept, self.tests) if kept else self.tests  # type: ignore[arg-type]

    def vacuous(self) -> dict[str, Any]:
        """Return the part of the summary about tests that prove nothing."""
        return counted(self._screenings, self._all_tests)

    def run(self, spool: Spool, engine: TaskRunner) -> Iterator[Sequence[Verdict]]:
        """Run the pending programs of the spool, and yield the verdicts of one piece at a time.

        The `solution_id` of these verdicts is the id of the program in the spool.
        """
        self._progress(sum(copies for _, copies, *_ in spool.verdicts()))
        for matrix in engine.run(self._tasks(spool), limits=self.limits):
            screening = self._screenings.get(matrix.task_id)
            if screening is None:
                yield matrix.verdicts
            else:
                tests = self.tests[matrix.task_id]
                yield [screening.judged(verdict, tests) for verdict in matrix.verdicts]

    def _tasks(self, spool: Spool) -> Iterator[Task]:
        for task, programs in spool.pieces():
            solutions = [Solution(task, program.id, program.source) for program in programs]
            copies = [program.copies for program in programs]
            tests = self._screenings.get(task, PROVEN).run(self.tests.get(task, ()))
            yield Task(self._known[task], solutions, tests, copies)


def _first(wrong: Sequence[str], limit: int = 5) -> list[str]:
    return [*wrong[:limit], *([f"... and {len(wrong) - limit} more"] if len(wrong) > limit else [])]


def _tests_by_task(problems: Sequence[Problem], tests: Tests | None) -> Mapping[str, Sequence[Test]]:
    if tests is None:
        return {problem.task_id: problem.tests for problem in problems}
    if isinstance(tests, Mapping):
        return tests
    grouped: dict[str, list[Test]] = {}
    for test in tests:
        grouped.setdefault(test.task_id, []).append(test)
    return grouped
