"""A process that forks on request: small, trusted, and never told what its children will run.

Requests, each answered: fork a child that gets descriptors and a payload; reap a child (waits until it ends);
collect (a payload of the zygote's own choosing). The descriptors travel as SCM_RIGHTS beside the request's head.
"""

from __future__ import annotations

import _socket
import os
import select
from collections.abc import Callable
from struct import Struct

from . import frames

HEAD = Struct("<cI")
FORKED = Struct("<q")
REAPED = Struct("<idq")

RunChild = Callable[[list[int], bytes], None]
MOST_DESCRIPTORS = 48


class ZygoteLost(Exception):
    """The zygote is gone, or could not fork."""


class Reaped:
    """How a child ended. status: as waitpid gives it. cpu: seconds, user and system. peak: bytes resident at most."""

    __slots__ = ("cpu", "peak", "status")

    def __init__(self, status: int, cpu: float, peak: int) -> None:
        self.status, self.cpu, self.peak = status, cpu, peak

    @property
    def signal(self) -> int:
        """The signal that ended it, 0 when it exited."""
        return os.WTERMSIG(self.status) if os.WIFSIGNALED(self.status) else 0

    @property
    def ending(self) -> str:
        """How it ended, in words."""
        return f"signal {self.signal}" if self.signal else f"exit status {os.WEXITSTATUS(self.status)}"


def serve(control: _socket.socket, run_child: RunChild, other: Callable[[bytes, bytes], bytes] | None = None) -> None:
    """Answer requests until the client is gone. `run_child(descriptors, payload)` runs in the child, never to return.

    other: answers every further kind of request, given its code and payload.
    """
    while True:
        data, ancillary, _, _ = control.recvmsg(HEAD.size, _socket.CMSG_SPACE(4 * MOST_DESCRIPTORS))
        if not data:
            os._exit(0)
        data += frames.receive_exactly(control.fileno(), HEAD.size - len(data)) if len(data) < HEAD.size else b""
        kind, length = HEAD.unpack(data)
        payload = frames.receive_exactly(control.fileno(), length)
        if kind == b"F":
            descriptors = [number for (number,) in Struct("<i").iter_unpack(ancillary[0][2])]
            frames.send(control.fileno(), FORKED.pack(_fork(descriptors, payload, run_child)))
            for descriptor in descriptors:
                os.close(descriptor)
        elif kind == b"R":
            _, status, usage = os.wait4(FORKED.unpack(payload)[0], 0)
            cpu = usage.ru_utime + usage.ru_stime
            frames.send(control.fileno(), REAPED.pack(status, cpu, usage.ru_maxrss * 1024))
        elif other is not None:
            frames.send(control.fileno(), other(kind, payload))


def _fork(descriptors: list[int], payload: bytes, run_child: RunChild) -> int:
    try:
        pid = os.fork()
    except OSError as error:
        return -(error.errno or 1)
    if pid == 0:
        try:
            run_child(descriptors, payload)
        finally:
            os._exit(70)
    return pid


class Zygote:
    """The client's end. Raises ZygoteLost from every method when the other end is gone."""

    def __init__(self, control: _socket.socket, pid: int) -> None:
        self._control = control
        self.pid = pid

    def fileno(self) -> int:
        """For poll: readable when an answer has come."""
        return self._control.fileno()

    def ask(self, kind: bytes, payload: bytes = b"", descriptors: tuple[int, ...] = ()) -> None:
        """Send a request without waiting for its answer."""
        packed = b"".join(number.to_bytes(4, "little") for number in descriptors)
        rights = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, packed)] if packed else []
        try:
            self._control.sendmsg([HEAD.pack(kind, len(payload))], rights)
            view = memoryview(payload)
            while view:
                view = view[self._control.send(view) :]
        except OSError as error:
            raise ZygoteLost(str(error)) from None

    def answer(self) -> bytes:
        """The next answer, blocking."""
        try:
            return frames.receive(self._control.fileno())
        except (frames.Closed, OSError) as error:
            raise ZygoteLost(str(error) or "gone") from None

    def answered(self, timeout: float) -> bool:
        """Whether an answer has come within `timeout` seconds."""
        return bool(select.select([self._control], [], [], max(timeout, 0.0))[0])

    def fork(self, descriptors: tuple[int, ...], payload: bytes = b"") -> int:
        """Fork a child that gets `descriptors`; its pid."""
        self.ask(b"F", payload, descriptors)
        return self.forked()

    def forked(self) -> int:
        """The answer to a request to fork: the child's pid, blocking."""
        pid: int = FORKED.unpack(self.answer())[0]
        if pid < 0:
            raise ZygoteLost(f"cannot fork: {os.strerror(-pid)}")
        return pid

    def ask_reap(self, pid: int) -> None:
        """Ask to be told when child `pid` has ended; `reaped` gives the answer."""
        self.ask(b"R", FORKED.pack(pid))

    def reaped(self) -> Reaped:
        """The answer to `ask_reap`, blocking."""
        return Reaped(*REAPED.unpack(self.answer()))

    def close(self) -> None:
        """Let go; the zygote ends by itself."""
        self._control.close()
