"""Saves the statements of problems in a folder of verdicts.

Pairs and rows for training can then be made without the source of the problems.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from pathlib import Path

from codepref.errors import UserError
from codepref.records import Problem
from codepref.storage.files import read_jsonl, write_jsonl

STATEMENTS = "problems.jsonl"
_FIELDS = ("task_id", "prompt", "entry_point", "style")


def write_statements(folder: Path, problems: Iterable[Problem], tasks: Container[str]) -> None:
    """Write the id, prompt, entry point and style of each problem whose task id is in `tasks` into `folder`."""
    rows = ({field: getattr(problem, field) for field in _FIELDS} for problem in problems if problem.task_id in tasks)
    write_jsonl(folder / STATEMENTS, rows)


def read_statements(folder: Path) -> list[Problem]:
    """Return the problems that `write_statements` saved. Only their id, prompt, entry point and style are set.

    Raises UserError if `folder` is missing, is a file, or holds no file of statements or a malformed statement.
    """
    path = folder / STATEMENTS
    if not folder.is_dir():
        what = "this is a file, not a folder" if folder.exists() else "there is no such folder"
        raise UserError(f"{folder}: {what} of verdicts. `codepref execute` writes such a folder")
    if not path.exists():
        raise UserError(
            f"{folder}: the folder holds no {STATEMENTS}. Run `codepref execute` into this folder again. "
            "`codepref pair` can also take the problems from --problems"
        )
    problems = []
    for number, row in read_jsonl(path):
        if missing := [field for field in _FIELDS if not isinstance(row.get(field), str)]:
            raise UserError(f"{path}:{number}: the line must hold texts under {', '.join(missing)}")
        problems.append(Problem(**{field: row[field] for field in _FIELDS}))
    return problems
