"""`codepref.execute` and `codepref.execute_into` run solutions against tests in the sandbox.

`codepref.speed` measures the CPU time of right solutions.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from codepref.api.inputs import (
    Problems,
    Progress,
    Solutions,
    Tests,
    Verdicts,
    load_problems,
    read_matrices,
    read_solutions,
    read_tests,
)
from codepref.config.scale import ScaleSection
from codepref.execution.limits import Limits
from codepref.problems.statements import STATEMENTS
from codepref.records import VacuousTests, VerdictMatrix
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
    strict: bool = False,
    progress: Progress | None = None,
    vacuous_tests: VacuousTests = "leave-out",
    scale: ScaleSection | None = None,
    log: Callable[[str], None] = lambda text: None,
) -> list[VerdictMatrix]:
    """Run solutions against tests in the sandbox, or without Landlock if `unconfined` is set.

    Use `execute_into` for more solutions than memory can hold.

    solutions: a file of lines {"task_id", "completion"} or {"task_id", "solution"}, EvalPlus's folder of programs or
    file of results, Solution records, or rows {"task_id", "completion"} or {"task_id", "solution"}.
    tests: a file of lines {"task_id", "test"} or {"task_id", "completion"}, or a mapping from task_id to Test records.
    None: the problems' own tests.
    tests_per_completion: the largest number of tests to take from one completion in a file of tests.
    probes: about how many calls to add per problem, varied from its tests. `codepref.sampling.probes.with_probes` says
    when there are more or fewer. The rule `agreement` uses them.
    strict: refuse a source of problems with a bad row. By default bad rows and their solutions are left out, with a
    warning.
    out: a folder for the verdicts, their details, the tests, a summary and the problems' statements. A later
    call with the same folder and input continues an interrupted one.
    vacuous_tests: "leave-out" leaves out tests that programs pass although they do nothing, and leaves a solution
    unjudged if the other tests prove nothing about it. "keep" runs all tests. docs/reference/verdicts.md has the rule.
    scale: where solutions run. None means this machine, and `codepref.config.scale.ScaleSection("ray", "auto")` the
    nodes of its Ray cluster. log: called with messages about nodes that are lost, left out or late.

    Returns one matrix for each task that has solutions. Raises UserError for wrong input, and MachineError if
    this machine lacks something, such as Landlock or disk space.
    docs/explanation/sandbox.md says what the sandbox promises.
    """
    from codepref.execution.execute import execute as work

    loaded = load_problems(problems, strict=strict)
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
        vacuous_tests=vacuous_tests,
        scale=scale,
        log=log,
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
    strict: bool = False,
    progress: Progress | None = None,
    vacuous_tests: VacuousTests = "leave-out",
    scale: ScaleSection | None = None,
    log: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Run solutions as `execute` does, write the results into `out`, and return the content of `out`/summary.json.

    The solutions need not fit into memory, and `solutions` may be a generator.
    `codepref.execution.reading.iter_verdicts` reads the verdicts in `out`/verdicts.parquet. The other arguments and the
    errors are those of `execute`.
    """
    from codepref.execution.execute import execute_into as work

    loaded = load_problems(problems, strict=strict)
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
        vacuous_tests=vacuous_tests,
        scale=scale,
        log=log,
    )


def speed(
    problems: Problems,
    verdicts: Verdicts,
    *,
    out: str | Path,
    repeats: int = 5,
    inputs: int = 3,
    limits: Limits | None = None,
    unconfined: bool = False,
    strict: bool = False,
    progress: Progress | None = None,
) -> dict[str, int]:
    """Measure the CPU time of right solutions in the sandbox, for the rule `speed` of `pair`.

    verdicts: a folder that `execute` wrote for the problems' own tests, or matrices. The solutions that pass all tests
    are measured.
    out: a file of JSON lines for the times. A later call with the same file and input continues an interrupted one.
    repeats: the number of measurements of each solution. inputs: how many of a problem's inputs to measure on; the
    largest ones are taken.
    strict: refuse a source of problems with a bad row, which is left out by default.

    Other work on the machine disturbs the measurement less than it would disturb wall-clock time, but measure on a
    quiet machine. Returns the numbers of problems and of solutions that were measured. Raises UserError for wrong
    input, and MachineError if this machine lacks something.
    """
    from codepref.execution.speed import measure_speed

    return measure_speed(
        load_problems(problems, strict=strict),
        read_matrices(verdicts),
        out=out,
        repeats=repeats,
        inputs=inputs,
        limits=limits,
        unconfined=unconfined,
        progress=progress,
    )
