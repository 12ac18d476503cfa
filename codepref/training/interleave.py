"""The order of KTO's rows: both labels in every batch, and no prompt beside an answer of its own problem. Pure."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Sequence
from typing import Protocol, TypeVar

TRIES = 256
"""Positions that are tried for one row. A full search takes quadratic time where no exchange helps."""


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
    """The same rows, ordered so that each batch holds both labels and KL neighbours belong to different problems.

    TRL takes rows in their order. For the KL term it joins each prompt of a batch to the answer before it, and the
    first prompt to the last answer. A batch of one label trains one side only. A prompt beside an answer of its own
    problem makes the KL term that answer's reward. Labels are mixed as far as their counts allow. Neighbours of one
    problem are separated by a seeded search, so `one_sided_batches` and `kl_clashes` then count what no order avoids,
    or little more.
    """
    generator = random.Random(seed)
    ordered = _spread(rows, generator)
    _mix_labels(ordered, batch)
    _separate_neighbours(ordered, batch, generator)
    return ordered


def one_sided_batches(rows: Sequence[Labelled], batch: int) -> int:
    """The number of batches that hold one label only."""
    return sum(len({row.wanted for row in part}) == 1 for part in _batches(rows, batch))


def kl_clashes(rows: Sequence[Labelled], batch: int) -> int:
    """The number of rows whose KL answer is of their own problem. In each batch the first row follows the last."""
    return sum(_clashes(part) for part in _batches(rows, batch))


def _spread(rows: Sequence[Row], generator: random.Random) -> list[Row]:
    queues: dict[bool, deque[Row]] = {}
    for label in (True, False):
        labelled = [row for row in rows if row.wanted == label]
        generator.shuffle(labelled)
        queues[label] = deque(labelled)
    total = {label: len(queue) for label, queue in queues.items()}
    ordered: list[Row] = []
    while any(queues.values()):
        # take the label with the largest remaining share, so that every stretch holds both in proportion
        label = max((True, False), key=lambda one: len(queues[one]) / max(1, total[one]))
        ordered.append(queues[label].popleft())
    return ordered


def _mix_labels(rows: list[Row], batch: int) -> None:
    """Give each batch of one label a row of the other label, from a batch that holds two or more of them."""
    starts = range(0, len(rows), batch)
    for start in starts:
        labels = {row.wanted for row in rows[start : start + batch]}
        if len(labels) > 1:
            continue
        missing = not labels.pop()
        for other in starts:
            places = [at for at in range(other, min(other + batch, len(rows))) if rows[at].wanted == missing]
            # a batch that holds the missing label alone gains by the exchange as well
            if len(places) > 1:
                rows[start], rows[places[0]] = rows[places[0]], rows[start]
                break


def _separate_neighbours(rows: list[Row], batch: int, generator: random.Random) -> None:
    """Exchange rows of one label until no prompt is beside an answer of its problem, or no exchange helps."""
    for at in range(len(rows)):
        if not _beside_its_problem(rows, at, batch):
            continue
        for other in generator.sample(range(len(rows)), min(TRIES, len(rows))):
            one, two = rows[at], rows[other]
            if one.wanted != two.wanted or one.task_id == two.task_id:
                continue
            before = _clashes_around(rows, at, other, batch)
            rows[at], rows[other] = two, one
            if _clashes_around(rows, at, other, batch) < before:
                if not _beside_its_problem(rows, at, batch):
                    break
            else:
                rows[at], rows[other] = one, two


def _beside_its_problem(rows: Sequence[Labelled], at: int, batch: int) -> bool:
    start = at - at % batch
    ring = rows[start : start + batch]
    place = at - start
    neighbours = (ring[place - 1], ring[(place + 1) % len(ring)])
    return any(row.task_id == rows[at].task_id for row in neighbours)


def _clashes_around(rows: Sequence[Labelled], at: int, other: int, batch: int) -> int:
    starts = {at - at % batch, other - other % batch}
    return sum(_clashes(rows[start : start + batch]) for start in starts)


def _clashes(ring: Sequence[Labelled]) -> int:
    return sum(ring[at - 1].task_id == ring[at].task_id for at in range(len(ring)))


def _batches(rows: Sequence[Row], batch: int) -> list[Sequence[Row]]:
    return [rows[at : at + batch] for at in range(0, len(rows), batch)]
