"""Several processes that hold the same model, on this machine or on a Ray cluster. Together they are one engine."""

from __future__ import annotations

import contextlib
import math
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from codepref.config.scale import ScaleSection
from codepref.errors import InfrastructureError, MachineError
from codepref.records import Message
from codepref.sampling.engines import open_engine
from codepref.sampling.engines.base import Answer, Ask, Decoding, Engine, Preparable, Summarising
from codepref.sampling.engines.transformers import TransformersEngine
from codepref.scale.actors import Place, RayHosts
from codepref.scale.cluster import Node, connected
from codepref.scale.dispatcher import WEIGHT_AHEAD, Dispatcher
from codepref.scale.local import LocalHosts
from codepref.scale.records import GivenUp, Hosts, ServiceSpec, Work
from codepref.storage.progress import NodeProgress

SERVICE = "codepref.sampling.engines.replicas:SamplingService"
"""The name of the service for a `ServiceSpec`."""

BATCHES, MIN_CHUNK, MIN_CHUNKS = 2, 16, 8
"""A replica gets the asks in chunks of two batches. If that makes fewer than about eight chunks, the chunks are
smaller. They then hold at least 16 asks, unless two batches or all asks are fewer."""

MIN_ASKS = 256
"""For fewer asks than this, starting further processes is not worth while. It happens only if `scale` asks for it."""

GPUS = Path("/proc/driver/nvidia/gpus")
"""A folder with one entry for each GPU, where NVIDIA's driver is loaded."""


class SamplingService:
    """One replica. An item is (asks, decoding, seed, batch size), and its result is the pair of answers and facts.

    fingerprint: that of the driver's model. model, dtype, device: see `open_engine`.
    Raises what `open_engine` raises, and MachineError if the model has another fingerprint here.
    """

    capacity = threads = 1
    _engine: Engine

    @classmethod
    def around(cls, engine: TransformersEngine) -> SamplingService:
        """Return the service of a copy of this process, with the engine that is loaded here."""
        engine.use_one_thread()
        service = cls.__new__(cls)
        service._engine = engine
        return service

    def __init__(self, model: str, fingerprint: str, dtype: str, device: str) -> None:
        self._engine = open_engine(model, dtype=dtype, device=device)
        if self._engine.fingerprint != fingerprint:
            raise MachineError(
                f"the files of the model {model} differ from the driver's. Copy the same files to all nodes"
            )

    def handle(self, items: Sequence[tuple[Sequence[Ask], Decoding, int, int]]) -> list[tuple[list[Answer], Any]]:
        """Return the answers to each item's asks, in order, with the facts that the engine states about them."""
        return [self._answers(*item) for item in items]

    def _answers(
        self, asks: Sequence[Ask], decoding: Decoding, seed: int, batch_size: int
    ) -> tuple[list[Answer], dict[str, Any]]:
        if isinstance(self._engine, Preparable):
            self._engine.prepare(batch_size=batch_size, folder=None, on_tokens=lambda number: None)
        answers = dict(self._engine.answers(asks, decoding, seed))
        facts = self._engine.summary() if isinstance(self._engine, Summarising) else {}
        return [answers[place] for place in range(len(asks))], facts

    def close(self) -> None:
        """Do nothing. The weights are freed when the process ends."""


class ReplicatedEngine:
    """An engine whose answers other processes compute.

    An engine that uses `ask_seed` draws an answer with the same seed in each of the processes.
    one: the model's engine in this process. scale: where the processes run, and how many there are. If `scale` leaves
    the number open on this machine, this process answers alone. On Linux, a small model of Transformers on a CPU
    instead gets a copy of this process for each core, if there are at least MIN_ASKS asks. model, dtype, device: see
    `open_engine`. log: called with messages about nodes that are lost or left out.
    """

    def __init__(
        self,
        one: Engine,
        model: str,
        scale: ScaleSection,
        *,
        dtype: str = "auto",
        device: str = "auto",
        log: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._one = one
        self.fingerprint = self._one.fingerprint
        self._scale, self._log = scale, log
        settings = {"model": model, "fingerprint": self.fingerprint, "dtype": dtype, "device": device}
        self._spec = ServiceSpec(SERVICE, settings)
        self._batch_size = 128
        self._on_tokens: Callable[[int], None] = lambda number: None
        self._facts: dict[str, Any] = {}
        self._nodes: Callable[[], Mapping[str, NodeProgress]] = dict

    def prompt_length(self, messages: Sequence[Message]) -> int:
        """Return the length of a prompt, as the model's engine counts it."""
        return self._one.prompt_length(messages)

    def prepare(self, *, batch_size: int, folder: Path | None, on_tokens: Callable[[int], None]) -> None:
        """Take the settings (see `Preparable`). `folder` has no effect. Other processes do not report their tokens."""
        self._batch_size, self._on_tokens = batch_size, on_tokens

    def summary(self) -> dict[str, Any]:
        """Return the facts of the chunk that was finished last, or else those of the engine in this process, or {}."""
        return self._facts or (self._one.summary() if isinstance(self._one, Summarising) else {})

    def nodes(self) -> Mapping[str, NodeProgress]:
        """Return the processes that compute the answers by name, with the number of their answers so far."""
        return self._nodes()

    def answers(self, asks: Sequence[Ask], decoding: Decoding, seed: int) -> Iterator[tuple[int, Answer]]:
        """Yield (place in `asks`, answer) as soon as a process has finished a chunk of asks.

        If no other process is needed, each answer is yielded when it is finished.
        Raises what the model's engine raises, MachineError if no process can do the work, and InfrastructureError if
        the process that computes a chunk is lost too often. With Ray, raises what `connected` raises.
        """
        chunk = min(BATCHES * self._batch_size, max(MIN_CHUNK, math.ceil(len(asks) / MIN_CHUNKS)))

        def work() -> Iterator[Work]:
            for start in range(0, len(asks), chunk):
                places = range(start, min(start + chunk, len(asks)))
                item = [asks[place] for place in places], decoding, seed, self._batch_size
                yield Work(places, item, weight=WEIGHT_AHEAD, size=chunk, count=len(places))

        count, forked = self._processes(len(asks))
        if count == 1 and self._scale.executor == "local":
            if isinstance(self._one, Preparable):
                self._one.prepare(batch_size=self._batch_size, folder=None, on_tokens=self._on_tokens)
            yield from self._one.answers(asks, decoding, seed)
            return
        with self._hosts(count, forked) as hosts:
            dispatcher = Dispatcher(hosts)
            self._nodes = dispatcher.nodes
            for done, result in dispatcher.run(work()):
                if isinstance(result, GivenUp):
                    task = asks[done.key[0]].task_id
                    raise InfrastructureError(
                        f"a group of answers that begins with those to {task} cannot be computed, since "
                        f"{result.tries} processes that computed it were lost. The cause of the last loss was: "
                        f"{result.cause}"
                    )
                answers, self._facts = result
                yield from zip(done.key, answers, strict=True)

    def _processes(self, asks: int) -> tuple[int, Callable[[], SamplingService] | None]:
        """Return the number of processes, and a function that returns the service if they are copies of this process.

        With Ray the number is that of the setting `replicas`.
        """
        if self._scale.executor == "ray" or self._scale.replicas:
            return self._scale.replicas or 0, None
        if asks < MIN_ASKS or cores() == 1 or sys.platform != "linux" or not isinstance(self._one, TransformersEngine):
            return 1, None
        self._one.load()
        one = self._one
        return (cores(), lambda: SamplingService.around(one)) if one.is_small else (1, None)

    @contextlib.contextmanager
    def _hosts(self, count: int, forked: Callable[[], SamplingService] | None) -> Iterator[Hosts]:
        with contextlib.ExitStack() as stack:
            hosts: Hosts
            if self._scale.executor == "ray":
                stack.enter_context(connected(self._scale.address))
                hosts = RayHosts(
                    lambda place: self._spec,
                    lambda nodes: replica_places(nodes, self._scale.replicas),
                    threads=lambda place: SamplingService.threads,
                    wait_seconds=self._scale.wait_seconds,
                    log=self._log,
                )
            else:
                hosts = LocalHosts(
                    self._spec,
                    count,
                    environment=lambda place: environment_of(place, count),
                    forked=forked,
                    log=self._log,
                )
            stack.callback(hosts.close)
            yield hosts


def replica_places(nodes: Sequence[Node], replicas: int) -> list[Place]:
    """Return where replicas run: on the nodes with GPUs, or on all nodes with cores if no node has a GPU.

    replicas: the number on each node. 0 means one for each GPU, or one for each node if no node has a GPU.
    """
    with_gpus = [node for node in nodes if node.gpus]
    places = []
    for node in with_gpus or [node for node in nodes if node.cpus]:
        count = replicas or node.gpus or 1
        share = node.cpus / count
        cpus = min(1.0, share) if node.gpus else float(math.floor(share)) or share
        places += [Place(node, number, cpus, node.gpus / count) for number in range(count)]
    return places


def environment_of(place: int, count: int) -> dict[str, str]:
    """Return the environment variables of a process on this machine: its GPU, or without GPUs its number of threads.

    The number is that in OMP_NUM_THREADS, or else the process's share of the cores.
    """
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is None:
        gpus = [str(at) for at in range(len(list(GPUS.iterdir())))] if GPUS.is_dir() else []
    else:
        gpus = [gpu for gpu in named.split(",") if gpu.strip() not in ("", "-1")]  # "" and -1 hide all GPUs
    if gpus:
        return {"CUDA_VISIBLE_DEVICES": gpus[place % len(gpus)]}
    return {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(max(1, cores() // count)))}


def cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
