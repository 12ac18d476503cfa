"""Where solutions stand: a file of lines, EvalPlus's folder of programs, or its file of results -> rows."""

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
    """Yield (place, row) of a source of solutions; rows hold `task_id` and `solution` or `completion`.

    path: JSON lines, plain or .gz; a folder `TASK/N.py` with `/` in the task's name as `_`, as EvalPlus reads and
    writes; or what `evalplus.evaluate` writes (`*_eval_results.json`), whose programs are taken and not its verdicts.
    Programs of a folder come task by task in the order of their numbers.
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
    """What stands under `eval` in a file of EvalPlus's results; None for any other file."""
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None  # read as JSON lines, which tells what is wrong and where
    found = document.get("eval") if isinstance(document, dict) else None
    return found if isinstance(found, dict) else None


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
    found = False
    for inner in sorted(entry for entry in folder.iterdir() if entry.is_dir()):
        programs = [entry for entry in inner.iterdir() if entry.suffix == ".py" and entry.is_file()]
        for program in sorted(programs, key=_order):
            found = True
            yield str(program), {"task_id": names.get(inner.name, inner.name), "solution": _text(program)}
    if not found:
        example = next(iter(names), "TASK")
        raise UserError(f"{folder}: holds no programs; as EvalPlus has them they stand in {example}/0.py and so on")


def _order(program: Path) -> tuple[int, str]:
    """Numbers in their order, then other names."""
    # isdecimal is true of digits of other scripts too, which int reads as well
    return (int(program.stem) if program.stem.isdecimal() else 1 << 63, program.name)


def _text(program: Path) -> str:
    try:
        return program.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{program}: not UTF-8 ({error}); save the file as UTF-8") from None
    except OSError as error:
        raise UserError(f"{program}: cannot be read ({error.strerror})") from None
