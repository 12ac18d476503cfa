"""AceCode-87K (arXiv 2502.01718), whose rows hold lists of asserts, and its copy for training with rewards."""

from __future__ import annotations

from collections.abc import Mapping

from codepref.errors import UserError
from codepref.problems.columns import is_list, listed, row_id, text_of_lines
from codepref.problems.fields import Row
from codepref.problems.formats.base import Format
from codepref.problems.formats.python_tests import entry_point_of, program_of, statement_field, stdio_tests, text_tests
from codepref.problems.formats.reinforcement import request_of
from codepref.problems.formats.statements import kept
from codepref.problems.kinds import check_together, kind_of
from codepref.records import Problem, Test

_TESTS = ("test_cases", "tests")
"""The column of asserts in the first version and in the second."""


def read(row: Row, where: str) -> Problem:
    """Return the problem of one row. The gold solution is the first answer in `inferences` that passed all tests."""
    column = next(name for name in _TESTS if name in row)
    prompt, texts = statement_field(row, ("question",), where), listed(row[column], column, where)
    task_id = row_id(row, "AceCode", ("id", "question_id"), [prompt, texts])
    tests = text_tests(texts, task_id, column, where)
    return _problem(row, task_id, prompt, tests, _best_answer(row), where)


def read_rewards(row: Row, where: str) -> Problem:
    """Return the problem of one row of the copy for training with rewards.

    `ground_truth` is a list of asserts, or of inputs and outputs of programs. Rows of data sets without code, such as
    "math", are refused.
    """
    names = row.get("dataset")
    listing = [*names] if names is not None and is_list(names) else [names]
    if not any(isinstance(name, str) and name.startswith("code") for name in listing):
        raise UserError(f"{where}: `dataset` is {str(names)[:80]!r}. Only rows of data sets of code can be run")
    prompt = request_of(row.get("messages"), "messages", where)
    if not prompt.strip():
        raise UserError(f"{where}: messages holds no text of a user, so there is no statement")
    entries = listed(row.get("ground_truth"), "ground_truth", where)
    task_id = row_id(row, "AceCode", ("id", "question_id"), [prompt, entries])
    if entries and all(isinstance(entry, Mapping) for entry in entries):
        cases = [
            (text_of_lines(entry.get("input"), "input", where), text_of_lines(entry.get("output"), "output", where))
            for entry in entries
        ]
        return _problem(row, task_id, prompt, stdio_tests(cases, task_id), None, where)
    return _problem(row, task_id, prompt, text_tests(entries, task_id, "ground_truth", where), None, where)


def _best_answer(row: Row) -> str | None:
    inferences = row.get("inferences")
    for answer in [*inferences] if inferences is not None and is_list(inferences) else []:
        if isinstance(answer, Mapping) and answer.get("pass_rate") == 1 and isinstance(answer.get("completion"), str):
            return program_of(answer["completion"])
    return None


def _problem(row: Row, task_id: str, prompt: str, tests: tuple[Test, ...], gold: str | None, where: str) -> Problem:
    check_together(tests, where)
    program = kind_of(tests[0]).whole_program
    return Problem(
        task_id=task_id,
        prompt=prompt,
        entry_point="main" if program else entry_point_of(tests, gold, where, statement=prompt),
        tests=tests,
        gold=gold,
        style="program" if program else "instruct",
        meta=kept(row, "acecode", ("source", "difficulty", "dataset")),
    )


class _AceCode(Format):
    def matches(self, row: Row) -> bool:
        """Return whether the columns fit. A column `tests` must hold texts, since other data sets have it too."""
        if not super().matches(row):
            return False
        try:
            texts = listed(row[next(name for name in _TESTS if name in row)], "tests", "")
        except UserError:
            return "test_cases" in row  # reading the row gives the message
        return "test_cases" in row or (bool(texts) and all(isinstance(text, str) for text in texts))


FORMAT = _AceCode("AceCode", frozenset({"question"}), read, (_TESTS,))
REWARDS = Format("AceCode for training with rewards", frozenset({"messages", "ground_truth", "dataset"}), read_rewards)
