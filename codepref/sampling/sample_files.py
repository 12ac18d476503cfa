"""Reads rows of solutions from JSON lines, from a folder of programs, or from EvalPlus's file of results."""

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
    """Yield (place, row) of a source of solutions. Rows have `task_id`, and `solution` or `completion`.

    path: JSON lines, plain or .gz; or a folder of programs `TASK/N.py` in EvalPlus's layout, with `_` for `/` in the
    task's name; or a file `*_eval_results.json` of `evalplus.evaluate`, from which only the programs are read. The
    programs of a folder are ordered by task, then by number.
    Raises UserError for a folder without programs and for files that cannot be read.
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
                raise UserError(f"{path}: {task}: samples must be objects with a solution, as EvalPlus 0.3 writes them")
            yield f"{path} {task}[{place}]", {**sample, "task_id": task}


def _document(path: Path) -> dict[str, Any] | None:
    """The value of `eval` in a file of EvalPlus's results, or None for any other file."""
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None  # the reader of JSON lines reports what is wrong and where
    results = document.get("eval") if isinstance(document, dict) else None
    return results if isinstance(results, dict) else None


def _folder_rows(folder: Path, problems: Iterable[Problem]) -> Iterator[tuple[str, Row]]:
    if (folder / _VERDICTS).exists():
        raise UserError(f"{folder}: holds verdicts, not solutions; `codepref evaluate` takes it as --verdicts")
    names: dict[str, str] = {}
    for problem in problems:
        name = problem.task_id.replace("/", "_")
        if names.setdefault(name, problem.task_id) != problem.task_id:
            raise UserError(
                f"{folder}: tasks {names[name]!r} and {problem.task_id!r} would share the folder {name}; give a file "
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
        raise UserError(f"{folder}: holds no programs; in EvalPlus's layout they are files such as {example}/0.py")


def _order(program: Path) -> tuple[int, str]:
    """Sorts numbers by value, and other names after them."""
    # digits of other scripts count too: both isdecimal and int accept them
    return (int(program.stem) if program.stem.isdecimal() else 1 << 63, program.name)


def _text(program: Path) -> str:
    try:
        return program.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{program}: not UTF-8 ({error}); save the file as UTF-8") from None
    except OSError as error:
        raise UserError(f"{program}: cannot be read ({error.strerror})") from None
