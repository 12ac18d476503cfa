"""A file, a hub name or the starter -> Problem records."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from codepref.errors import UserError
from codepref.problems.hub import is_hub_name, read_hub
from codepref.problems.registry import Format, detect_format
from codepref.records import Problem
from codepref.storage.files import read_jsonl, read_parquet

if TYPE_CHECKING:
    from typing import Literal

INSTRUCT = "#instruct"
"""Ending of a source: BigCodeBench's problems as requests in words, where its rows hold both forms."""

STARTER_SPLITS = ("train", "validation", "heldout", "pretrain")
_MOST_MESSAGES = 10
_SUFFIXES = (".jsonl", ".json", ".gz", ".parquet")


def load_problems(source: str | Path, *, limit: int | None = None) -> list[Problem]:
    """Load problems, at most `limit` of them.

    source: a file (JSON lines, a JSON array or Parquet; JSON lines also as .gz), a hub data set ("owner/name",
    "owner/name:config", "owner/name:config:split"), "starter" (its training problems) or "starter:SPLIT". The format is
    told from the columns of the first row; `codepref.problems.registry` lists the known ones. BigCodeBench's rows hold
    two prompts: the code is taken, and with "#instruct" after the source the request in words.

    Raises UserError naming file and line for malformed lines, unknown columns, a missing entry point and task ids that
    come twice (up to ten mistakes at once); MachineError when a hub data set cannot be fetched.

    >>> [problem.entry_point for problem in load_problems("HumanEval.jsonl.gz", limit=2)]  # doctest: +SKIP
    ['has_close_elements', 'separate_paren_groups']
    """
    if limit is not None and limit < 1:
        raise UserError(f"the limit must be at least 1, not {limit}")
    name = str(source)
    if isinstance(source, str) and (source == "starter" or source.startswith("starter:")):
        return _load_starter(source, limit)
    rows = _instruct_rows(name) if name.endswith(INSTRUCT) and not Path(name).exists() else read_rows(name)
    problems = _read_rows(rows, limit)
    if not problems:
        raise UserError(f"{name}: holds no problem")
    return problems


def problems_from_rows(rows: Iterable[Mapping[str, Any]], *, limit: int | None = None) -> list[Problem]:
    """Problems from rows of a known format, such as a `datasets.Dataset`. Raises UserError naming the row."""
    return _read_rows(((f"row {place}", dict(row)) for place, row in enumerate(rows)), limit)


def _load_starter(source: str, limit: int | None) -> list[Problem]:
    from codepref import starter

    split = source.partition(":")[2] or "train"
    if split not in STARTER_SPLITS:
        raise UserError(f"{source}: no such split, there are {', '.join(f'starter:{name}' for name in STARTER_SPLITS)}")
    known = cast("Literal['train', 'validation', 'heldout', 'pretrain']", split)
    return list(starter.load_problems(known, limit=limit))


def _instruct_rows(name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for where, row in read_rows(name.removesuffix(INSTRUCT)):
        if "instruct_prompt" not in row:
            raise UserError(
                f"{where}: has no instruct_prompt, so there is no form {INSTRUCT} of it (BigCodeBench alone)"
            )
        yield where, {key: value for key, value in row.items() if key != "complete_prompt"}


def read_rows(source: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (place, row) of a file or a hub data set, whatever its columns. Raises UserError and MachineError."""
    path = Path(source)
    if not path.exists() and is_hub_name(source) and not source.endswith(_SUFFIXES):
        yield from read_hub(source)
    elif path.suffix == ".parquet":
        yield from ((f"{source} row {place}", row) for place, row in enumerate(read_parquet(path)))
    elif path.suffix == ".json":
        yield from ((f"{source}[{place}]", row) for place, row in enumerate(_read_array(path)))
    else:
        yield from ((f"{source}:{number}", row) for number, row in read_jsonl(path))


def _read_array(path: Path) -> list[dict[str, Any]]:
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: not valid JSON ({error}); JSON lines belong into a file named .jsonl") from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise UserError(f"{path}: a list of JSON objects is needed; JSON lines belong into a file named .jsonl")
    return rows


def _read_rows(rows: Iterator[tuple[str, dict[str, Any]]], limit: int | None) -> list[Problem]:
    problems: list[Problem] = []
    places: dict[str, str] = {}
    mistakes: list[str] = []
    known: Format | None = None
    for where, row in rows:
        if known is None:
            known = detect_format(row, where)
        try:
            problem = _read_row(known, row, where)
            if problem.task_id in places:
                raise UserError(f"{where}: task_id {problem.task_id!r} was there before, at {places[problem.task_id]}")
        except UserError as error:
            mistakes += error.problems
            if len(mistakes) >= _MOST_MESSAGES:
                break
            continue
        places[problem.task_id] = where
        problems.append(problem)
        if limit is not None and len(problems) == limit:
            break
    if mistakes:
        raise UserError(*mistakes)
    return problems


def _read_row(known: Format, row: dict[str, Any], where: str) -> Problem:
    if missing := known.columns - row.keys():
        raise UserError(f"{where}: lacks {', '.join(sorted(missing))} ({known.name}, as told from the first row)")
    return known.read(row, where)
