"""CODAL-Bench (coseal/codal-bench): instructions with a preference each, and answers of reference models beside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codepref.errors import UserError
from codepref.preferences import BY_KEY
from codepref.problems.load import read_rows
from codepref.records import Judgment

REFERENCE = "reference"
SUFFIX = "_response"


@dataclass(frozen=True)
class Benchmark:
    """Tasks without responses, and the reference answer of each by task_id. column: where the references stood."""

    tasks: tuple[Judgment, ...]
    references: Mapping[str, str]
    column: str


def load_benchmark(source: str | Path, *, reference: str | None = None) -> Benchmark:
    """Read a graded benchmark: columns `instruction`, `preference`, and a reference answer.

    source: JSON lines, JSON, Parquet or a hub name. reference: a column, or a model whose answers stand in
    `MODEL_response` (published: gpt-4, claude-3-sonnet-20240229, ...); None takes `reference`, or the only
    `*_response` column. `task_id` is the row's own, or `codal/PLACE`.
    Raises UserError for missing columns, unknown preferences and problems without a reference answer, all told before
    anything is paid for.
    """
    rows = list(read_rows(str(source)))
    if not rows:
        raise UserError(f"{source}: holds no problem")
    column = _reference_column(rows[0][1], reference, str(source))
    tasks: list[Judgment] = []
    references: dict[str, str] = {}
    wrong: list[str] = []
    for place, (where, row) in enumerate(rows):
        task_id = str(row.get("task_id") or f"codal/{place}")
        instruction, preference, answer = (row.get(name) for name in ("instruction", "preference", column))
        if not isinstance(instruction, str) or not instruction.strip():
            wrong.append(f"{where}: has no instruction")
        elif preference not in BY_KEY:
            wrong.append(f"{where}: unknown preference {preference!r}; known: {', '.join(BY_KEY)}")
        elif not isinstance(answer, str) or not answer.strip():
            wrong.append(f"{where}: has no reference answer in column {column!r}")
        elif task_id in references:
            wrong.append(f"{where}: task_id {task_id!r} stands there twice")
        else:
            tasks.append(Judgment(task_id, instruction, str(preference), (), ()))
            references[task_id] = answer
    if wrong:
        more = [f"and {len(wrong) - 5} problems more"] if len(wrong) > 5 else []
        raise UserError(*wrong[:5], *more)
    return Benchmark(tuple(tasks), references, column)


def _reference_column(row: Mapping[str, Any], reference: str | None, source: str) -> str:
    answers = [name for name in row if name.endswith(SUFFIX)]
    wanted = [reference, f"{reference}{SUFFIX}"] if reference else [REFERENCE, *(answers if len(answers) == 1 else [])]
    found = [name for name in wanted if name in row]
    if found:
        return str(found[0])
    there = ", ".join(name.removesuffix(SUFFIX) for name in answers) or f"none (columns: {', '.join(map(str, row))})"
    told = f"has no reference answers {reference!r}" if reference else "holds several reference models, or none"
    raise UserError(f"{source}: {told}; name one of its reference models: {there}")
