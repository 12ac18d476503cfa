"""LeetCodeDataset (arXiv 2504.14655): the entry point is an expression such as `Solution().twoSum`.

The column `prompt` holds code that comes before each solution: imports, and helpers such as `ListNode`.
"""

from __future__ import annotations

from collections.abc import Mapping

from codepref.errors import UserError
from codepref.problems.columns import first_text, row_id
from codepref.problems.fields import Row, text_field, why_unreadable
from codepref.problems.formats.base import Format
from codepref.problems.formats.python_tests import call_of_check, program_of, statement_field, text_tests
from codepref.problems.formats.statements import kept
from codepref.problems.kinds import kind_of
from codepref.problems.source import parse
from codepref.records import Problem, Test


def read(row: Row, where: str) -> Problem:
    """Return the problem of one row. A test of kind "check" becomes one of kind "asserts" that calls `check`."""
    code, source = text_field(row, "prompt", where), text_field(row, "test", where)
    if parse(code) is None:
        raise UserError(f"{where}: prompt must be Python, but it is not: {why_unreadable(code)}")
    task_id = row_id(row, "LeetCode", ("task_id", "question_id"), [source])
    name, call = call_of_check(text_field(row, "entry_point", where), where)
    tests = text_tests([source], task_id, "test", where)
    kind = kind_of(tests[0])
    if kind.python and not kind.names_entry_point:  # the test defines `check` and does not call it
        tests = (Test(task_id, "0", f"{tests[0].source.rstrip()}\n\n\n{call}\n", "asserts"),)
    gold = program_of(first_text(row, "completion", "response"))
    return Problem(
        task_id=task_id,
        prompt=_statement(row, where),
        entry_point=name,
        tests=tests,
        gold=gold or None,
        style="instruct",
        helpers=code,
        preamble=code,
        meta=kept(row, "leetcodedataset", ("question_id", "difficulty", "tags", "estimated_date")),
    )


def _statement(row: Row, where: str) -> str:
    """Return the request: `query`, which older versions keep in `meta`, or else the description and starter code."""
    meta = row.get("meta")
    query = first_text(row, "query") or (first_text(meta, "query") if isinstance(meta, Mapping) else "")
    if query:
        return query
    description = statement_field(row, ("problem_description", "query"), where)
    starter = first_text(row, "starter_code").rstrip()
    return f"{description}\n\n```python\n{starter}\n```\n" if starter else description


FORMAT = Format("LeetCodeDataset", frozenset({"task_id", "prompt", "entry_point", "test", "completion"}), read)
