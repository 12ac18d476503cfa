"""KodCode-V1 (arXiv 2503.02951): each row has a file of pytest, or inputs and outputs of a program.

The hub's file has the column `test`, and the files of KodCode's pipeline have `test_code`. Files of its verification
step have `instruction` and `response` instead of `question` and `solution`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from codepref.errors import UserError
from codepref.problems.columns import decoded, first_text, row_id, structs, text_of_lines
from codepref.problems.fields import Row, prompt_parts
from codepref.problems.formats.base import Format
from codepref.problems.formats.humaneval_pro import last_function
from codepref.problems.formats.python_tests import entry_point_of, program_of, statement_field, stdio_tests, text_tests
from codepref.problems.formats.statements import kept
from codepref.problems.kinds import kind_of
from codepref.problems.source import parse
from codepref.records import Problem, Style, Test


def read(row: Row, where: str) -> Problem:
    """Return the problem of one row.

    Its entry point is what the tests import from `solution`, or call. It is "main" for a whole program. Raises
    UserError for a row without a statement or a test, and if the tests do not show the entry point.
    """
    prompt = statement_field(row, ("question", "instruction"), where)
    gold = program_of(first_text(row, "solution", "response"))
    value = next((row[key] for key in ("test", "test_code") if row.get(key)), None)
    task_id = row_id(row, "KodCode", ("question_id", "id", "conversation_id"), [prompt, value])
    tests = _tests(value, task_id, where)
    style: Style = "program" if kind_of(tests[0]).whole_program else "instruct"
    entry_point = "main" if style == "program" else entry_point_of(tests, gold or None, where, statement=prompt)
    code = ""
    if row.get("style") == "complete" and style == "instruct" and _is_head(prompt, entry_point):
        style, code = "complete", prompt if prompt.endswith("\n") else prompt + "\n"
    return Problem(
        task_id=task_id,
        prompt=code or prompt,
        entry_point=entry_point,
        tests=tests,
        gold=gold or None,
        style=style,
        preamble=prompt_parts(code, entry_point).preamble,
        meta=kept(row, "kodcode", ("subset", "gpt_difficulty", "gpt_pass_percentage")),
    )


def _tests(value: Any, task_id: str, where: str) -> tuple[Test, ...]:
    if isinstance(value, Mapping) or (isinstance(value, str) and value.lstrip()[:1] in ("{", '"')):
        cases = structs(decoded(value, "test", where), "test", where)
        if any({"stdin", "stdout"} - case.keys() for case in cases):
            raise UserError(f"{where}: test must be a file of pytest, or hold stdin and stdout")
        pairs = [tuple(text_of_lines(case[key], key, where) for key in ("stdin", "stdout")) for case in cases]
        if not pairs:
            raise UserError(f"{where}: the row holds no test")
        return stdio_tests([(stdin, stdout) for stdin, stdout in pairs], task_id)
    return text_tests([] if value is None else [value], task_id, "test", where)


def _is_head(prompt: str, entry_point: str) -> bool:
    """Return whether a prompt is code whose last definition is the entry point, with or without its body."""
    return last_function(prompt) == entry_point and any(parse(prompt + tail) is not None for tail in ("", "\n    pass"))


class _KodCode(Format):
    """The format of KodCode, whose columns have two spellings."""

    def matches(self, row: Row) -> bool:
        """Return whether the columns fit, and there is no `entry_point`, which other formats with `test` have."""
        return super().matches(row) and "entry_point" not in row


FORMAT = _KodCode(
    "KodCode", frozenset(), read, (("question", "instruction"), ("solution", "response"), ("test", "test_code"))
)
