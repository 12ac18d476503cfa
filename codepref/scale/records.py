"""What the dispatcher and its hosts exchange. Pure."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

LENGTH = struct.Struct(">Q")
"""The head of a message between processes of this machine: the number of the bytes that follow."""


@dataclass(frozen=True, slots=True)
class Work:
    """One piece of work.

    key: anything that tells the caller what the result belongs to. It stays with the driver. item: what the service
    gets. It must be picklable. weight: how much work this is, in units that can run at once, such as solutions.
    size: about how many bytes the item has. count: what the work adds to the number of results that users see.
    """

    key: Any
    item: Any
    weight: int = 1
    size: int = 0
    count: int = 1


@dataclass(frozen=True, slots=True)
class GivenUp:
    """The result of work that was lost too often.

    cause: the cause of the last loss. tries: how many losses the work was blamed for.
    """

    cause: str
    tries: int


@dataclass(frozen=True, slots=True)
class ServiceSpec:
    """What a host runs.

    factory: "module:attribute", which the host calls with `settings` as keyword arguments. It returns a `Service`.
    """

    factory: str
    settings: dict[str, Any] = field(default_factory=dict)


class Service(Protocol):
    """What runs on a host and does the work. Each host has one service."""

    @property
    def capacity(self) -> int:
        """How many units of work the service runs at once."""
        ...

    @property
    def threads(self) -> int:
        """How many calls of `handle` the service takes at once. Further calls wait."""
        ...

    def handle(self, items: Sequence[Any]) -> list[Any]:
        """Do the work and return one result for each item, in order.

        Raises MachineError if this host cannot do work of this kind. The host then gets no more work.
        """
        ...

    def close(self) -> None:
        """End everything that the service has started."""
        ...


@dataclass(frozen=True, slots=True)
class Host:
    """A process that runs the service.

    number: differs between all hosts of one `Hosts`. name: for messages. node: the machine, or for a process of this
    machine its place. Work that was lost on a node goes to another one if possible. capacity: see `Service`.
    """

    number: int
    name: str
    node: str
    capacity: int


@dataclass(frozen=True, slots=True)
class Finished:
    """A batch has results. results: one for each of its items."""

    batch: int
    results: list[Any]


@dataclass(frozen=True, slots=True)
class HostLost:
    """A host has ended. Its batches without results are lost.

    blamed: whether the work may be the cause. It is not if the host says that it cannot do such work.
    """

    host: Host
    cause: str
    blamed: bool = True


Event = Finished | HostLost


class Hosts(Protocol):
    """The hosts of one service. The dispatcher calls the methods from one thread."""

    def ready(self) -> Sequence[Host]:
        """Return the hosts that take work now. Start missing ones without waiting for them.

        Raises MachineError if no host has been ready for too long, or if none can become ready.
        """
        ...

    def send(self, host: Host, batch: int, items: Sequence[Any]) -> None:
        """Give a batch to a host. If that fails, `wait` reports the loss of the host."""
        ...

    def wait(self, seconds: float) -> Sequence[Event]:
        """Wait until something happens, at most for this time. Return finished batches and lost hosts."""
        ...

    def states(self) -> Mapping[str, str]:
        """Return the state of each host that is there or was left out, by name: "ready", "starting", or the reason."""
        ...

    def close(self) -> None:
        """End all hosts."""
        ...
