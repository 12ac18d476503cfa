"""Inspects a stream of problems: runs their tests, compares them with benchmarks, and selects the good ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from codepref.evaluation.estimators import wilson_interval
from codepref.execution.gold import ProblemCheck, check_problems
from codepref.problems.contamination import HeldOut, Overlap, problem_text
from codepref.problems.drawing import Draw, chunks
from codepref.problems.load import ProblemStream
from codepref.problems.survey import Survey
from codepref.records import Problem

EXAMPLES = 5
"""The largest number of examples of gold solutions that do not pass, and as many of other findings of each kind.

Reasons for which rows were left out have a limit of their own, `codepref.problems.left_out.MAX_EXAMPLES`.
"""

Notify = Callable[[str, int, int], None]


class Inspection:
    """One inspection of a stream of problems.

    benchmarks: the problems with which the stream is compared, by the name of their source. gold: the largest number
    of problems whose tests are run. They are drawn with `seed`. -1 stands for all problems, and 0 for none. progress:
    as in `codepref.inspect`.

    Attributes: `not_written` counts the problems that are not good, by the reason. It is of use only if the tests of
    all problems are run, or of none.
    """

    def __init__(
        self,
        stream: ProblemStream,
        survey: Survey,
        benchmarks: Mapping[str, Sequence[Problem]],
        *,
        gold: int,
        seed: int,
        progress: Notify,
    ) -> None:
        self._stream, self._survey, self._benchmarks = stream, survey, benchmarks
        self._gold, self._seed, self._progress = gold, seed, progress
        self._heldout = {name: HeldOut(problems) for name, problems in benchmarks.items()}
        self._checks: Counter[str] = Counter()
        self._codes: Counter[str] = Counter()
        self._overlapping: Counter[str] = Counter()
        self._examples: dict[str, list[dict[str, Any]]] = {}
        self.not_written: Counter[str] = Counter()

    def good_problems(self, limit: int | None, settings: Mapping[str, Any]) -> Iterator[Problem]:
        """Inspect at most `limit` problems, and yield the good ones in their order.

        If only the tests of drawn problems are run, yield none. settings: keyword arguments for `check_problems`.
        Raises what `ProblemStream` and `check_problems` raise.
        """
        problems = self._counted(islice(self._stream, limit))
        if self._gold == -1:
            for chunk in chunks(problems):
                yield from self._checked(chunk, settings)
        elif self._gold == 0:
            yield from (problem for problem in problems if not self._overlap(problem))
        else:
            drawn, checked = Draw(self._gold, self._seed), 0
            for problem in problems:
                self._overlap(problem)
                drawn.add(problem)
            for chunk in chunks(iter(drawn.problems())):
                checked += len(chunk)
                self._check(chunk, settings)
                self._progress("tests", checked, len(drawn.kept))
        if not self._survey.problems or self._stream.strict:
            self._stream.finish()  # raises UserError before anything is written

    def _counted(self, problems: Iterator[Problem]) -> Iterator[Problem]:
        for number, problem in enumerate(problems, start=1):
            self._survey.add(problem)
            if number % 1000 == 0:
                self._progress("read", number, 0)
            yield problem

    def _checked(self, chunk: list[Problem], settings: Mapping[str, Any]) -> Iterator[Problem]:
        checks = self._check(chunk, settings)
        self._progress("tests", self._survey.problems, 0)
        for problem in chunk:
            check = checks.get(problem.task_id)
            if reason := _why_bad(check):
                self.not_written[reason] += 1
                self._overlap(problem, count_unwritten=False)
            elif not self._overlap(problem):
                yield _without(problem, check.vacuous if check else ())

    def _overlap(self, problem: Problem, *, count_unwritten: bool = True) -> bool:
        found = [(name, one) for name, known in self._heldout.items() if (one := known.largest(problem_text(problem)))]
        for name, one in found:
            self._overlapping[name] += 1
            self._example("overlap", _overlap_example(name, one))
        if found:
            self._checks["overlapping"] += 1
            self.not_written["overlaps with a benchmark"] += count_unwritten
        return bool(found)

    def _check(self, chunk: list[Problem], settings: Mapping[str, Any]) -> dict[str, ProblemCheck]:
        checks = {check.task_id: check for check in check_problems(chunk, **settings)}
        for check in checks.values():
            self._checks[f"gold {check.gold}"] += 1
            self._checks["vacuous tests"] += len(check.vacuous)
            self._checks["with vacuous tests"] += bool(check.vacuous)
            self._checks["prove nothing"] += bool(check.proves_nothing)
            if check.gold in ("fail", "unjudged"):
                self._codes.update({next((code for code in check.codes if code != "P"), "S"): 1})
                self._example(
                    "gold", {"task_id": check.task_id, "codes": check.codes, "detail": " ".join(check.detail.split())}
                )
            if check.vacuous:
                self._example("vacuous", {"task_id": check.task_id, "tests": list(check.vacuous)})
            if check.proves_nothing:
                self._example("prove nothing", {"task_id": check.task_id, "reason": check.proves_nothing})
        self._checks["checked"] += len(checks)
        return checks

    def _example(self, kind: str, example: dict[str, Any]) -> None:
        examples = self._examples.setdefault(kind, [])
        if len(examples) < EXAMPLES:
            examples.append(example)

    def figures(self) -> dict[str, Any]:
        """Return the figures. Call it after the last problem of `good_problems`."""
        known, left_out = self._stream.format, self._stream.left_out()
        return {
            "format": known.title if known else "the starter's problems",
            "rows": self._survey.problems + left_out.rows + self._stream.not_chosen,
            "not_chosen": self._stream.not_chosen,
            **self._survey.figures(),
            "left_out": {
                "rows": left_out.rows,
                "reasons": [
                    {"reason": name, "rows": reason.rows, "examples": reason.examples}
                    for name, reason in sorted(left_out.reasons.items(), key=lambda item: -item[1].rows)
                ],
            },
            "gold": self._gold_figures(),
            "vacuous": {
                "checked": self._checks["checked"],
                "tests": self._checks["vacuous tests"],
                "problems": self._checks["with vacuous tests"],
                "prove_nothing": self._checks["prove nothing"],
                "examples": self._examples.get("vacuous", []),
                "examples_that_prove_nothing": self._examples.get("prove nothing", []),
            },
            "overlap": {
                "benchmarks": [
                    {"source": name, "problems": len(problems), "overlapping": self._overlapping[name]}
                    for name, problems in self._benchmarks.items()
                ],
                "problems": self._checks["overlapping"],
                "examples": self._examples.get("overlap", []),
            },
        }

    def _gold_figures(self) -> dict[str, Any]:
        passed, failed, unjudged = (self._checks[f"gold {name}"] for name in ("pass", "fail", "unjudged"))
        run = passed + failed + unjudged
        low, high = wilson_interval(passed / run, run) if run else (0.0, 1.0)
        return {
            "problems": self._survey.with_gold,
            "run": run,
            "passed": passed,
            "failed": failed,
            "unjudged": unjudged,
            "share": passed / run if run else None,
            "low": low,
            "high": high,
            "codes": dict(self._codes.most_common()),
            "examples": self._examples.get("gold", []),
        }


def _why_bad(check: ProblemCheck | None) -> str:
    """Return why a problem is not written, or "" if it may be written. None stands for a problem without tests."""
    if check is None:
        return "has no test"
    if check.proves_nothing:
        return "the tests prove nothing"
    return {"fail": "the gold solution fails", "unjudged": "the gold solution is unjudged"}.get(check.gold, "")


def _without(problem: Problem, tests: Sequence[str]) -> Problem:
    if not tests:
        return problem
    return replace(problem, tests=tuple(test for test in problem.tests if test.test_id not in tests))


def _overlap_example(name: str, overlap: Overlap) -> dict[str, Any]:
    return {
        "task_id": overlap.name,
        "benchmark": name,
        "heldout": overlap.heldout,
        "kind": overlap.kind,
        "share": round(overlap.share, 3),
    }
