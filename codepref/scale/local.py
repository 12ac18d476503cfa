"""Hosts that are processes of this machine."""

from __future__ import annotations

import contextlib
import itertools
import pickle
import selectors
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from codepref.errors import MachineError
from codepref.scale.forked import ForkedProcess
from codepref.scale.hosting import own_command
from codepref.scale.records import LENGTH, Event, Finished, Host, HostLost, Service, ServiceSpec

MAX_STARTS = 3
"""A place gets no further process after this many in a row have ended before they were ready."""

READY_SECONDS = 600.0
"""After this time without a process that is ready, `LocalHosts.ready` raises MachineError."""


class Child(Protocol):
    """A process that was started, with two methods of `subprocess.Popen`."""

    def kill(self) -> None:
        """End the process."""
        ...

    def wait(self) -> int:
        """Wait until the process has ended, and return its exit status."""
        ...


class _Process:
    """A child process at the other end of a socket."""

    def __init__(self, number: int, place: int, spec: ServiceSpec, start: Callable[[int, int], Child]) -> None:
        self.number, self.place = number, place
        self.received = bytearray()
        ours, theirs = socket.socketpair()
        try:
            self.process = start(place, theirs.fileno())
        except OSError as error:
            ours.close()
            raise MachineError(f"a process cannot be started ({error.strerror or error})") from None
        finally:
            theirs.close()
        self.socket = ours
        self.host: Host | None = None
        self.send(spec)

    def fileno(self) -> int:
        return self.socket.fileno()

    def send(self, message: Any) -> None:
        body = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
        with contextlib.suppress(OSError):  # the process has ended, and the next read reports it
            self.socket.sendall(LENGTH.pack(len(body)) + body)

    def receive(self) -> list[Any]:
        """Read once, and return the messages that are complete. Raises EOFError if the process has ended."""
        try:
            part = self.socket.recv(1 << 20)
        except OSError:
            part = b""
        if not part:
            raise EOFError
        self.received += part
        messages = []
        while len(self.received) >= LENGTH.size:
            (length,) = LENGTH.unpack_from(self.received)
            if len(self.received) < LENGTH.size + length:
                break
            messages.append(pickle.loads(self.received[LENGTH.size : LENGTH.size + length]))
            del self.received[: LENGTH.size + length]
        return messages

    def kill(self) -> None:
        self.socket.close()
        self.process.kill()
        self.process.wait()


class LocalHosts:
    """Processes of this machine that run a service.

    A process that ends is replaced, until MAX_STARTS in a row have ended at its place before they were ready. A process
    that sends a MachineError is not replaced.
    count: the number of processes. environment: returns further environment variables of the process at a place. Places
    are numbered from 0. forked: if it is not None, the processes are copies of this process, which call it to get the
    service. `environment` then has no effect. log: called with messages for the user.
    """

    def __init__(
        self,
        spec: ServiceSpec,
        count: int,
        *,
        environment: Callable[[int], dict[str, str]] = lambda place: {},
        forked: Callable[[], Service] | None = None,
        log: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._spec, self._count, self._environment, self._log = spec, count, environment, log
        self._forked = forked
        self._numbers = itertools.count()
        self._selector = selectors.DefaultSelector()
        self._processes: dict[int, _Process] = {}
        self._events: list[Event] = []
        self._failed_starts = [0] * count
        self._causes: dict[int, str] = {}
        self._last_ready = time.monotonic()

    def ready(self) -> Sequence[Host]:
        """Return the processes that take work. Start those that are missing.

        Raises MachineError if a process cannot be started, if no place is left that may get a process, or if no process
        has been ready for READY_SECONDS.
        """
        taken = {process.place for process in self._processes.values()}
        for place in range(self._count):
            if place not in taken and self._failed_starts[place] < MAX_STARTS:
                process = _Process(next(self._numbers), place, self._spec, self._start)
                self._processes[process.number] = process
                self._selector.register(process, selectors.EVENT_READ)
        hosts = [process.host for process in self._processes.values() if process.host is not None]
        now = time.monotonic()
        if hosts:
            self._last_ready = now
        elif not self._processes or now - self._last_ready > READY_SECONDS:
            cause = "; ".join(dict.fromkeys(self._causes.values())) or "it was not ready in time"
            raise MachineError(f"no process can do the work: {cause}")
        return hosts

    def _start(self, place: int, descriptor: int) -> Child:
        if self._forked is not None:
            return ForkedProcess(descriptor, self._forked)
        command, environment = own_command("codepref.scale.child", str(descriptor))
        return subprocess.Popen(
            command,
            pass_fds=[descriptor],
            env=environment | self._environment(place),
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )

    def send(self, host: Host, batch: int, items: Sequence[Any]) -> None:
        """Give a batch to a process."""
        self._processes[host.number].send((batch, list(items)))

    def wait(self, seconds: float) -> Sequence[Event]:
        """Wait for messages of the processes, at most for this time. Return finished batches and lost hosts.

        Raises the error that a process sends, unless it is a MachineError.
        """
        for key, _ in self._selector.select(seconds):
            process = key.fileobj
            assert isinstance(process, _Process)
            try:
                for message in process.receive():
                    self._take(process, *message)
            except EOFError:
                self._lose(process, f"{_name(process.place)} ended with status {process.process.wait()}", blamed=True)
        events, self._events = self._events, []
        return events

    def _take(self, process: _Process, kind: str, *parts: Any) -> None:
        if process.number not in self._processes:
            return
        if kind == "ready":
            self._failed_starts[process.place] = 0
            process.host = Host(process.number, _name(process.place), f"{process.place}", parts[0])
        elif kind == "finished":
            self._events.append(Finished(*parts))
        elif kind == "failed":
            error = parts[0]
            if not isinstance(error, MachineError):
                raise error
            self._failed_starts[process.place] = MAX_STARTS
            self._log(f"{_name(process.place)} is left out: {error}")
            self._lose(process, str(error), blamed=False)

    def _lose(self, process: _Process, cause: str, *, blamed: bool) -> None:
        if self._processes.pop(process.number, None) is None:
            return
        self._selector.unregister(process)
        process.kill()
        self._causes[process.place] = cause
        if process.host is None:
            self._failed_starts[process.place] += 1
        else:
            self._events.append(HostLost(process.host, cause, blamed))

    def states(self) -> dict[str, str]:
        """Return "ready" or "starting" for each process, by name."""
        return {_name(one.place): "starting" if one.host is None else "ready" for one in self._processes.values()}

    def close(self) -> None:
        """End all processes."""
        for process in self._processes.values():
            self._selector.unregister(process)
            process.kill()
        self._processes.clear()
        self._selector.close()


def _name(place: int) -> str:
    return f"process {place}"
