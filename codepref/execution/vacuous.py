"""Finds tests that prove nothing, by running programs that do nothing.

A test is left out if it uses nothing of a solution. It is also left out if both a program whose functions raise and a
program whose functions return None pass it, since nearly every solution then passes it. (If solutions are whole
programs, one of the two programs ends with status 1, and the other prints nothing.) If one of three such programs
passes all tests that are left of a problem, then these tests cannot tell a right solution from a program that does
nothing. A solution that passes them is unjudged. The same holds if the tests that are left check no result, so that
nearly every program that raises nothing passes them.
"""

from __future__ import annotations

import json
import keyword
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import astuple, dataclass, replace
from typing import Any, NamedTuple, get_args

from codepref.errors import UserError
from codepref.execution.expected_cache import ExpectedCache, screening_key
from codepref.execution.limits import Limits
from codepref.execution.sandbox.kinds.main_block import as_program
from codepref.execution.tasks import Task, TaskRunner
from codepref.problems.fields import depends_on_solution, names_taken
from codepref.problems.kinds import kind_of
from codepref.problems.proven import WRONG, cannot_fail
from codepref.problems.source import parse
from codepref.records import (
    INFRASTRUCTURE,
    PASS,
    SKIPPED,
    Problem,
    Solution,
    Test,
    VacuousTests,
    Verdict,
    VerdictMatrix,
    is_correct,
)

_FUNCTIONS = {
    "raise": f"raise NotImplementedError({WRONG!r})",
    "return None": "return None",
    f"return {WRONG!r}": f"return {WRONG!r}",
}
_PROGRAMS = {
    "ends with status 1": "raise SystemExit(1)\n",
    "prints nothing": "pass\n",
    f"prints {WRONG!r}": f"print({WRONG!r})\n",
}


@dataclass(frozen=True, slots=True)
class Screening:
    """What the programs that do nothing show about the tests of one task.

    left_out: the positions of the tests that prove nothing. passed_by: words for the programs that pass all other tests
    of the problem, such as "a program whose functions return None" or "nearly every program that raises nothing", or ""
    if no such program is known. unjudged: whether each test proves nothing. No solution is then judged, all tests stay
    in the tables with the code S, and `passed_by` is the reason.
    """

    left_out: tuple[int, ...] = ()
    passed_by: str = ""
    unjudged: bool = False

    def kept(self, tests: Sequence[Test]) -> Sequence[Test]:
        """Return the tests that stay in the tables: those not in `left_out`, or all of them if `unjudged` is set."""
        if not self.left_out or self.unjudged:
            return tests
        return tuple(test for at, test in enumerate(tests) if at not in self.left_out)

    def run(self, tests: Sequence[Test]) -> Sequence[Test]:
        """Return those of the kept tests that are run. There are none if no solution is judged."""
        return () if self.unjudged else tests

    def judged(self, verdict: Verdict, tests: Sequence[Test]) -> Verdict:
        """Return the verdict with the codes S, if the tests prove nothing about the solution.

        tests: the kept tests. Unless `unjudged` is set, the codes of probes stay.
        """
        if self.unjudged:
            return replace(verdict, codes=SKIPPED * len(tests), detail=f"the tests prove nothing: {self.passed_by}")
        if not self.passed_by:
            return verdict
        own = "".join(code for code, test in zip(verdict.codes, tests, strict=True) if test.count)
        if is_correct(own) is not True:
            return verdict
        codes = "".join(SKIPPED if test.count else code for code, test in zip(verdict.codes, tests, strict=True))
        detail = f"the tests prove nothing, since {self.passed_by} passes all of them"
        return replace(verdict, codes=codes, detail=detail)


PROVEN = Screening()
"""The screening of a task whose tests are all kept and judge every solution."""


def check_vacuous_tests(choice: str) -> None:
    """Raise UserError unless `choice` is one of `VacuousTests`."""
    if choice not in get_args(VacuousTests):
        raise UserError(f"vacuous_tests must be {' or '.join(get_args(VacuousTests))}, not {choice!r}")


class Pending(NamedTuple):
    """The programs that must run before the screening of a task is known.

    key: the key in the cache. own: the positions of the tests that the programs run against. independent: the positions
    of the tests that use nothing of a solution. proven: whether the programs certainly fail another test, which they
    need not run against. programs: words for the programs. silent: for each position in own, whether the text of the
    test shows that it checks no result (see `cannot_fail`). task: the programs as solutions, with the tests in own.
    """

    key: str
    own: tuple[int, ...]
    independent: tuple[int, ...]
    proven: bool
    programs: tuple[str, ...]
    silent: tuple[bool, ...]
    task: Task


def screen(
    tasks: Iterable[tuple[Problem, Sequence[Test], bytes]], engine: TaskRunner, limits: Limits
) -> dict[str, Screening]:
    """Return the screening of each task for which it differs from PROVEN, by task id.

    tasks: problems, their tests, and a digest of each task as `encode_task` encodes it. The results are kept in the
    engine's cache. limits: those of the solutions. Raises what `engine.run` raises.
    """
    limits = screening_limits(limits)
    screenings: dict[str, Screening] = {}
    waiting: dict[str, Pending] = {}

    def keep(task_id: str, screening: Screening) -> None:
        if screening != PROVEN:
            screenings[task_id] = screening

    def tasks_to_run() -> Iterator[Task]:
        for problem, tests, digest in tasks:
            begun = begin_screening(problem, tests, digest, engine.cache, limits)
            if isinstance(begun, Screening):
                keep(problem.task_id, begun)
            else:
                waiting[problem.task_id] = begun
                yield begun.task

    for matrix in engine.run(tasks_to_run(), limits=limits):
        keep(matrix.task_id, finish_screening(waiting.pop(matrix.task_id), matrix, engine.cache))
    return screenings


def screening_limits(limits: Limits) -> Limits:
    """Return the limits of the programs that do nothing. limits: those of the solutions."""
    return replace(limits, timeout_factor=None)


def begin_screening(
    problem: Problem, tests: Sequence[Test], digest: bytes, cache: ExpectedCache, limits: Limits
) -> Screening | Pending:
    """Return the screening of a task if it is known without running a program. Otherwise return what must run.

    digest, cache: as for `screen`. limits: `screening_limits`.
    """
    if not any(test.count for test in tests):
        return PROVEN
    key = screening_key(digest, limits.resolved(), [test.source for test in tests])
    if (known := _decoded(cache.read(key))) is not None:
        return known
    independent = tuple(at for at, test in enumerate(tests) if test.count and _is_independent(test, problem))
    open_ = [at for at, test in enumerate(tests) if test.count and at not in independent]
    own = tuple(at for at in open_ if not _is_proven(tests[at], problem))
    if len(own) < len(open_):  # no such program passes all tests, so one failed test is enough
        own = tuple(at for at in own if not _fails_raising(tests[at], problem))
    if open_ and not own:
        cache.write(key, _encoded(Screening(independent)))
        return Screening(independent)
    programs = do_nothing_programs(problem, [tests[at] for at in own])
    silent = tuple(_is_silent(tests[at], problem) for at in own)
    solutions = [Solution(problem.task_id, at, program) for at, program in enumerate(programs.values())]
    task = Task(problem, solutions, [tests[at] for at in own], [0] * len(solutions))
    return Pending(key, own, independent, len(own) < len(open_), tuple(programs), silent, task)


def finish_screening(pending: Pending, matrix: VerdictMatrix, cache: ExpectedCache) -> Screening:
    """Return the screening that the verdicts of the programs show.

    Keep it in the cache, unless a program got the code I.
    """
    codes = [verdict.codes for verdict in matrix.verdicts]
    screening = _screening(pending, codes)
    if INFRASTRUCTURE not in "".join(codes):
        cache.write(pending.key, _encoded(screening))
    return screening


def _screening(pending: Pending, codes: Sequence[str]) -> Screening:
    """Return what the codes show. codes: those of the three programs, each with one code for each test that ran."""
    raising, none, _ = codes
    vacuous = [raising[at] == none[at] == PASS for at in range(len(pending.own))]
    left_out = tuple(
        sorted((*pending.independent, *(at for at, left in zip(pending.own, vacuous, strict=True) if left)))
    )
    if pending.proven:
        return Screening(left_out)
    if all(vacuous):
        reason = "each test names nothing of the solution, or programs that do nothing pass it"
        return Screening(left_out, reason, unjudged=True)
    for name, row in zip(pending.programs, codes, strict=True):
        if all(code == PASS for code, left in zip(row, vacuous, strict=True) if not left):
            return Screening(left_out, name)
    if all(silent or left for silent, left in zip(pending.silent, vacuous, strict=True)):
        return Screening(left_out, "nearly every program that raises nothing")
    return Screening(left_out)


def do_nothing_programs(problem: Problem, tests: Sequence[Test]) -> dict[str, str]:
    """Return three programs that do nothing, by their descriptions (see _FUNCTIONS and _PROGRAMS)."""
    if tests and kind_of(tests[0]).whole_program:
        return {f"a program that {name}": program for name, program in _PROGRAMS.items()}
    names = {problem.entry_point}.union(*(_names_taken(test, problem) for test in tests))
    return {f"a program whose functions {name}": _program(names, body) for name, body in _FUNCTIONS.items()}


def _program(names: Set[str], body: str) -> str:
    """Return a program whose functions, and methods in names such as "Solution.f", all have this body."""
    classes = {name.partition(".")[0] for name in names if "." in name}
    parts = [f"class {owner}:\n    pass\n" for owner in sorted(classes) if _is_free(owner)]
    for name in sorted(names - classes):
        owner, _, function = name.rpartition(".")
        if _is_free(function):
            parts.append(f"def {function}(*arguments, **options):\n    {body}\n")
            parts[-1] += f"\n\n{name} = {function}\n" if owner else ""
    return "\n\n".join(parts)


def _names_taken(test: Test, problem: Problem) -> set[str]:
    names = kind_of(test).names
    return names_taken(test.source, problem.helpers) if names is None else names(test.source)


def _is_free(name: str) -> bool:
    return name.isidentifier() and not keyword.iskeyword(name)


def _is_independent(test: Test, problem: Problem) -> bool:
    """Return whether a test in Python names nothing that a solution defines."""
    return kind_of(test).python and not depends_on_solution(test.source, problem.entry_point, problem.helpers)


def _is_proven(test: Test, problem: Problem) -> bool:
    """Return whether the text of a test shows that programs which do nothing fail it."""
    return kind_of(test).proves(test.source, problem.entry_point, problem.helpers)


def _fails_raising(test: Test, problem: Problem) -> bool:
    """Return whether the text of a test shows that a program fails it if all its functions raise an exception."""
    return kind_of(test).calls(test.source, problem.entry_point, problem.helpers)


def _is_silent(test: Test, problem: Problem) -> bool:
    """Return whether the text of a test in Python shows that it checks no result (see `cannot_fail`)."""
    tree = parse(test.source) if kind_of(test).python else None
    return tree is not None and cannot_fail(as_program(tree), problem.entry_point)


def _encoded(screening: Screening) -> bytes:
    return json.dumps(astuple(screening)).encode()


def _decoded(body: bytes) -> Screening | None:
    """Return the screening in the bytes of the cache, or None if they hold none."""
    try:
        left_out, passed_by, unjudged = json.loads(body)
        return Screening(tuple(map(int, left_out)), str(passed_by), bool(unjudged))
    except (ValueError, TypeError):
        return None


def counted(screenings: Mapping[str, Screening], tests: Mapping[str, Sequence[Test]]) -> dict[str, Any]:
    """Return the part of summary.json about tests that prove nothing.

    tests: all tests by task, before any was left out.
    """
    left_out = {
        task: [tests[task][at].test_id for at in screening.left_out]
        for task, screening in screenings.items()
        if screening.left_out
    }
    return {
        "vacuous_tests": sum(map(len, left_out.values())),
        "vacuous_tests_by_problem": left_out,
        "problems_that_prove_nothing": {
            task: screening.passed_by for task, screening in screenings.items() if screening.passed_by
        },
    }
