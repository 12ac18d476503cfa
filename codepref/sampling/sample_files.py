"""Reads rows of solutions from the files and folders of codepref and of other programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from codepref.errors import UserError
from codepref.problems.load import read_rows
from codepref.records import Problem
from codepref.sampling.solution_rows import rows_by_place, solution_rows
from codepref.storage.files import read_jsonl

Row = dict[str, Any]
_VERDICTS = "verdicts.parquet"


def sample_rows(path: Path, problems: Sequence[Problem]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield (place, row) for each sample in a source. Valid rows have `task_id`, and `solution` or `completion`.

    path: one of these forms.
    - A file of JSON lines (plain, .gz or .zst), a JSON list of objects, or Parquet. `codepref.sampling.solution_rows`
      lists the keys that rows may have.
    - A JSON list with the programs of each problem, such as bigcode's generations.json.
    - A JSON object that is one row with a `task_id`, or that holds one or several answers of each task under the task's
      name. These answers count as `completion`.
    - A folder of programs `TASK/N.py` in EvalPlus's layout, with `_` for `/` in the task's name. The programs are
      ordered by the name of their folder, and within a folder by number.
    - A file of results `*_eval_results.json` of `evalplus.evaluate`. Its verdicts are not used.
    Raises UserError for a folder without programs, for a folder of verdicts, for tasks that would share a folder, for
    results that are not objects, for a list that mixes objects with other values, for files that cannot be read, and as
    `codepref.sampling.solution_rows.rows_by_place` does. Other mistakes in rows are left to the caller.
    """
    if path.is_dir():
        yield from _folder_rows(path, problems)
        return
    document = _document(path) if path.suffix == ".json" else None
    if document is None:
        yield from solution_rows(read_rows(str(path)) if path.suffix == ".parquet" else _lines(path), problems)
    elif isinstance(document, dict) and isinstance(document.get("eval"), dict):
        yield from _results(path, document["eval"])
    elif isinstance(document, list) and all(isinstance(row, dict) for row in document):
        rows = ((f"{path}[{place}]", row) for place, row in enumerate(document))
        yield from solution_rows(rows, problems)
    elif isinstance(document, list):
        yield from rows_by_place(document, problems, str(path))
    elif "task_id" in document:
        yield from solution_rows([(str(path), document)], problems)
    else:
        named = ((f"{path} {task}", {"task_id": task, "completions": value}) for task, value in document.items())
        yield from solution_rows(named, problems)


def _lines(path: Path) -> Iterator[tuple[str, Row]]:
    return ((f"{path}:{number}", row) for number, row in read_jsonl(path))


def _results(path: Path, results: Mapping[str, Any]) -> Iterator[tuple[str, Row]]:
    for task, samples in results.items():
        for place, sample in enumerate(samples if isinstance(samples, list) else [samples]):
            if not isinstance(sample, dict):
                raise UserError(
                    f"{path}: the samples of {task} must be objects with a solution, as EvalPlus 0.3 writes them"
                )
            yield f"{path} {task}[{place}]", {**sample, "task_id": task}


def _document(path: Path) -> dict[str, Any] | list[Any] | None:
    """Return the object or list in a JSON file, or None for any other file, such as one of JSON lines.

    Raises UserError for a list that mixes objects with other values.
    """
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None  # the reader of JSON lines reports what is wrong and where
    if isinstance(document, list):
        if len({isinstance(item, dict) for item in document}) > 1:
            raise UserError(f"{path}: the list must hold objects, or a list of programs for each problem, not both")
        return document
    return document if isinstance(document, dict) else None


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
        raise UserError(
            f"{folder}: holds no programs in EvalPlus's layout, in which programs are files such as {example}/0.py"
        )


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
