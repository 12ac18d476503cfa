"""Reads CODAL-Bench (coseal/codal-bench): instructions with preferences, and a reference answer to each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codepref.errors import UserError
from codepref.preferences import PREFERENCES
from codepref.problems.load import read_rows
from codepref.problems.requests import request_texts
from codepref.records import Instruction

REFERENCE = "reference"
SUFFIX = "_response"


@dataclass(frozen=True)
class Benchmark:
    """The instructions of a benchmark, with one reference answer to each.

    Attributes: `references` maps each task_id to its reference answer. `column` is the column of the source that holds
    the reference answers.
    """

    tasks: tuple[Instruction, ...]
    references: Mapping[str, str]
    column: str


def load_benchmark(source: str | Path, *, reference: str | None = None) -> Benchmark:
    """Read a benchmark with the columns `instruction`, `preference`, and a reference answer.

    source: JSON lines, JSON, Parquet or a hub name. reference: a column, or a model whose answers are in the column
    `MODEL_response`, such as gpt-4 or claude-3-sonnet-20240229 of the published file. None takes the column
    `reference`, or the only `*_response` column. A row whose `task_id` is missing, empty or 0 gets the id
    `codal/NUMBER`, where NUMBER counts rows from 0. Raises UserError for a source without rows, and if the first row
    does not show which column holds the reference answers. Raises UserError for rows that lack an instruction, a known
    preference or a reference answer, and for a repeated task_id. The message names at most five of these rows. Raises
    what `read_rows` and `request_texts` raise.
    """
    rows = list(read_rows(str(source)))
    if not rows:
        raise UserError(f"{source}: the source holds no rows")
    column = _reference_column(rows[0][1], reference, str(source))
    tasks: list[Instruction] = []
    references: dict[str, str] = {}
    mistakes: list[str] = []
    for place, (where, row) in enumerate(rows):
        task_id = str(row.get("task_id") or f"codal/{place}")
        instruction, preference, answer = (row.get(name) for name in ("instruction", "preference", column))
        if not isinstance(instruction, str) or not instruction.strip():
            mistakes.append(f"{where}: the row has no instruction")
        elif preference not in PREFERENCES:
            mistakes.append(f"{where}: unknown preference {preference!r}; known: {', '.join(PREFERENCES)}")
        elif not isinstance(answer, str) or not answer.strip():
            mistakes.append(f"{where}: the row has no reference answer in column {column!r}")
        elif task_id in references:
            mistakes.append(f"{where}: an earlier row has the same task_id {task_id!r}")
        else:
            text, system = request_texts(row, instruction, where)
            tasks.append(Instruction(task_id, text, str(preference), system))
            references[task_id] = answer
    if mistakes:
        others = [f"and {len(mistakes) - 5} other mistakes"] if len(mistakes) > 5 else []
        raise UserError(*mistakes[:5], *others)
    return Benchmark(tuple(tasks), references, column)


def _reference_column(row: Mapping[str, Any], reference: str | None, source: str) -> str:
    """Return the column of reference answers in the first row, `row`. Raises UserError if no column can be chosen."""
    answers = [name for name in row if name.endswith(SUFFIX)]
    candidates = (
        [reference, f"{reference}{SUFFIX}"] if reference else [REFERENCE, *(answers if len(answers) == 1 else [])]
    )
    present = [name for name in candidates if name in row]
    if present:
        return str(present[0])
    several = "the source has reference answers of several models"
    several = several if answers else f"the source has no column {REFERENCE!r} or *{SUFFIX}"
    reason = f"the source has no column {reference!r} or '{reference}{SUFFIX}'" if reference else several
    if not answers:
        columns = ", ".join(map(str, row))
        raise UserError(f"{source}: {reason}. Name the column of reference answers. The columns are {columns}")
    models = ", ".join(name.removesuffix(SUFFIX) for name in answers)
    raise UserError(f"{source}: {reason}. Name one of its reference models: {models}")
