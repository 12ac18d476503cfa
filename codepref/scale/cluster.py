"""Connects to a Ray cluster, or starts Ray on this machine."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import signal
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from codepref.errors import MachineError, UserError

OBJECT_STORE_BYTES = 256 << 20
"""The size of the object store of a Ray that codepref starts because no address is named."""

CONNECT_SECONDS = 10.0
"""How long codepref waits for a cluster's address to accept a connection."""

_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
"""How a client of HTTP/2 begins, which Ray speaks: the fixed text and an empty frame with settings (RFC 9113, 3.4)."""

_SETTINGS = 4
"""The type of a frame with settings. The first frame of a server has it. The type is the fourth byte of a frame."""

_PORT = re.compile(r"(?P<host>.+):(?P<port>\d{1,5})")


@dataclass(frozen=True, slots=True)
class Node:
    """A node of the cluster that is alive. cpus, gpus: what Ray may give away there."""

    id: str
    name: str
    cpus: int
    gpus: int


@contextlib.contextmanager
def connected(address: str, *, cpus: int | None = None) -> Iterator[None]:
    """Connect to the cluster at `address` inside the block. In a process that is connected already, do nothing.

    address: "auto" for the cluster that Ray finds on this machine, or HOST:PORT, or "local" for a new Ray on this
    machine, which ends with the block. "" means the address in the variable RAY_ADDRESS, and without that also a new
    Ray on this machine. cpus: the cores of the new Ray where no address is named.
    Raises UserError for a malformed address. Raises MachineError if Ray is not installed or cannot start, if no cluster
    answers at the address, or if the cluster runs another version of Ray or Python.
    """
    ray = load_ray()
    if ray.is_initialized():
        yield
        return
    address = address or os.environ.get("RAY_ADDRESS", "")
    if address == "local":
        address = ""
    _check_address(address)
    with _own_signal_handlers():
        _connect(ray, address, cpus)
    try:
        with _quiet(ray):
            yield
    finally:
        with _own_signal_handlers():
            ray.shutdown()


def load_ray() -> Any:
    """Return the module ray. Raises MachineError if it is not installed."""
    # Ray reports usage to its makers by default. A Ray that codepref starts does so only if the user wants it.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as error:
        raise MachineError(f"Ray is not installed ({error}). Install it with pip install 'codepref[ray]'") from None
    return ray


def _connect(ray: Any, address: str, cpus: int | None) -> None:
    options: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
    if not address:
        options |= {"num_cpus": cpus, "include_dashboard": False, "object_store_memory": OBJECT_STORE_BYTES}
    try:
        ray.init(address=address or "local", **options)
    except ConnectionError as error:
        raise MachineError(
            f"no Ray cluster can be reached at {address} ({_first_line(error)}). Start one with `ray start --head`, or "
            "name another address. Without an address and without the variable RAY_ADDRESS, codepref starts Ray on "
            "this machine"
        ) from None
    except (RuntimeError, ValueError, OSError, ray.exceptions.RayError) as error:
        where = f"the Ray cluster at {address} cannot be used" if address else "Ray cannot be started on this machine"
        raise MachineError(f"{where}: {' '.join(str(error).split())[:300]}") from None


def _check_address(address: str) -> None:
    if address in ("", "auto"):
        return
    if address.startswith("ray://"):
        raise UserError(
            f"{address}: Ray's client addresses are not supported. Run codepref on a machine of the cluster, with the "
            "address auto"
        )
    match = _PORT.fullmatch(address)
    if match is None:
        raise UserError(f"{address}: the address of a Ray cluster must be auto or HOST:PORT, such as 10.0.0.1:6379")
    try:
        with socket.create_connection((match["host"], int(match["port"])), timeout=CONNECT_SECONDS) as channel:
            cause = "" if _speaks_http2(channel) else "another program listens there"
    except (OSError, OverflowError) as error:
        cause = str(error)
    if cause:
        raise MachineError(
            f"no Ray cluster answers at {address} ({cause}). Start one with `ray start --head`, or name another address"
        )


def _speaks_http2(channel: socket.socket) -> bool:
    """Return whether a server answers as Ray does. Ray itself would wait for minutes for an answer.

    With RAY_USE_TLS the answer is encrypted and is not read. Every server then counts as Ray.
    """
    if os.environ.get("RAY_USE_TLS", "0").lower() in ("1", "true"):
        return True
    channel.sendall(_GREETING)
    head = b""
    while len(head) < 4 and (part := channel.recv(4 - len(head))):
        head += part
    return len(head) == 4 and head[3] == _SETTINGS


def nodes() -> list[Node]:
    """Return the nodes that are alive, in the order of their names and ids."""
    found = []
    for facts in load_ray().nodes():
        if facts["Alive"]:
            resources = facts["Resources"]
            host, address, number = facts["NodeManagerHostname"], facts["NodeName"], facts["NodeID"]
            name = f"node {number[:8]} ({host}{'' if address == host else f', {address}'})"
            found.append(Node(number, name, int(resources.get("CPU", 0)), int(resources.get("GPU", 0))))
    return sorted(found, key=lambda node: (node.name, node.id))


@contextlib.contextmanager
def _own_signal_handlers() -> Iterator[None]:
    """Restore this process's handler of SIGTERM after the block, since Ray replaces it.

    So SIGTERM ends the work as it does without Ray. Outside of the main thread, do nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def _quiet(ray: Any) -> Iterator[None]:
    """Keep Ray from printing the logs of a lost node on stdout, where a command's results go.

    This replaces the function with which Ray prints them. If a version of Ray lacks this function, do nothing.
    """
    module = ray._private.worker
    printing = getattr(module, "print_to_stdstream", None)
    if printing is None:
        yield
        return
    module.print_to_stdstream = lambda *arguments, **options: None
    try:
        yield
    finally:
        module.print_to_stdstream = printing


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
