"""HumanEval Pro, MBPP Pro and BigCodeBench-Lite Pro (arXiv 2412.21199): a second problem builds on a first one.

An answer holds the functions of both problems, and the tests call the second one.
"""

from __future__ import annotations

import ast

from codepref.errors import UserError
from codepref.problems.columns import row_id
from codepref.problems.fields import Row, prompt_parts, text_field
from codepref.problems.formats.base import Format
from codepref.problems.formats.python_tests import program_of, text_tests
from codepref.problems.source import definitions, parse, read_statements
from codepref.records import Problem

_REQUEST = (
    "Write one Python program that solves both problems. The solution of the second problem calls the function of the "
    "first.\n\n```python\n{first}\n\n\n{second}\n```\n"
)


def read(row: Row, where: str) -> Problem:
    """Return the problem of one row.

    Its entry point is the last function or class of `new_problem`, or of `new_solution` if `new_problem` has none.
    """
    first, second = (text_field(row, key, where) for key in ("raw_problem", "new_problem"))
    task_id = row_id(row, "HumanEvalPro", ("id", "task_id"), [first, second])
    tests = text_tests([text_field(row, "test_code", where)], task_id, "test_code", where)
    solutions = [program_of(text_field(row, key, where, default="")) for key in ("raw_solution", "new_solution")]
    parts = prompt_parts(first, last_function(first))
    return Problem(
        task_id=task_id,
        prompt=_REQUEST.format(first=first.strip("\n"), second=second.strip("\n")),
        entry_point=_entry_point(second, solutions[1], where),
        tests=tests,
        gold=_gold(first, second, *solutions),
        style="instruct",
        helpers=parts.helpers,
        preamble=parts.preamble,
        meta={"format": "humaneval-pro"},
    )


def last_function(code: str) -> str:
    """Return the name of the last function or class in `code`, or "" if there is none.

    The code may end with the head of a function or with a docstring.
    """
    for tail in ("", "\n    pass\n", "\n\tpass\n"):
        tree = parse(code + tail)
        if tree is not None:
            kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
            return next((node.name for node in reversed(tree.body) if isinstance(node, kinds)), "")
    return next(reversed(definitions(read_statements(code).statements)), "")


def _entry_point(second: str, solution: str, where: str) -> str:
    name = last_function(second) or last_function(solution)
    if not name:
        raise UserError(f"{where}: neither new_problem nor new_solution defines a function")
    return name


def _gold(first: str, second: str, first_solution: str, second_solution: str) -> str | None:
    """Return the program of both solutions, or None if one of them is blank.

    A solution is a whole function, or the body that continues its problem.
    """
    program = "\n\n".join((_whole(first, first_solution), _whole(second, second_solution)))
    return program if first_solution.strip() and second_solution.strip() else None


def _whole(problem: str, solution: str) -> str:
    name = last_function(problem)
    if parse(solution) is not None and (not name or name in definitions(read_statements(solution).statements)):
        return solution
    return f"{problem}{'' if problem.endswith(chr(10)) else chr(10)}{solution}"


FORMAT = Format(
    "HumanEval Pro, MBPP Pro",
    frozenset({"raw_problem", "raw_solution", "new_problem", "new_solution", "test_code"}),
    read,
)
