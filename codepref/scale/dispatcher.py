"""Hands work to hosts, takes back results as they come, and hands lost work out again."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from codepref.errors import InfrastructureError, MachineError
from codepref.scale.records import Finished, GivenUp, Host, HostLost, Hosts, Work
from codepref.storage.progress import NodeProgress

MAX_TRIES = 3
"""The result of a piece of work is a `GivenUp` after it was blamed for this many losses (see `Dispatcher.run`)."""

MAX_LOST_IN_A_ROW = 30
"""After this many lost hosts without a result between them, the dispatcher raises MachineError."""

WEIGHT_AHEAD, SIZE_AHEAD = 128, 1 << 25
"""A host gets no more work while it holds more than `capacity` items and their weights add up to WEIGHT_AHEAD times
`capacity` or more. It also gets none while the sizes of its items add up to SIZE_AHEAD or more."""

MAX_BATCH, QUICK_SECONDS, SLOW_SECONDS = 64, 0.1, 1.0
"""Items that are finished quickly go out in batches, since each call of a host takes time.

A host's batches double in length after one that took less than 0.1 s from sending to result, and halve after one that
took more than 1 s. A batch ends early when the weights of its items add up to 64, or when its items are large.
"""

POLL_SECONDS = 0.5


@dataclass(slots=True)
class _Piece:
    """Work, how many losses it was blamed for, and the nodes where they happened."""

    work: Work
    losses: int = 0
    nodes: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Load:
    """What one host holds. batches: for each batch, in the order of sending, its pieces and the time of sending."""

    batches: dict[int, tuple[list[_Piece], float]] = field(default_factory=dict)
    items: int = 0
    weight: int = 0
    size: int = 0
    batch_items: int = 1
    is_reserved: bool = False

    def add(self, batch: int, pieces: list[_Piece], now: float) -> None:
        self.batches[batch] = (pieces, now)
        self._count(pieces, 1)

    def take(self, batch: int) -> tuple[list[_Piece], float]:
        pieces, sent = self.batches.pop(batch)
        self._count(pieces, -1)
        return pieces, sent

    def _count(self, pieces: list[_Piece], sign: int) -> None:
        self.items += sign * len(pieces)
        self.weight += sign * sum(piece.work.weight for piece in pieces)
        self.size += sign * sum(piece.work.size for piece in pieces)

    def has_room(self, capacity: int) -> bool:
        """Return whether the host gets more work.

        A host holds more work than it can run at once, so that it seldom waits for the driver.
        """
        if self.is_reserved or self.size >= SIZE_AHEAD:
            return False
        if self.items > capacity and self.weight >= WEIGHT_AHEAD * capacity:
            return False
        return self.items < max(2 * capacity + 2, 3 * self.batch_items)


@dataclass(slots=True)
class Tally:
    """What the dispatcher has seen of its hosts.

    weights: the weight of the finished work, by the name of the host. counts: as `weights`, with the counts of the
    work. lost: how many hosts were lost.
    """

    weights: dict[str, int] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    lost: int = 0


class Dispatcher:
    """Hands work to `hosts`.

    clock: returns the time in seconds.

    Attributes:
        tally: what has been seen of the hosts so far.
    """

    def __init__(self, hosts: Hosts, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.tally = Tally()
        self._hosts, self._clock = hosts, clock
        self._loads: dict[int, _Load] = {}
        self._names: dict[int, Host] = {}
        self._where: dict[int, int] = {}
        self._returned: deque[_Piece] = deque()
        self._suspects: deque[_Piece] = deque()
        self._number = self._lost_in_a_row = 0

    def run(self, work: Iterable[Work]) -> Iterator[tuple[Work, Any]]:
        """Yield each piece of work with its result as soon as the result is there, in any order.

        Work is taken from the iterator as hosts need it. Work of a lost host goes out again. The piece that the host
        had for the longest time may be the cause of the loss, unless the host states another cause. This piece is
        blamed: from then on it runs alone on a host, and on a node where it was not yet lost if there is one. After
        MAX_TRIES losses its result is a `GivenUp`.
        If the generator is closed early, results of work that is out are dropped.
        Raises MachineError after MAX_LOST_IN_A_ROW losses without a result. Raises InfrastructureError if a host
        returns a wrong number of results. Raises what the methods of `hosts` raise.
        """
        source = iter(work)
        ended = False
        self._lost_in_a_row = 0
        try:
            while True:
                ended = self._send_out(self._hosts.ready(), source, ended)
                if ended and not self._where and not self._returned and not self._suspects:
                    return
                for event in self._hosts.wait(POLL_SECONDS):
                    if isinstance(event, Finished):
                        yield from self._finish(event)
                    else:
                        yield from self._lose(event)
        finally:
            self._returned.clear()
            self._suspects.clear()
            self._where.clear()
            for load in self._loads.values():
                load.__init__()  # type: ignore[misc]

    def nodes(self) -> dict[str, NodeProgress]:
        """Return the hosts by name, with the count of their finished work. A host that is missing now is "lost"."""
        states = self._hosts.states()
        return {
            name: NodeProgress(self.tally.counts.get(name, 0), states.get(name, "lost"))
            for name in {**states, **self.tally.counts}
        }

    def _send_out(self, ready: Sequence[Host], source: Iterator[Work], ended: bool) -> bool:
        """Give work to the hosts that have room, the least loaded first. Return whether the source has ended."""
        for host in ready:
            self._loads.setdefault(host.number, _Load())
            self._names[host.number] = host
        self._send_suspects(ready)
        spared = self._spared(ready)
        waiting = [host for host in ready if host is not spared and self._loads[host.number].has_room(host.capacity)]
        while waiting:
            host = min(waiting, key=lambda one: self._loads[one.number].items / one.capacity)
            load = self._loads[host.number]
            pieces, ended = self._next(load.batch_items, source, ended)
            if not pieces:
                return ended
            self._send(host, pieces)
            if not load.has_room(host.capacity):
                waiting.remove(host)
        return ended

    def _next(self, count: int, source: Iterator[Work], ended: bool) -> tuple[list[_Piece], bool]:
        """Return the next pieces, of which lost ones come first, and whether the source has ended."""
        pieces: list[_Piece] = []
        size = weight = 0
        while len(pieces) < count and weight < MAX_BATCH and size < SIZE_AHEAD // 8:
            if self._returned:
                piece = self._returned.popleft()
            else:
                work = None if ended else next(source, None)
                if work is None:
                    return pieces, True
                piece = _Piece(work)
            pieces.append(piece)
            size += piece.work.size
            weight += piece.work.weight
        return pieces, ended

    def _send_suspects(self, ready: Sequence[Host]) -> None:
        """Send pieces that were blamed for a loss. Each waits for a host that has nothing else."""
        nodes = {host.node for host in ready}
        for host in ready:
            if self._loads[host.number].items:
                continue
            fitting = (one for one in self._suspects if host.node not in one.nodes or nodes <= one.nodes)
            if (piece := next(fitting, None)) is not None:
                self._suspects.remove(piece)
                self._send(host, [piece])
                self._loads[host.number].is_reserved = True

    def _spared(self, ready: Sequence[Host]) -> Host | None:
        """Return the host that gets nothing else now, so that it is soon free for a blamed piece.

        Return None if no blamed piece waits or no host is ready.
        """
        if not self._suspects:
            return None
        nodes = self._suspects[0].nodes
        fitting = [host for host in ready if host.node not in nodes] or list(ready)
        return min(fitting, key=lambda host: self._loads[host.number].items, default=None)

    def _send(self, host: Host, pieces: list[_Piece]) -> None:
        self._number += 1
        self._loads[host.number].add(self._number, pieces, self._clock())
        self._where[self._number] = host.number
        self._hosts.send(host, self._number, [piece.work.item for piece in pieces])

    def _finish(self, event: Finished) -> Iterator[tuple[Work, Any]]:
        if (number := self._where.pop(event.batch, None)) is None:
            return  # of an earlier run that was closed
        load = self._loads[number]
        pieces, sent = load.take(event.batch)
        load.is_reserved = False
        if len(pieces) != len(event.results):
            raise InfrastructureError(
                f"{self._names[number].name} returned {len(event.results)} results for {len(pieces)} pieces of work"
            )
        self._lost_in_a_row = 0
        seconds = self._clock() - sent
        if seconds < QUICK_SECONDS:
            load.batch_items = min(MAX_BATCH, 2 * load.batch_items)
        elif seconds > SLOW_SECONDS:
            load.batch_items = max(1, load.batch_items // 2)
        name = self._names[number].name
        weight = sum(piece.work.weight for piece in pieces)
        self.tally.weights[name] = self.tally.weights.get(name, 0) + weight
        count = sum(piece.work.count for piece in pieces)
        self.tally.counts[name] = self.tally.counts.get(name, 0) + count
        for piece, result in zip(pieces, event.results, strict=True):
            yield piece.work, result

    def _lose(self, event: HostLost) -> Iterator[tuple[Work, Any]]:
        load = self._loads.pop(event.host.number, None)
        self._names.pop(event.host.number, None)
        self.tally.lost += 1
        self._lost_in_a_row += 1
        lost = [piece for pieces, _ in load.batches.values() for piece in pieces] if load else []
        for batch in load.batches if load else ():
            self._where.pop(batch, None)
        if event.blamed and lost:
            first = lost.pop(0)
            first.losses += 1
            first.nodes.add(event.host.node)
            if first.losses >= MAX_TRIES:
                yield first.work, GivenUp(event.cause, first.losses)
            else:
                self._suspects.append(first)
        self._returned.extendleft(reversed(lost))
        if self._lost_in_a_row >= MAX_LOST_IN_A_ROW:
            raise MachineError(
                f"{MAX_LOST_IN_A_ROW} processes that do the work were lost in a row. The cause of the last loss was: "
                f"{event.cause}. When it is removed, the same command continues from here"
            )
