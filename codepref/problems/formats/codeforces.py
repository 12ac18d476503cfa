"""open-r1/codeforces and Qwen/CodeElo (arXiv 2501.01257): statements in parts, and tests as lists."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace

from codepref.errors import UserError
from codepref.problems.checkers import check_checker, checker_source
from codepref.problems.columns import programs, row_id, seconds_of
from codepref.problems.fields import Row, text_field
from codepref.problems.formats.base import Format
from codepref.problems.formats.cases import Case, read_cases
from codepref.problems.formats.statements import case_problem, kept
from codepref.records import Problem

_KEPT = ("title", "rating", "tags", "contest_id", "index", "official_tests_complete", "memory_limit")


def read(row: Row, where: str) -> Problem:
    """Return the problem of one row of open-r1/codeforces. The id begins with "Codeforces/".

    If the row has a checker (`generated_checker`), the checker decides which outputs are right. Raises UserError for an
    interactive problem, a program that must read a file, tests that cannot be run, a checker that `check_checker`
    refuses, and malformed columns.
    """
    if row.get("interaction_format"):
        raise UserError(f"{where}: the problem is interactive")
    if row.get("input_mode") not in (None, "", "stdio", "stdin"):
        raise UserError(f"{where}: the program must read a file (input_mode {row['input_mode']!r})")
    if row.get("executable") is False:
        raise UserError(f"{where}: its tests cannot be run (executable is false)")
    meta = kept(row, "codeforces", _KEPT)
    if seconds := seconds_of(row.get("time_limit")):
        meta["time_limit"] = seconds
    problem = _problem(row, where, ("input_format", "output_format"), "official_tests", meta)
    checker = text_field(row, "generated_checker", where, default="")
    return _with_checker(problem, checker, where) if checker.strip() else problem


def _with_checker(problem: Problem, checker: str, where: str) -> Problem:
    """Return the problem with tests that run the checker. Raises UserError as `check_checker` does."""
    check_checker(checker, where)
    sources = [json.loads(test.source) for test in problem.tests]
    tests = tuple(
        replace(test, kind="checker", source=checker_source(source["input"], source["output"], checker))
        for test, source in zip(problem.tests, sources, strict=True)
    )
    return replace(problem, tests=tests)


def read_codeelo(row: Row, where: str) -> Problem:
    """Return the problem of one row of CodeElo. Its only tests are the examples, since the others are not published."""
    if row.get("interaction"):
        raise UserError(f"{where}: the problem is interactive")
    meta = kept(row, "codeelo", _KEPT)
    if seconds := seconds_of(row.get("time_limit_ms"), unit=0.001):
        meta["time_limit"] = seconds
    return _problem(row, where, ("input", "output"), "examples", meta)


def _problem(row: Row, where: str, parts: Sequence[str], column: str, meta: dict[str, object]) -> Problem:
    description = text_field(row, "description", where)
    forms = [text_field(row, part, where, default="") for part in parts]
    note = text_field(row, "note", where, default="")
    examples = read_cases(row.get("examples"), "examples", where)
    sections = [
        ("", description),
        *zip(("Input", "Output"), forms, strict=True),
        ("", _shown(examples)),
        ("Note", note),
    ]
    statement = "\n\n".join(f"{title}\n\n{text.strip()}" if title else text.strip() for title, text in sections if text)
    title = text_field(row, "title", where, default="")
    return case_problem(
        read_cases(row.get(column), column, where),
        task_id=_task_id(row, statement),
        statement=f"{title}\n\n{statement}" if title and description.strip() else statement,
        golds=programs(row.get("solutions")),
        meta=meta,
        where=where,
    )


def _task_id(row: Row, statement: str) -> str:
    name = row_id(row, "Codeforces", ("id", "problem_id"), (statement,))
    return name if name.startswith("Codeforces/") else f"Codeforces/{name}"


def _shown(examples: Iterable[Case]) -> str:
    return "\n\n".join(f"Example\n\n{_text(case.input)}\n\n{_text(case.output)}" for case in examples)


def _text(value: object) -> str:
    return "\n".join(map(str, value)) if isinstance(value, list) else str(value).rstrip()


FORMAT = Format("Codeforces of open-r1", frozenset({"description", "official_tests"}), read)
CODEELO = Format("CodeElo", frozenset({"description", "input", "output", "examples"}), read_codeelo)
