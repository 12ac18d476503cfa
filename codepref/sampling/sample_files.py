"""Reads rows of solutions from JSON lines, from a folder of programs, or from a file of EvalPlus's results."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from codepref.errors import UserError
from codepref.records import Problem
from codepref.storage.files import read_jsonl

Row = dict[str, Any]
_VERDICTS = "verdicts.parquet"


def sample_rows(path: Path, problems: Iterable[Problem]) -> Iterator[tuple[str, Row]]:
    """Yield (place, row) for each solution in a source.

    Valid rows have `task_id`, and `solution`, `completion` or `responses`.

    path: one of three forms.
    - A file of JSON lines, plain or .gz.
    - A folder of programs `TASK/N.py` in EvalPlus's layout, with `_` for `/` in the task's name. The programs are
      ordered by the name of their folder, and within a folder by number.
    - A file of results `*_eval_results.json` of `evalplus.evaluate`. Its verdicts are not used.
    Raises UserError for a folder without programs, for a folder of verdicts, for tasks that would share a folder, for
    results that are not objects, and for files that cannot be read. Other mistakes in rows are left to the caller.
    """
    if path.is_dir():
        yield from _folder_rows(path, problems)
        return
    document = _document(path) if path.suffix == ".json" else None
    if document is None:
        yield from ((f"{path}:{number}", row) for number, row in read_jsonl(path))
        return
    for task, samples in document.items():
        for place, sample in enumerate(samples if isinstance(samples, list) else [samples]):
            if not isinstance(sample, dict):
                raise UserError(
                    f"{path}: the samples of {task} must be objects with a solution, as EvalPlus 0.3 writes them"
                )
            yield f"{path} {task}[{place}]", {**sample, "task_id": task}


def _document(path: Path) -> dict[str, Any] | None:
    """Return the value of `eval` in a file of EvalPlus's results, or None for any other file."""
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None  # the reader of JSON lines reports what is wrong and where
    results = document.get("eval") if isinstance(document, dict) else None
    return results if isinstance(results, dict) else None


def _folder_rows(folder: Path, problems: Iterable[Problem]) -> Iterator[tuple[str, Row]]:
    if (folder / _VERDICTS).exists():
        raise UserError(f"{folder}: holds verdicts, not solutions. Give it to `codepref evaluate` as --verdicts")
    names: dict[str, str] = {}
    for problem in problems:
        name = problem.task_id.replace("/", "_")
        if names.setdefault(name, problem.task_id) != problem.task_id:
            raise UserError(
                f"{folder}: tasks {names[name]!r} and {problem.task_id!r} would share the folder {name}. Give a file "
                "of JSON lines instead"
            )
    empty = True
    for inner in sorted(entry for entry in folder.iterdir() if entry.is_dir()):
        programs = [entry for entry in inner.iterdir() if entry.suffix == ".py" and entry.is_file()]
        for program in sorted(programs, key=_order):
            empty = False
            yield str(program), {"task_id": names.get(inner.name, inner.name), "solution": _text(program)}
    if empty:
        example = next(iter(names), "TASK")
        raise UserError(f"{folder}: holds no programs. In EvalPlus's layout, programs are files such as {example}/0.py")


def _order(program: Path) -> tuple[int, str]:
    """Return a key that sorts numbers by value, and other names after the numbers."""
    # isdecimal and int both accept digits of all scripts
    return (int(program.stem) if program.stem.isdecimal() else 1 << 63, program.name)


def _text(program: Path) -> str:
    try:
        return program.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{program}: the file is not UTF-8 ({error}). Save it as UTF-8") from None
    except OSError as error:
        raise UserError(f"{program}: cannot be read ({error.strerror})") from None
