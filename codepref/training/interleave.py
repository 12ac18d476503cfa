"""The order of KTO's rows: both labels in every batch, no prompt beside its own answers. Pure."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Sequence
from typing import Protocol, TypeVar

TRIES = 256
"""So many places are looked at for one row; a search of all would take quadratic time where nothing can be mended."""


class Labelled(Protocol):
    """A row of one problem with a label."""

    @property
    def task_id(self) -> str:
        """The problem that the row answers."""
        ...

    @property
    def wanted(self) -> bool:
        """KTO's label."""
        ...


Row = TypeVar("Row", bound=Labelled)


def interleaved(rows: Sequence[Row], batch: int, seed: int) -> list[Row]:
    """The same rows, so that batches of `batch` hold both labels and KL neighbours are of different problems.

    TRL takes rows in their order and, within each batch, joins each prompt to the answer before it (the first prompt to
    the last answer) for the KL term. In a batch of one label a step teaches one side only; beside an answer of its own
    prompt the KL term is that answer's reward. Labels are mixed as far as their counts allow; neighbours are parted by
    a seeded search, so what `one_sided` and `clashes` still count is all, or nearly all, that the rows do not allow.
    """
    generator = random.Random(seed)
    ordered = _spread(rows, generator)
    _mix_labels(ordered, batch)
    _part_neighbours(ordered, batch, generator)
    return ordered


def one_sided(rows: Sequence[Labelled], batch: int) -> int:
    """How many batches hold one label only."""
    return sum(len({row.wanted for row in part}) == 1 for part in _batches(rows, batch))


def clashes(rows: Sequence[Labelled], batch: int) -> int:
    """How many rows get their KL answer from their own problem. Each batch is a ring: its first follows its last."""
    return sum(_clashes(part) for part in _batches(rows, batch))


def _spread(rows: Sequence[Row], generator: random.Random) -> list[Row]:
    waiting: dict[bool, deque[Row]] = {}
    for label in (True, False):
        mine = [row for row in rows if row.wanted == label]
        generator.shuffle(mine)
        waiting[label] = deque(mine)
    total = {label: len(mine) for label, mine in waiting.items()}
    ordered: list[Row] = []
    while any(waiting.values()):
        # the label that is furthest behind its share, so that every stretch holds both in proportion
        label = max((True, False), key=lambda one: len(waiting[one]) / max(1, total[one]))
        ordered.append(waiting[label].popleft())
    return ordered


def _mix_labels(rows: list[Row], batch: int) -> None:
    """Give each batch of one label a row of the other from a batch that has two of them to spare."""
    starts = range(0, len(rows), batch)
    for start in starts:
        labels = {row.wanted for row in rows[start : start + batch]}
        if len(labels) > 1:
            continue
        lacking = not labels.pop()
        for other in starts:
            places = [at for at in range(other, min(other + batch, len(rows))) if rows[at].wanted == lacking]
            # a batch of the lacking label alone gains by the exchange as well
            if len(places) > 1:
                rows[start], rows[places[0]] = rows[places[0]], rows[start]
                break


def _part_neighbours(rows: list[Row], batch: int, generator: random.Random) -> None:
    """Exchange rows of one label until no prompt is beside its own answers, or no exchange is found."""
    for at in range(len(rows)):
        if not _beside_itself(rows, at, batch):
            continue
        for other in generator.sample(range(len(rows)), min(TRIES, len(rows))):
            one, two = rows[at], rows[other]
            if one.wanted != two.wanted or one.task_id == two.task_id:
                continue
            before = _around(rows, at, other, batch)
            rows[at], rows[other] = two, one
            if _around(rows, at, other, batch) < before:
                if not _beside_itself(rows, at, batch):
                    break
            else:
                rows[at], rows[other] = one, two


def _beside_itself(rows: Sequence[Labelled], at: int, batch: int) -> bool:
    start = at - at % batch
    ring = rows[start : start + batch]
    place = at - start
    beside = (ring[place - 1], ring[(place + 1) % len(ring)])
    return any(row.task_id == rows[at].task_id for row in beside)


def _around(rows: Sequence[Labelled], at: int, other: int, batch: int) -> int:
    starts = {at - at % batch, other - other % batch}
    return sum(_clashes(rows[start : start + batch]) for start in starts)


def _clashes(ring: Sequence[Labelled]) -> int:
    return sum(ring[at - 1].task_id == ring[at].task_id for at in range(len(ring)))


def _batches(rows: Sequence[Row], batch: int) -> list[Sequence[Row]]:
    return [rows[at : at + batch] for at in range(0, len(rows), batch)]
