"""An order of KTO's rows that avoids batches of one label and KL neighbours of one problem. Pure."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Sequence
from typing import Protocol, TypeVar

TRIES = 256
"""The largest number of exchanges that are tried for one row. Trying all rows would take quadratic time."""


class Labelled(Protocol):
    """A row that answers one problem and has a label."""

    @property
    def task_id(self) -> str:
        """The problem that the row answers."""
        ...

    @property
    def wanted(self) -> bool:
        """Whether the answer is one to learn (KTO's label)."""
        ...


Row = TypeVar("Row", bound=Labelled)


def interleaved(rows: Sequence[Row], batch: int, seed: int) -> list[Row]:
    """Return the rows in an order chosen to avoid batches of one label and KL neighbours of one problem.

    TRL takes rows in their order. For the KL term it joins each prompt of a batch to the answer of the row before it,
    and the first prompt to the last answer. The row of that answer is the prompt's KL neighbour. This order reduces two
    faults. A batch whose rows have one label trains on that label alone. A KL neighbour of the same problem adds the
    reward of an answer to that problem to the KL term. In batches of at least two rows, labels are mixed as far as
    their counts allow. A random search separates neighbours of one problem and may leave some together.
    `one_sided_batches` and `kl_clashes` count the faults that remain.
    """
    generator = random.Random(seed)
    ordered = _spread(rows, generator)
    _mix_labels(ordered, batch)
    _separate_neighbours(ordered, batch, generator)
    return ordered


def one_sided_batches(rows: Sequence[Labelled], batch: int) -> int:
    """Return the number of batches whose rows all have the same label."""
    return sum(len({row.wanted for row in part}) == 1 for part in _batches(rows, batch))


def kl_clashes(rows: Sequence[Labelled], batch: int) -> int:
    """Return the number of rows whose KL neighbour answers the same problem. See `interleaved`."""
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
        # take the label of which the largest share is left, so that the labels mix in proportion
        label = max((True, False), key=lambda one: len(queues[one]) / max(1, total[one]))
        ordered.append(queues[label].popleft())
    return ordered


def _mix_labels(rows: list[Row], batch: int) -> None:
    """Exchange rows so that batches hold both labels.

    Each batch whose rows have one label exchanges its first row for a row of the other label. That row comes from the
    first batch that holds at least two rows of the other label. Without such a batch nothing is exchanged.
    """
    starts = range(0, len(rows), batch)
    for start in starts:
        labels = {row.wanted for row in rows[start : start + batch]}
        if len(labels) > 1:
            continue
        missing = not labels.pop()
        for other in starts:
            places = [at for at in range(other, min(other + batch, len(rows))) if rows[at].wanted == missing]
            # this may also be a batch in which all rows have the missing label: the exchange mixes both batches
            if len(places) > 1:
                rows[start], rows[places[0]] = rows[places[0]], rows[start]
                break


def _separate_neighbours(rows: list[Row], batch: int, generator: random.Random) -> None:
    """Separate neighbours of one problem by exchanging rows of the same label.

    For each row beside a row of its problem, up to TRIES exchanges with random rows are tried. An exchange stays if it
    lowers the number of clashes in the two batches.
    """
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
