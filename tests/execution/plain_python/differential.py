"""Compares codepref's verdicts on honest programs with those of plain Python.

    python tests/execution/plain_python/differential.py [--plain | --sandbox] [NAME ...]

judges each solution of the lists (or of the problems whose name or family contains a NAME), and programs that do
nothing, by plain Python and by `codepref.execute`. It prints each verdict that is not as the list states, and the
number of problems whose verdicts are all as stated. --plain judges only by plain Python, and --sandbox only by
codepref.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

import plain_judge
from listed import Listed, functions, programs

from codepref import execute
from codepref.errors import UserError
from codepref.problems.load import problems_from_rows
from codepref.records import Solution, Verdict

KNOWN: tuple[tuple[str, str], ...] = (
    (
        "module-and-class-values",
        "a module that a function returns stays with the solution, and its proxy equals only itself",
    ),
    (
        "returned-objects-compared",
        "the text does not show that the function returns objects of the solution's own class",
    ),
)
"""(name, reason) of each problem that codepref does not judge as plain Python does."""


def row(problem: Listed) -> dict[str, object]:
    """Return the problem as a row of codepref's own format, as a user would write it."""
    if problem.style == "stdio":
        test = {"kind": "stdio", "input": problem.stdin, "output": problem.stdout}
        return {"task_id": problem.name, "prompt": "Write the program.", "tests": [test]}
    tests = problem.test.splitlines() if problem.style == "asserts" else [problem.test]
    entry_point = problem.entry_point
    return {"task_id": problem.name, "prompt": f"Write {entry_point}.", "entry_point": entry_point, "tests": tests}


def sandbox_findings(listed: Sequence[Listed]) -> dict[str, list[str]]:
    """Judge all solutions by codepref. Return one line for each wrong verdict, by the name of the problem.

    A problem that codepref refuses to read is a finding too.
    """
    findings: dict[str, list[str]] = {}
    problems, solutions = [], []
    for entry in listed:
        try:
            (problem,) = problems_from_rows([row(entry)])
        except UserError as error:
            findings[entry.name] = [f"refused: {error}"]
            continue
        problems.append(problem)
        solutions += [Solution(entry.name, at, program) for at, (_, program, _) in enumerate(_all_solutions(entry))]
    verdicts = {matrix.task_id: matrix.verdicts for matrix in execute(problems, solutions)} if problems else {}
    for entry in listed:
        if entry.name in verdicts:
            lines = list(_disagreements(entry, verdicts[entry.name]))
            findings |= {entry.name: lines} if lines else {}
    return findings


def _all_solutions(entry: Listed) -> list[tuple[str, str, bool]]:
    return entry.solutions + entry.idle_solutions


def _disagreements(entry: Listed, verdicts: Iterable[Verdict]) -> Iterable[str]:
    for (label, _, right), verdict in zip(_all_solutions(entry), verdicts, strict=True):
        if verdict.correct is not right:
            yield f"{label}: codes {verdict.codes!r}, {verdict.isolation}: {verdict.detail}"


def plain_findings(listed: Sequence[Listed], jobs: int = 2) -> dict[str, list[str]]:
    """Judge all solutions by plain Python. Return the findings as `sandbox_findings` does."""
    work = [(entry, *solution) for entry in listed for solution in _all_solutions(entry)]
    with ThreadPoolExecutor(jobs) as pool:
        results = list(pool.map(lambda item: plain_judge.passes(item[0], item[2]), work))
    findings: dict[str, list[str]] = {}
    for (entry, label, _, right), (passed, report) in zip(work, results, strict=True):
        if passed != right:
            findings.setdefault(entry.name, []).append(f"{label}: {'passes' if passed else 'does not pass'}: {report}")
    return findings


def main(arguments: list[str]) -> int:
    names = [argument for argument in arguments if not argument.startswith("-")]
    wrong = 0
    for kind, all_listed in (("functions", functions()), ("programs", programs())):
        listed = [p for p in all_listed if not names or any(n in p.name or n in p.family for n in names)]
        for judge, findings_of, off in (
            ("plain Python", plain_findings, "--sandbox"),
            ("codepref", sandbox_findings, "--plain"),
        ):
            if off in arguments or not listed:
                continue
            findings = findings_of(listed)
            for entry in listed:
                for line in findings.get(entry.name, ()):
                    print(f"{judge}: {entry.family}/{entry.name} ({entry.style}): {line}")
            wrong += len(findings)
            print(f"{judge}: {len(listed) - len(findings)} of {len(listed)} {kind} as listed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
