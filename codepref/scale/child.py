"""The program of a process of `LocalHosts`. It runs a service until the other end of its socket closes."""

from __future__ import annotations

import ctypes
import os
import pickle
import signal
import socket
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from codepref.scale.hosting import describe, open_service
from codepref.scale.records import LENGTH, Service, ServiceSpec

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Open the service of the `ServiceSpec` that comes from the descriptor in argv[1], and run it."""
    run(int(sys.argv[1]), open_service)


def run(descriptor: int, opened: Callable[[ServiceSpec], Service]) -> None:
    """Run a service: read a `ServiceSpec` and then batches (number, items) from a socket, and send results back.

    opened: returns the service of a `ServiceSpec`. When the other end of the socket closes, the process ends.
    """
    end_with_parent()
    channel = socket.socket(fileno=descriptor)
    lock = threading.Lock()

    def send(message: Any) -> None:
        body = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
        with lock:
            channel.sendall(LENGTH.pack(len(body)) + body)

    def handle(batch: int, items: list[Any]) -> None:
        try:
            send(("finished", batch, service.handle(items)))
        except Exception as error:  # noqa: BLE001 - the parent raises it
            send(("failed", describe(error)))

    stream = channel.makefile("rb")
    try:
        service = opened(_read(stream))
    except Exception as error:  # noqa: BLE001 - the parent raises it
        send(("failed", describe(error)))
        return
    send(("ready", service.capacity))
    with ThreadPoolExecutor(service.threads) as threads:
        while True:
            try:
                message = _read(stream)
            except EOFError:
                service.close()
                os._exit(0)  # nobody waits for work that is under way
            threads.submit(handle, *message)


def end_with_parent() -> None:
    """On Linux, have the kernel kill this process when the thread that started it ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _read(stream: Any) -> Any:
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        raise EOFError
    (length,) = LENGTH.unpack(head)
    body = stream.read(length)
    if len(body) < length:
        raise EOFError
    return pickle.loads(body)


if __name__ == "__main__":
    main()
