"""`codepref.execute` and `codepref.execute_into`: solutions run against tests in the sandbox."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from codepref.api.inputs import Problems, Progress, Solutions, Tests, load_problems, read_solutions, read_tests
from codepref.execution.limits import Limits
from codepref.problems.statements import STATEMENTS
from codepref.records import VerdictMatrix
from codepref.storage.files import check_target


def execute(
    problems: Problems,
    solutions: Solutions,
    tests: Tests | None = None,
    *,
    out: str | Path | None = None,
    limits: Limits | None = None,
    jobs: int | None = None,
    tests_per_completion: int = 5,
    probes: int = 0,
    unconfined: bool = False,
    progress: Progress | None = None,
) -> list[VerdictMatrix]:
    """Run solutions against tests in the sandbox. `execute_into` does the same for more than memory can hold.

    solutions: a file of lines {"task_id", "completion"} or {"task_id", "solution"}, EvalPlus's folder of programs or
    file of results, Solution records, or rows with those columns. tests: None means the problems' own tests; otherwise
    a file of lines {"task_id", "test"} or {"task_id", "completion"}, or task_id -> Test records. probes: add about so
    many calls a problem, varied from its tests, for rules that compare answers (`agreement`). out: a folder for
    verdicts.parquet, tests.parquet, summary.json and the problems' statements; an interrupted call continues from what
    is there. Returns one matrix for each task that has solutions. Raises UserError for wrong input and MachineError
    where the sandbox cannot run. docs/explanation/sandbox.md says what the sandbox promises.
    """
    from codepref.execution.execute import execute as work

    loaded = load_problems(problems)
    if out:
        check_target(Path(out) / STATEMENTS)
    return work(
        loaded,
        read_solutions(solutions, loaded),
        read_tests(tests, loaded, tests_per_completion, probes),
        out=out or None,
        limits=limits,
        jobs=jobs,
        unconfined=unconfined,
        progress=progress,
    )


def execute_into(
    problems: Problems,
    solutions: Solutions,
    tests: Tests | None = None,
    *,
    out: str | Path,
    limits: Limits | None = None,
    jobs: int | None = None,
    tests_per_completion: int = 5,
    probes: int = 0,
    unconfined: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Do what `execute` with `out` does, in memory that does not grow with the number of solutions.

    solutions: read once, a few at a time; a generator is allowed. Returns the content of `out`/summary.json instead of
    matrices. The verdicts are in `out`/verdicts.parquet; `codepref.execution.reading.iter_verdicts` reads them. Raises
    the same errors as `execute`.
    """
    from codepref.execution.execute import execute_into as work

    loaded = load_problems(problems)
    check_target(Path(out) / STATEMENTS)
    return work(
        loaded,
        read_solutions(solutions, loaded),
        read_tests(tests, loaded, tests_per_completion, probes),
        out=out,
        limits=limits,
        jobs=jobs,
        unconfined=unconfined,
        progress=progress,
    )
