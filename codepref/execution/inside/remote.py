"""The judge's end of the wall: requests to the solution's process and strict reading of its replies.

Limits are checked here for each test: CPU time of the judged process is read from its clock, from outside.
"""

from __future__ import annotations

import os
import select
import sys
import time
from _blake2 import blake2b
from typing import Any, NoReturn

from . import standins, status
from .codec import U32, Encoder, Malformed, Unencodable
from .decoder import Decoder, imported_numpy
from .frames import LENGTH

MAX_REPLY = 1 << 26
READ_AHEAD = 1 << 14
MOST_DIGESTED = 1 << 20
"""Bytes of a reply above which its length alone goes into the digest of a test's outcome."""

_exit, _now, _clock = os._exit, time.monotonic, time.clock_gettime


class Stopped(BaseException):
    """Never caught: the judge has written its last code and exits."""


class Ambiguous(Exception):
    """Replies fetched ahead cannot be told apart in time: the tests are to be run one by one."""


def clock_of(pid: int) -> int:
    """The kernel's id of another process's CPU clock (the inverse of what `clock_getcpuclockid` computes)."""
    return (~pid << 3) | 2


class Link:
    """Requests to one judged process and strict reading of its replies.

    When the solution dies, runs out of time or breaks the protocol, the code is written to the status page and this
    process ends on the spot: no test code sees an exception that it could swallow.
    """

    def __init__(self, descriptor: int, pid: int, page: status.StatusPage) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLIN)
        self._poll_both = select.poll()
        self._poll_both.register(descriptor, select.POLLIN | select.POLLOUT)
        self._clock = clock_of(pid)
        self._page = page
        self._number = 0
        self._objects: dict[tuple[bytes, int], Any] = {}
        self.current = 0
        self.crossing_failed = ""
        self.last_reply = self.received = 0
        self.handed_over = self.stops_expected = False
        self.modules, self.given, self.imports = False, set[str](), False
        self._mark = 0.0
        self._fetched = 0
        self._buffer = b""
        self._cpu_end = self._wall_end = 0.0
        self._told = blake2b(digest_size=status.ANSWER_DIGEST_BYTES)

    def begin(self, test: int, cpu_seconds: float, wall_seconds: float) -> None:
        """Start the budgets of a test (or of loading): CPU time of the judged process, and the wall ceiling."""
        self.current, self.crossing_failed = test, ""
        self._told = blake2b(digest_size=status.ANSWER_DIGEST_BYTES)
        self._cpu_end = _clock(self._clock) + cpu_seconds
        self._wall_end = _now() + wall_seconds

    def used(self) -> float:
        """Seconds of CPU that the judged process has used in all."""
        return _clock(self._clock)

    def outcome(self) -> bytes:
        """The digest of all replies since the test began: equal where solutions answered alike, arguments that they
        changed included.
        """
        digest: bytes = self._told.digest()
        return digest

    def check(self) -> None:
        """Stop when the judged process has used more than its budget, however quick the last answer seemed."""
        if _clock(self._clock) > self._cpu_end:
            self.stop(ord("T"), "the solution used up its CPU time")

    def stop(self, code: int, detail: str) -> NoReturn:
        """Write the code of the current test and end this process."""
        self._page.describe(f"test {self.current}: {detail}")
        self._page.set(self.current, code)
        _exit(0)
        raise Stopped

    def request(self, operation: str, *parts: Any) -> Any:
        """One request; its value, or the solution's exception raised. In-place changes are copied back."""
        encoder = Encoder(standins.handle_of, exact=True)
        try:
            body = encoder.encode((operation, *parts))
        except Unencodable as error:
            self.crossing_failed = self.crossing_failed or str(error)
            raise
        decoder = self._exchange(body, encoder.table)
        self.received += self.last_reply
        return self._outcome(decoder, encoder.table)

    def batch(self, body: bytes) -> bytes:
        """The answer, as it came, to a batch of calls whose request was encoded beforehand; `results` reads it."""
        return self._exchange(body, []).rest()

    def results(self, answer: bytes) -> tuple[list[Any], BaseException | None]:
        """The outputs of a batch, and the exception of the call that came after them, if one was raised."""
        self.received += len(answer)
        told = self._outcome(self._decoder(answer, []), [])
        try:
            outputs, error = told
            if type(told) is not tuple or type(outputs) is not list:
                raise TypeError
            return outputs, None if error is None else standins.exception_from(error)
        except (TypeError, ValueError, Malformed):
            self.stop(ord("E"), "the solution's process answered out of form")

    def post(self, bodies: list[bytes], budget: float) -> None:
        """Send requests whose replies `fetch` reads in turn. Together they must fit the socket's buffer."""
        self._mark = _clock(self._clock)
        self._cpu_end = self._mark + budget
        first, self._fetched = self._number + 1, self._number
        self._number += len(bodies)
        numbered = (LENGTH.pack(len(body) + 4) + U32.pack(at) + body for at, body in enumerate(bodies, start=first))
        self._send(b"".join(numbered))

    def fetch(self, table: list[Any], cpu_seconds: float, wall_seconds: float) -> tuple[bool, Any]:
        """The next posted request's outcome: (True, value) or (False, exception).

        Raises Ambiguous when it cannot be told which of two calls used the CPU time, or when what came needs
        requests of its own: then the tests must be run one by one. A call that certainly used up its time stops.
        """
        began = self._mark  # not later than the start of this call
        now = _clock(self._clock)
        if not self._buffer and not self._poll.poll(0):
            self._mark = now  # this call had not ended
        self._cpu_end, self._wall_end = now + cpu_seconds, _now() + wall_seconds
        self._fetched += 1
        self.handed_over = False
        self._told = blake2b(digest_size=status.ANSWER_DIGEST_BYTES)
        decoder = self._reply(U32.pack(self._fetched), table)
        self.received += self.last_reply
        try:
            outcome = (True, self._outcome(decoder, table))
        except BaseException as error:  # noqa: BLE001 - the solution's exception is the outcome
            outcome = (False, error)
        if self.handed_over or _clock(self._clock) - began > cpu_seconds:
            raise Ambiguous
        return outcome

    def _exchange(self, body: bytes, table: list[Any]) -> Decoder:
        self._number += 1
        number = U32.pack(self._number)
        self._send(LENGTH.pack(len(body) + 4) + number + body)
        return self._reply(number, table)

    def _reply(self, number: bytes, table: list[Any]) -> Decoder:
        (length,) = LENGTH.unpack(self._read(4))
        self.last_reply = length
        if length > MAX_REPLY:
            self.stop(ord("E"), "the solution's answer is larger than 64 MiB")
        data = self._read(length)
        if length < MOST_DIGESTED:
            self._told.update(data[4:])
        else:
            self._told.update(LENGTH.pack(length))
        decoder = self._decoder(data, list(table))
        if length < 5 or decoder.take(4) != number:
            self.stop(ord("E"), "the solution's process answered out of turn")
        return decoder

    def _decoder(self, data: bytes, table: list[Any]) -> Decoder:
        decoder = Decoder(data, self._handle, table)
        decoder.find_numpy = self._numpy
        return decoder

    def _numpy(self) -> Any:
        """Most tasks need no numpy here, and its import takes longer than most of their solutions: it is not in this
        process's time, nor once a judge, that it is loaded.
        """
        if "numpy" not in sys.modules and not self.imports:
            self._page.enter(status.ARRAYS, self.current)
            _exit(0)
        return imported_numpy()

    def _outcome(self, decoder: Decoder, table: list[Any]) -> Any:
        try:
            fine = decoder.take(1)
            value = decoder.value()
            for _ in range(decoder.u32()):
                decoder.replace(table[decoder.u32()])
            decoder.finished()
            if fine == b"-":
                value = standins.exception_from(value)
            elif fine != b"+":
                raise Malformed("neither value nor error")
        except (Malformed, IndexError) as error:
            self.stop(ord("E"), f"the solution's process answered out of form ({error})")
        if fine == b"-":
            raise value
        return value

    def _send(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._descriptor, view) :]
            except BlockingIOError:
                self._wait(self._poll_both)
            except OSError:
                self._died()

    def _read(self, count: int) -> bytes:
        if len(self._buffer) < count:
            parts, have = [self._buffer], len(self._buffer)
            while have < count:
                self._wait(self._poll)
                try:
                    part = os.read(self._descriptor, 1 << 20 if count > READ_AHEAD else READ_AHEAD)
                except BlockingIOError:
                    continue
                except OSError:
                    self._died()
                if not part:
                    self._died()
                parts.append(part)
                have += len(part)
            self._buffer = b"".join(parts)
        data, self._buffer = self._buffer[:count], self._buffer[count:]
        return data

    def _wait(self, poll: select.poll) -> None:
        """Wait for the descriptor; the budgets are looked at each time, so that a trickle of bytes buys nothing."""
        while True:
            cpu_left = self._cpu_end - _clock(self._clock)
            wall_left = self._wall_end - _now()
            if cpu_left <= 0:
                self.stop(ord("T"), "the solution used up its CPU time")
            if wall_left <= 0:
                self.stop(ord("T"), "the solution sat idle until the wall-clock ceiling")
            # CPU time cannot pass faster than the wall clock but for threads, which the next look accounts for.
            if poll.poll(1000 * min(cpu_left, wall_left) + 1):
                return

    def _died(self) -> NoReturn:
        self.stop(status.DIED, "the solution's process ended")

    def _handle(self, kind: bytes, number: int, name: str) -> Any:
        self.handed_over = True
        if kind == b"m" and not self.modules:
            kind = b"o"  # a module is known by its name when a test looks it up; as an answer it is an object
        if kind == b"m":
            self.given.add(name)
        known = self._objects.get((kind, number))
        if known is None:
            known = self._objects[kind, number] = standins.stand_in(self, kind, number, name)
        return known
