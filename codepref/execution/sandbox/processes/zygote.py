"""A zygote is a process that forks on request. It runs neither tests nor solutions.

A request "F" forks a child, which gets descriptors and a payload. A request "R" waits until a child ends, and reaps it.
A zygote may answer further requests, which its own module defines. The descriptors of a request are sent with its
head, as SCM_RIGHTS.
"""

from __future__ import annotations

import _socket
import os
import select
import time
from collections.abc import Callable
from struct import Struct

from ..wire import frames

HEAD = Struct("<cI")
FORKED = Struct("<q")
REAPED = Struct("<idq")

RunChild = Callable[[list[int], bytes], None]
FORK_ATTEMPTS, FORK_PAUSE_SECONDS = 40, 0.05
"""How often a fork is tried, and the seconds between two attempts.

A solution of another worker may have so many threads that no process can be forked until it has been ended.
"""

MAX_DESCRIPTORS = 48
"""The largest number of descriptors that one request can carry."""


class ZygoteLost(Exception):
    """The zygote has ended, does not answer, could not fork, or could not prepare a task."""


class Reaped:
    """How a child ended.

    Attributes:
        status: the status that `waitpid` returns.
        cpu: seconds of user and system time.
        peak: the largest number of bytes that were resident.
    """

    __slots__ = ("cpu", "peak", "status")

    def __init__(self, status: int, cpu: float, peak: int) -> None:
        self.status, self.cpu, self.peak = status, cpu, peak

    @property
    def signal(self) -> int:
        """The number of the signal that ended the child, or 0 if the child exited."""
        return os.WTERMSIG(self.status) if os.WIFSIGNALED(self.status) else 0

    @property
    def ending(self) -> str:
        """How the child ended, in words."""
        return f"signal {self.signal}" if self.signal else f"exit status {os.WEXITSTATUS(self.status)}"


def serve(control: _socket.socket, run_child: RunChild, other: Callable[[bytes, bytes], bytes] | None = None) -> None:
    """Answer requests until the client closes its end, then end this process.

    run_child: called in the child with its descriptors and payload. The child ends when this function returns or
    raises.
    other: called with the code and payload of every further request. It returns the answer.
    """
    while True:
        data, ancillary, _, _ = control.recvmsg(HEAD.size, _socket.CMSG_SPACE(4 * MAX_DESCRIPTORS))
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
    for left in reversed(range(FORK_ATTEMPTS)):
        try:
            pid = os.fork()
            break
        except OSError as error:
            if not left:
                return -(error.errno or 1)
            time.sleep(FORK_PAUSE_SECONDS)
    if pid == 0:
        try:
            run_child(descriptors, payload)
        finally:
            os._exit(70)
    return pid


class Zygote:
    """The client's connection to a zygote.

    Every method that sends a request or reads an answer raises ZygoteLost when the zygote is gone.
    """

    def __init__(self, control: _socket.socket, pid: int) -> None:
        self._control = control
        self.pid = pid

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when an answer has arrived."""
        return self._control.fileno()

    def ask(self, kind: bytes, payload: bytes = b"", descriptors: tuple[int, ...] = ()) -> None:
        """Send a request, without waiting for its answer."""
        packed = b"".join(number.to_bytes(4, "little") for number in descriptors)
        rights = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, packed)] if packed else []
        try:
            self._control.sendmsg([HEAD.pack(kind, len(payload))], rights)
            view = memoryview(payload)
            while view:
                view = view[self._control.send(view) :]
        except OSError as error:
            raise ZygoteLost(str(error)) from None

    def send(self, body: bytes) -> None:
        """Send a frame that is not a request. A runner zygote gets its task in this way before it answers requests."""
        try:
            frames.send(self._control.fileno(), body)
        except (frames.Closed, OSError) as error:
            raise ZygoteLost(str(error) or "gone") from None

    def answer(self) -> bytes:
        """Return the next answer. Blocks until it has arrived."""
        try:
            return frames.receive(self._control.fileno())
        except (frames.Closed, OSError) as error:
            raise ZygoteLost(str(error) or "gone") from None

    def answered(self, timeout: float) -> bool:
        """Return whether an answer arrives within `timeout` seconds."""
        return bool(select.select([self._control], [], [], max(timeout, 0.0))[0])

    def fork(self, descriptors: tuple[int, ...], payload: bytes = b"") -> int:
        """Fork a child that gets `descriptors`, and return its pid."""
        self.ask(b"F", payload, descriptors)
        return self.forked()

    def forked(self) -> int:
        """Return the answer to a request to fork, which is the child's pid. Blocks until it has arrived.

        Raises ZygoteLost also when no process can be forked.
        """
        pid: int = FORKED.unpack(self.answer())[0]
        if pid < 0:
            raise ZygoteLost(f"cannot fork: {os.strerror(-pid)}")
        return pid

    def ask_reap(self, pid: int) -> None:
        """Ask the zygote to wait for the end of child `pid`. `reaped` returns the answer."""
        self.ask(b"R", FORKED.pack(pid))

    def reaped(self) -> Reaped:
        """Return the answer to `ask_reap`. Blocks until the child has ended."""
        return Reaped(*REAPED.unpack(self.answer()))

    def close(self) -> None:
        """Close the connection. The zygote notices this and ends."""
        self._control.close()
