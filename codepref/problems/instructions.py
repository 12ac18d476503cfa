"""Loads instructions for AI feedback from any data set with a column of instructions, and gives each a preference.

CodeUltraFeedback (arXiv 2403.09032, section 2.1 and its code) takes the rows of ise-uiuc/Magicoder-Evol-Instruct-110K
without Chinese characters, shuffles them with seed 42, keeps the first 10,000, and gives number i the preference
i mod 5. `load_instructions` with n=10_000 and seed=42 makes the same draw from the rows that it does not drop.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from codepref.errors import UserError
from codepref.preferences import PREFERENCES
from codepref.problems.load import load_problems, read_rows
from codepref.problems.requests import request_texts
from codepref.records import Instruction

COLUMNS = ("instruction", "prompt", "problem", "question")
"""The columns that may hold the instructions if no column is named.

In each row, the first of them that holds a text is taken, even if the text is blank.
"""

_CJK = re.compile(r"[\u4e00-\u9fff]")

Rows = Iterable[tuple[str, Mapping[str, Any]]]


@dataclass(frozen=True)
class Instructions:
    """Instructions, and the number of unusable rows for each reason.

    Usable rows that were not drawn are not counted.
    """

    tasks: list[Instruction] = field(default_factory=list)
    dropped: dict[str, int] = field(default_factory=dict)


def load_instructions(
    source: str | Path | Iterable[Mapping[str, Any]],
    *,
    column: str | None = None,
    n: int | None = None,
    seed: int = 0,
    preferences: Sequence[str] = PREFERENCES,
    keep_cjk: bool = False,
    max_chars: int = 0,
) -> Instructions:
    """Load instructions from a source that `read_rows` reads, from `starter:SPLIT`, or from rows.

    column: the column of instructions; None takes the first of COLUMNS that holds a text. Columns with an input or a
    system text belong to the request too (see `request_texts`). n: the number of instructions, drawn with `seed`;
    None takes all in their order. preferences: number i gets preference i mod len(preferences), unless its row has a
    `preference`. keep_cjk: keep rows with Chinese characters (U+4E00 to U+9FFF). max_chars: leave out instructions that
    are longer than this with their input; 0 means no limit. Blank and repeated instructions are left out too. A row
    whose `task_id` is missing, empty or 0 gets the id `instruction/NUMBER`, where NUMBER counts rows from 0. Raises
    UserError for a row without a text in the column, an unknown preference, empty `preferences`, a repeated task_id,
    `n` below 1, and a source that has no usable instruction or fewer than `n`. Raises what `request_texts`, `read_rows`
    and `load_problems` raise.
    """
    if unknown := [key for key in preferences if key not in PREFERENCES]:
        raise UserError(f"unknown preference {unknown[0]!r}; known: {', '.join(PREFERENCES)}")
    if not preferences:
        raise UserError("preferences is empty. Name at least one preference")
    if n is not None and n < 1:
        raise UserError(f"n must be at least 1, not {n}")
    dropped: Counter[str] = Counter()
    kept = list(_kept(_rows(source), column, keep_cjk=keep_cjk, max_chars=max_chars, dropped=dropped))
    if not kept:
        raise UserError(
            f"{_name(source)}: the source holds no usable instruction"
            + (f" (left out: {dict(dropped)})" if dropped else "")
        )
    if n is not None:
        if n > len(kept):
            raise UserError(
                f"{_name(source)}: the source holds {len(kept):,} usable instructions, fewer than the {n:,} requested"
            )
        # the same permutation as datasets.Dataset.shuffle(seed), so that published draws can be reproduced
        kept = [kept[place] for place in np.random.default_rng(seed).permutation(len(kept))[:n]]
    tasks = [
        Instruction(task_id, text, own or preferences[place % len(preferences)], system)
        for place, (task_id, text, own, system) in enumerate(kept)
    ]
    return Instructions(tasks, dict(sorted(dropped.items())))


def _kept(
    rows: Rows, column: str | None, *, keep_cjk: bool, max_chars: int, dropped: Counter[str]
) -> Iterator[tuple[str, str, str, str]]:
    """Yield (task_id, instruction, preference of the row or "", system text) for each usable row.

    Count the others in `dropped`.
    """
    seen: set[tuple[str, str]] = set()
    ids: set[str] = set()
    for place, (where, row) in enumerate(rows):
        (text, system), own = _instruction(row, column, where), row.get("preference")
        task_id = str(row.get("task_id") or f"instruction/{place}")
        if own is not None and own not in PREFERENCES:
            raise UserError(f"{where}: unknown preference {own!r}; known: {', '.join(PREFERENCES)}")
        if task_id in ids:
            raise UserError(f"{where}: an earlier row has the same task_id {task_id!r}")
        ids.add(task_id)
        if not text.strip():
            dropped["empty"] += 1
        elif not keep_cjk and _CJK.search(system + text):
            dropped["Chinese characters"] += 1
        elif max_chars and len(text) > max_chars:
            dropped[f"longer than {max_chars} characters"] += 1
        elif (system, text) in seen:
            dropped["repeated"] += 1
        else:
            seen.add((system, text))
            yield task_id, text, own or "", system


def _instruction(row: Mapping[str, Any], column: str | None, where: str) -> tuple[str, str]:
    """Return the instruction with its input, and the system text. Both are "" for a blank instruction."""
    names = [column] if column else [name for name in COLUMNS if isinstance(row.get(name), str)][:1]
    if not names or not isinstance(row.get(names[0]), str):
        expected = repr(column) if column else " or ".join(COLUMNS)
        raise UserError(
            f"{where}: there is no text in column {expected}. Name the column of instructions. The row has the columns "
            f"{', '.join(map(str, row))}"
        )
    text = str(row[names[0]])
    return request_texts(row, text, where, names[0]) if text.strip() else ("", "")


def _rows(source: str | Path | Iterable[Mapping[str, Any]]) -> Rows:
    if not isinstance(source, str | Path):
        return ((f"row {place}", row) for place, row in enumerate(source))
    name = str(source)
    return _starter(name) if name.startswith("starter:") else read_rows(name)


def _starter(name: str) -> Rows:
    from codepref.models import model_templates

    template = model_templates("starter")["solutions"]
    for problem in load_problems(name):
        text = template.format(prompt=problem.prompt, entry_point=problem.entry_point)
        yield problem.task_id, {"task_id": problem.task_id, "instruction": text}


def _name(source: Any) -> str:
    return str(source) if isinstance(source, str | Path) else "the rows"
