"""What is told beside the figures of `execute`: verdicts that are nobody's fault, tests left out, gold that fails."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from codepref.errors import InfrastructureError
from codepref.execution.artifacts import VERDICTS
from codepref.execution.gold import check_gold
from codepref.execution.limits import Limits
from codepref.execution.reading import iter_verdicts
from codepref.problems.kinds import kind_of
from codepref.problems.needs import list_names, missing_packages_message
from codepref.records import INFRASTRUCTURE, PASS, Problem, Test
from codepref.sampling.answers import LoadedTests

Say = Callable[[str], None]

OF_THE_PROBLEM = ("the problem's", "the reference")
"""How the detail of a verdict begins when `I` is the problem's fault and not our machinery's."""


def tell_tests(problems: Sequence[Problem], given: LoadedTests | None, say: Say) -> None:
    """Say which tests were left out and why, and how many problems have none."""
    if given is not None and given.dropped:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in sorted(given.dropped.items()))
        say(f"codepref: tests left out: {reasons} (docs/problems.md says what the reasons mean)")
    tests: Mapping[str, Sequence[Test]] = {p.task_id: p.tests for p in problems} if given is None else given.tests
    bare = sum(not tests.get(problem.task_id) for problem in problems)
    if bare:
        say(f"codepref: {bare:,} of {len(problems):,} problems have no test; their solutions get no verdict")


def tell_needs(problems: Sequence[Problem], say: Say) -> None:
    """Say which packages problems need that cannot be imported here: solutions cannot pass there."""
    if told := missing_packages_message(problems):
        say(f"codepref: {told}")


def tell_faults(folder: Path, summary: Mapping[str, Any], say: Say) -> None:
    """Say how many verdicts are `I` and why. Raises InfrastructureError when some are for a fault of ours."""
    if not summary["verdicts"].get(INFRASTRUCTURE):
        return
    causes: dict[bool, Counter[str]] = {True: Counter(), False: Counter()}
    tasks: dict[bool, set[str]] = {True: set(), False: set()}
    for matrix in iter_verdicts(folder):
        for verdict in matrix.verdicts:
            if count := verdict.codes.count(INFRASTRUCTURE):
                # a verdict with other codes too was judged: what is I there is one test's reference
                others = set(verdict.codes) != {INFRASTRUCTURE}
                of_problem = others or verdict.detail.startswith(OF_THE_PROBLEM)
                known = verdict.detail.startswith(OF_THE_PROBLEM) or not of_problem
                causes[of_problem][verdict.detail if known else "a test's reference failed"] += count
                tasks[of_problem].add(matrix.task_id)
    if causes[True]:
        say(f"codepref: {_told(causes[True], tasks[True], summary)}. The problem is at fault, not the solutions")
    if causes[False]:
        raise InfrastructureError(
            f"{_told(causes[False], tasks[False], summary)}. This is no solution's fault: "
            "mend the cause (`codepref doctor` looks for it) and run again with another --out"
        )


def _told(causes: Counter[str], tasks: set[str], summary: Mapping[str, Any]) -> str:
    (cause, _), *others = causes.most_common()
    more = f" (and {len(others):,} causes more, in details.parquet)" if others else ""
    return (
        f"{causes.total():,} of {summary['cells']:,} verdicts are {INFRASTRUCTURE}, in {list_names(tasks)}: "
        f"{' '.join(cause.split())[:300]}{more}"
    )


def tell_gold(
    problems: Sequence[Problem], folder: Path, say: Say, *, limits: Limits, jobs: int | None, unconfined: bool
) -> None:
    """Say which problems' own gold solution fails too, of those that have a test which no solution passed.

    Where every test was passed by some solution, the tests can be passed, and gold is not run. Tests of kind "inputs"
    have run it already. Raises what `execute` raises.
    """
    hopeless = set(_with_a_test_that_none_passed(folder))
    failing = [p for p in problems if p.task_id in hopeless]
    suspects = [p for p in failing if not any(kind_of(test).has_reference for test in p.tests)]
    failed = check_gold(suspects, limits=limits, jobs=jobs, unconfined=unconfined) if suspects else []
    failed = [failure for failure in failed if INFRASTRUCTURE not in failure.codes]
    if failed:
        first = failed[0]
        say(
            f"codepref: the gold solution of {list_names({failure.task_id for failure in failed})} fails its own tests "
            f"under these limits ({first.task_id}: {first.codes[:20]}, {' '.join(first.detail.split())[:200]}): "
            "verdicts there say little about the solutions"
        )


def _with_a_test_that_none_passed(folder: Path) -> Iterator[str]:
    import pyarrow.parquet as pq

    passed: dict[str, int] = {}
    wanted: dict[str, int] = {}
    # without threads: where processes are scarce, none may be left
    with pq.ParquetFile(folder / VERDICTS, pre_buffer=False) as table:
        for batch in table.iter_batches(columns=["task_id", "verdicts"], use_threads=False):
            for row in batch.to_pylist():
                task, codes = row["task_id"], row["verdicts"]
                bits = sum(1 << place for place, code in enumerate(codes) if code == PASS)
                passed[task] = passed.get(task, 0) | bits
                wanted[task] = (1 << len(codes)) - 1
    return (task for task, bits in passed.items() if bits != wanted[task])
