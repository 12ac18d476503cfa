"""The notes that `execute` prints on stderr. `evaluate` prints only the note on missing packages.

The notes report tests that were left out, problems without tests or with tests that prove nothing, missing packages,
verdict codes `I`, and gold solutions that fail.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from codepref.config.scale import ScaleSection
from codepref.errors import InfrastructureError
from codepref.execution.artifacts import VERDICTS
from codepref.execution.gold import check_gold
from codepref.execution.limits import Limits
from codepref.execution.reading import iter_verdicts
from codepref.problems.kinds import kind_of
from codepref.problems.needs import list_names, missing_packages_message
from codepref.records import INFRASTRUCTURE, PASS, SKIPPED, Problem, Test, VacuousTests, is_correct
from codepref.sampling.answers import LoadedTests

Log = Callable[[str], None]

PROBLEM_AT_FAULT = ("the problem's", "the reference")
"""If the detail of a verdict begins with one of these texts, the problem caused the code `I`, and not the machine."""


def note_tests(problems: Sequence[Problem], loaded: LoadedTests | None, log: Log) -> None:
    """Log how many tests were left out and why, and how many problems have no test.

    loaded: the tests of a file, or None for the problems' own tests.
    """
    if loaded is not None and loaded.dropped:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in sorted(loaded.dropped.items()))
        log(f"codepref: tests left out: {reasons} (docs/reference/problems.md explains the reasons)")
    tests: Mapping[str, Sequence[Test]] = {p.task_id: p.tests for p in problems} if loaded is None else loaded.tests
    without = sum(not tests.get(problem.task_id) for problem in problems)
    if without:
        log(f"codepref: {without:,} of {len(problems):,} problems have no test; their solutions get no verdict code")


def note_packages(problems: Sequence[Problem], log: Log) -> None:
    """Log the packages that problems need and this machine lacks. Solutions of these problems usually cannot pass."""
    if message := missing_packages_message(problems):
        log(f"codepref: {message}")


def note_infrastructure(folder: Path, summary: Mapping[str, Any], log: Log) -> None:
    """Log how many verdict codes `I` the problems caused. Raises InfrastructureError if there are other codes `I`.

    A problem counts as the cause if the solution has another code too, or if the detail of the verdict begins with one
    of PROBLEM_AT_FAULT.
    """
    if not summary["verdicts"].get(INFRASTRUCTURE):
        return
    causes: dict[bool, Counter[str]] = {True: Counter(), False: Counter()}
    tasks: dict[bool, set[str]] = {True: set(), False: set()}
    for matrix in iter_verdicts(folder):
        for verdict in matrix.verdicts:
            if count := verdict.codes.count(INFRASTRUCTURE):
                # if other tests of the solution gave a verdict, the sandbox worked, and one test's reference failed
                judged = set(verdict.codes) != {INFRASTRUCTURE}
                of_problem = judged or verdict.detail.startswith(PROBLEM_AT_FAULT)
                known = verdict.detail.startswith(PROBLEM_AT_FAULT) or not of_problem
                causes[of_problem][verdict.detail if known else "a test's reference failed"] += count
                tasks[of_problem].add(matrix.task_id)
    if causes[True]:
        log(f"codepref: {_describe(causes[True], tasks[True], summary)}. The problems caused this, not the solutions")
    if causes[False]:
        raise InfrastructureError(
            f"{_describe(causes[False], tasks[False], summary)}. No solution caused this. "
            "Fix the cause (`codepref doctor` looks for it), and run again with another --out"
        )


def _describe(causes: Counter[str], tasks: set[str], summary: Mapping[str, Any]) -> str:
    (cause, _), *others = causes.most_common()
    more = f" (and {len(others):,} other causes, in details.parquet)" if others else ""
    return (
        f"{causes.total():,} of {summary['cells']:,} verdicts are {INFRASTRUCTURE}, in {list_names(tasks)}: "
        f"{' '.join(cause.split())[:300]}{more}"
    )


def note_vacuous(summary: Mapping[str, Any], log: Log) -> None:
    """Log the tests that were left out since they prove nothing, and the problems whose tests prove nothing.

    summary: the content of summary.json, which names all these tests and problems. The messages name at most ten tests
    and ten problems.
    """
    left_out: Mapping[str, Sequence[str]] = summary.get("vacuous_tests_by_problem", {})
    if left_out:
        names = [f"{task} test {test}" for task, tests in left_out.items() for test in tests]
        log(
            f"codepref: tests left out: {len(names):,} ({_list_first(names)}). Each of them names nothing of the "
            "solution, or programs that do nothing pass it. With --vacuous-tests keep they run"
        )
    problems: Mapping[str, str] = summary.get("problems_that_prove_nothing", {})
    if problems:
        causes = [f"{task} ({cause})" for task, cause in problems.items()]
        log(
            f"codepref: problems whose tests prove nothing: {len(problems):,} ({_list_first(causes)}). These "
            "tests cannot tell a right solution from a program that does nothing. Solutions that pass them, or all "
            f"solutions if no test is left, are unjudged ({SKIPPED})"
        )


def _list_first(names: Sequence[str], limit: int = 10) -> str:
    more = f" and {len(names) - limit:,} more, in summary.json" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more


def note_gold(
    problems: Sequence[Problem],
    folder: Path,
    log: Log,
    *,
    limits: Limits,
    jobs: int | None,
    unconfined: bool,
    vacuous_tests: VacuousTests,
    scale: ScaleSection | None = None,
) -> None:
    """Run the gold solutions of problems with a test that no solution in `folder` passed, and log those that fail.

    Problems without solutions or without a gold solution are left out. A problem is also left out if one of its tests
    is of a kind with a reference solution, such as "inputs", since the reference solution has run already. Raises what
    `execute` raises.
    """
    unpassed = set(_tasks_with_an_unpassed_test(folder))
    failing = [p for p in problems if p.task_id in unpassed]
    suspects = [p for p in failing if not any(kind_of(test).has_reference for test in p.tests)]
    engine: dict[str, Any] = {"jobs": jobs, "unconfined": unconfined, "vacuous_tests": vacuous_tests}
    engine["scale"] = scale
    failed = check_gold(suspects, limits=limits, **engine) if suspects else []
    failed = [failure for failure in failed if is_correct(failure.codes) is False]
    if failed:
        first = failed[0]
        log(
            "codepref: gold solutions fail their problems' own tests under these limits, in "
            f"{list_names({failure.task_id for failure in failed})} ({first.task_id}: {first.codes[:20]}, "
            f"{' '.join(first.detail.split())[:200]}). The verdicts on these problems say little about the solutions"
        )


def _tasks_with_an_unpassed_test(folder: Path) -> Iterator[str]:
    """Return the tasks in a folder of verdicts that have at least one test in the tables that no solution passed."""
    import pyarrow.parquet as pq

    passed: dict[str, int] = {}
    all_tests: dict[str, int] = {}
    # pyarrow uses one thread, since it could not start others on a machine that is short of processes
    with pq.ParquetFile(folder / VERDICTS, pre_buffer=False) as table:
        for batch in table.iter_batches(columns=["task_id", "verdicts"], use_threads=False):
            for row in batch.to_pylist():
                task, codes = row["task_id"], row["verdicts"]
                bits = sum(1 << place for place, code in enumerate(codes) if code == PASS)
                passed[task] = passed.get(task, 0) | bits
                all_tests[task] = (1 << len(codes)) - 1
    return (task for task, bits in passed.items() if bits != all_tests[task])
