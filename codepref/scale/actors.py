"""Hosts that are actors on the nodes of a Ray cluster."""

from __future__ import annotations

import contextlib
import itertools
import pickle
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from codepref.errors import MachineError
from codepref.scale import shipped
from codepref.scale.cluster import Node, load_ray, nodes
from codepref.scale.records import Event, Finished, Host, HostLost, ServiceSpec
from codepref.scale.versions import own_version

REFRESH_SECONDS = 1.0
"""The shortest time between two look-ups of the cluster's nodes."""

MAX_STARTS = 3
"""A node is left out after this many actors in a row have ended at one of its places before they were ready."""

CLOSE_SECONDS = 10.0
"""How long actors that are ready may take to end what they have started. They are killed afterwards."""

BUSY_SECONDS = 30.0
"""After this time, the user gets a message about an actor that is not ready."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an actor runs: a node, and the number of the actor there. cpus, gpus: what the actor takes from Ray."""

    node: Node
    number: int
    cpus: float
    gpus: float


class _Actor:
    """An actor, and the batch of each call that has no result yet. host: None until the actor is ready."""

    def __init__(self, number: int, place: Place, handle: Any, opening: Any) -> None:
        self.number, self.place, self.handle, self.opening = number, place, handle, opening
        self.begun, self.is_told = time.monotonic(), False
        self.host: Host | None = None
        self.calls: dict[Any, int] = {}


class RayHosts:
    """Actors that run a service on the nodes of the cluster to which this process is connected.

    spec: returns what the actor at a place runs. places: returns the places on nodes. threads: returns how many calls
        an actor at a place takes at once.
    wait_seconds: how long no host may be ready before `ready` raises MachineError.
    log: called with messages for the user, such as that a node is lost or left out.

    Attributes:
        left_out: the reason why a node is not used, by the name of the node.
    """

    def __init__(
        self,
        spec: Callable[[Place], ServiceSpec],
        places: Callable[[Sequence[Node]], Sequence[Place]],
        *,
        threads: Callable[[Place], int],
        wait_seconds: float,
        log: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._ray = load_ray()
        self._ray.cloudpickle.register_pickle_by_value(shipped)
        self._spec, self._places, self._threads, self._log = spec, places, threads, log
        self._wait_seconds, self._wanted = wait_seconds, own_version()
        self._numbers = itertools.count()
        self._actors: dict[int, _Actor] = {}
        self._events: list[Event] = []
        self._failed_starts: dict[tuple[str, int], int] = {}
        self._unfit: set[str] = set()
        self._alive: dict[str, Node] = {}
        self.left_out: dict[str, str] = {}
        self._refreshed = -REFRESH_SECONDS
        self._last_ready = time.monotonic()
        self._was_ready = False

    def ready(self) -> Sequence[Host]:
        """Return the actors that take work. Start actors at places that lack one.

        Raises MachineError if no actor has been ready for `wait_seconds`. Raises it at once if all nodes that offer
        cores were left out before an actor was ready.
        """
        now = time.monotonic()
        if now - self._refreshed >= REFRESH_SECONDS:
            self._refreshed = now
            self._refresh()
        hosts = [actor.host for actor in self._actors.values() if actor.host is not None]
        none_fits = bool(self._alive) and not self._actors and bool(self.left_out) and not self._was_ready
        if hosts:
            self._last_ready, self._was_ready = now, True
        elif none_fits or now - self._last_ready > self._wait_seconds:
            raise MachineError(self._hopeless())
        return hosts

    def _refresh(self) -> None:
        alive = {node.id: node for node in nodes()}
        for actor in list(self._actors.values()):
            if actor.place.node.id not in alive:
                self._lose(actor, f"{actor.place.node.name} is lost")
        self._alive = alive
        taken = {(actor.place.node.id, actor.place.number) for actor in self._actors.values()}
        fit = [node for node in alive.values() if node.id not in self._unfit]
        for place in self._places(fit):
            key = (place.node.id, place.number)
            if key not in taken and self._failed_starts.get(key, 0) < MAX_STARTS:
                self._start(place)
        for actor in self._actors.values():
            if actor.host is None and not actor.is_told and time.monotonic() - actor.begun > BUSY_SECONDS:
                actor.is_told = True
                self._log(
                    f"{actor.place.node.name} is not ready after {BUSY_SECONDS:.0f} s. It needs {actor.place.cpus:g} "
                    "free cores, which other work of the cluster may hold"
                )

    def _start(self, place: Place) -> None:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        actor_class = self._ray.remote(shipped.HostActor)
        handle = actor_class.options(
            num_cpus=place.cpus,
            num_gpus=place.gpus,
            max_concurrency=self._threads(place),
            max_restarts=0,
            scheduling_strategy=NodeAffinitySchedulingStrategy(place.node.id, soft=False),
        ).remote()
        number = next(self._numbers)
        opening = handle.open.remote(self._wanted, pickle.dumps(self._spec(place)))
        self._actors[number] = _Actor(number, place, handle, opening)

    def send(self, host: Host, batch: int, items: Sequence[Any]) -> None:
        """Give a batch to an actor."""
        if (actor := self._actors.get(host.number)) is None:
            return  # lost since `ready`; `wait` has reported or will report it
        try:
            call = actor.handle.handle.remote(pickle.dumps(list(items), protocol=pickle.HIGHEST_PROTOCOL))
        except self._ray.exceptions.RayError as error:
            self._lose(actor, f"{actor.place.node.name}: {_cause(error)}")
            return
        actor.calls[call] = batch

    def wait(self, seconds: float) -> Sequence[Event]:
        """Wait for results, lost actors and actors that become ready, at most for this time. Return what has happened.

        Actors that become ready are not part of the result. Raises the error of an actor, unless it makes this class
        leave the node out. A MachineError does this, and so does a UserError while the actor opens its service.
        """
        if not self._events:
            self._collect(seconds)
        events, self._events = self._events, []
        return events

    def _collect(self, seconds: float) -> None:
        owners = {call: actor for actor in self._actors.values() for call in actor.calls}
        owners |= {actor.opening: actor for actor in self._actors.values() if actor.host is None}
        if not owners:
            time.sleep(min(seconds, REFRESH_SECONDS))
            return
        done, rest = self._ray.wait(list(owners), num_returns=1, timeout=seconds)
        if done and rest:
            done += self._ray.wait(rest, num_returns=len(rest), timeout=0)[0]
        for call in done:
            actor = owners[call]
            if actor.number not in self._actors:
                continue
            try:
                kind, value = self._ray.get(call)
            except self._ray.exceptions.RayError as error:
                self._lose(actor, f"{actor.place.node.name}: {_cause(error)}")
                continue
            self._take(actor, call, kind, value)

    def _take(self, actor: _Actor, call: Any, kind: str, value: Any) -> None:
        name = actor.place.node.name
        if kind == "ready":
            actor.host = Host(actor.number, _name(actor.place), actor.place.node.id, value)
            self._failed_starts.pop((actor.place.node.id, actor.place.number), None)
        elif kind == "finished":
            self._events.append(Finished(actor.calls.pop(call), value))
        elif kind == "unfit" or isinstance(value, MachineError):
            self._leave_out(actor.place.node, str(value))
            self._lose(actor, f"{name}: {value}", blamed=False)
        else:
            raise value

    def _leave_out(self, node: Node, cause: str) -> None:
        if node.name not in self.left_out:
            self._log(f"{node.name} is left out: {cause}")
        self._unfit.add(node.id)
        self.left_out[node.name] = cause

    def _lose(self, actor: _Actor, cause: str, *, blamed: bool = True) -> None:
        if self._actors.pop(actor.number, None) is None:
            return
        self._kill(actor)
        key = (actor.place.node.id, actor.place.number)
        if actor.host is not None:
            self._events.append(HostLost(actor.host, cause, blamed))
            if blamed:
                self._log(f"{cause}. Its work goes out again")
        elif blamed:
            self._failed_starts[key] = self._failed_starts.get(key, 0) + 1
            if self._failed_starts[key] >= MAX_STARTS and actor.place.node.id in self._alive:
                self._leave_out(actor.place.node, cause.removeprefix(f"{actor.place.node.name}: "))

    def _kill(self, actor: _Actor) -> None:
        with contextlib.suppress(self._ray.exceptions.RayError, ValueError):  # it may have ended already
            self._ray.kill(actor.handle, no_restart=True)

    def states(self) -> dict[str, str]:
        """Return the state of each actor, or of a node that was left out: "ready", "starting", or the reason."""
        states = {name: f"left out: {cause}" for name, cause in self.left_out.items()}
        for actor in self._actors.values():
            if actor.host is None:
                states[_name(actor.place)] = "starting"
            else:
                states[actor.host.name] = "ready"
        return states

    def _hopeless(self) -> str:
        reasons = [f"{name}: {cause}" for name, cause in self.left_out.items()]
        if not reasons:
            reasons = [f"no node was ready within {self._wait_seconds:.0f} s"]
        return f"no node of the Ray cluster can do the work. {'; '.join(reasons)}"

    def close(self) -> None:
        """End all actors. Before that, give the actors that are ready CLOSE_SECONDS to end what they have started."""
        closing = []
        for actor in self._actors.values():
            if actor.host is not None:
                closing.append(actor.handle.close.remote())
        if closing:
            self._ray.wait(closing, num_returns=len(closing), timeout=CLOSE_SECONDS)
        for actor in self._actors.values():
            self._kill(actor)
        self._actors.clear()


def _name(place: Place) -> str:
    """Return the name of the node, with the number of the actor if it is not the node's first."""
    return place.node.name + (f", actor {place.number}" if place.number else "")


def _cause(error: BaseException) -> str:
    """Return the first line of Ray's error, cut at 300 characters, or its type if it has no text."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:300] if lines else type(error).__name__


def one_per_node(jobs: int | None) -> Callable[[Sequence[Node]], list[Place]]:
    """Return a function that returns one place on each node with a core.

    jobs: how many cores an actor takes, at most those of its node. None means all.
    """

    def places(found: Sequence[Node]) -> list[Place]:
        return [Place(node, 0, min(jobs or node.cpus, node.cpus), 0) for node in found if node.cpus > 0]

    return places
