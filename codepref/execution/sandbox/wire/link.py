"""The test runner's end of the connection to a solution's process. It sends requests and decodes the answers.

This module also checks the time limits of each test. It reads the CPU time of the solution's process from a clock of
the kernel.
"""

from __future__ import annotations

import _thread
import os
import select
import sys
import time
from _blake2 import blake2b
from collections.abc import Callable
from typing import Any, NoReturn

from . import proxies, scalars, status_page
from .decoder import Decoder, imported_numpy, imported_pandas
from .encoder import Encoder
from .errors import exception_from
from .frames import LENGTH
from .plain_data import U32, Malformed, Unencodable

MAX_REPLY = 1 << 26
"""The largest size of one answer, in bytes (64 MiB)."""

READ_AHEAD = 1 << 14
"""The number of bytes that one read asks for if no more are needed."""

MAX_DIGESTED = 1 << 20
"""For an answer with at least this many bytes, the digest of the answers covers the length, but not the content."""

_exit, _now, _clock = os._exit, time.monotonic, time.clock_gettime


class Stopped(BaseException):
    """`Link.stop` raises this after it has called `_exit`, in case a test has replaced `_exit` in this module."""


class Ambiguous(Exception):
    """The answer to a call that was sent ahead cannot be used. So undecided tests must run again without such calls.

    There are three reasons: it is unclear which call used the CPU time, the answer holds a handle, or the test did not
    make the call.
    """


def clock_of(pid: int) -> int:
    """Return the id of the CPU clock of a process, as `clock_getcpuclockid` computes it on Linux."""
    return (~pid << 3) | 2


class Link:
    """The connection to one solution's process.

    If the solution's process ends, runs out of time or sends bytes that are no valid answer, `Link` writes the
    code of that failure for the running test to the status page, and ends the test runner at once. So a test
    cannot catch such a failure as an exception.

    Attributes:
        current: the index of the running test.
        crossing_failed: which value of the test could not cross, mostly as the name of its type, or "".
        last_reply: the size of the last answer, in bytes.
        received: the approximate size of all decoded answers together, in bytes.
        handed_over: whether an answer has held a handle since this attribute was last set to False.
        stops_expected, refused: as in `Caller`.
        modules: whether modules of the solution cross as modules at the moment.
        given_modules: the names of the modules that crossed as modules, and of the libraries from which the test runner
        gave names to tests or helpers.
        imports: whether this process may import numpy and pandas.
        uses_pandas: returns whether the tests or the helpers use pandas.
        may_share: called with a value of the test that cannot cross. It returns whether the test may therefore share a
        process with the solution.
    """

    def __init__(self, descriptor: int, pid: int, page: status_page.StatusPage) -> None:
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
        self.refused = frozenset[str]()
        self.modules, self.given_modules, self.imports = False, set[str](), False
        self.uses_pandas: Callable[[], bool] = lambda: True
        self.may_share: Callable[[Any], bool] = lambda value: True
        self._originals: dict[int, tuple[Any, Any]] = {}
        self._lock = _thread.RLock()
        self._mark = 0.0
        self._fetched = 0
        self._buffer = b""
        self._cpu_end = self._wall_end = 0.0
        self._digest = blake2b(digest_size=status_page.ANSWER_DIGEST_BYTES)

    def begin(self, test: int, cpu_seconds: float, wall_seconds: float) -> None:
        """Start the limits of a test, or of loading a solution.

        They limit the CPU time of the solution's process and the wall-clock time.
        """
        self.current, self.crossing_failed = test, ""
        self._digest = blake2b(digest_size=status_page.ANSWER_DIGEST_BYTES)
        self._cpu_end = _clock(self._clock) + cpu_seconds
        self._wall_end = _now() + wall_seconds

    def used(self) -> float:
        """Return the seconds of CPU time that the solution's process has used in total."""
        return _clock(self._clock)

    def answer_digest(self) -> bytes:
        """Return the digest of all answers since the test began.

        Two solutions that give the same plain answers and change their arguments in the same way usually have equal
        digests. The order of the elements of a set can make a difference.
        """
        digest: bytes = self._digest.digest()
        return digest

    def check(self) -> None:
        """Stop with the code T if the solution's process has used more than its limit of CPU time.

        This also finds time that the process used after its last answer.
        """
        if _clock(self._clock) > self._cpu_end:
            self.stop(ord("T"), "the solution used up its CPU time")

    def stop(self, code: int, detail: str) -> NoReturn:
        """Write the code of the current test to the status page, describe the failure there, and end this process."""
        self._page.describe(f"test {self.current}: {detail}")
        self._page.set(self.current, code)
        _exit(0)
        raise Stopped

    def request(self, operation: str, *parts: Any) -> Any:
        """Make one request and return its value. If the solution changed arguments in place, change them here too.

        Raises the solution's exception, and what `Encoder.encode` raises. An argument that cannot cross raises
        Unencodable if the test may share a process with the solution, and TypeError if it may not. Threads of a test
        take turns.
        """
        with self._lock:
            encoder = Encoder(self._handle_of, exact=True)
            try:
                body = encoder.encode((operation, *parts))
            except Unencodable as error:
                if not self.may_share(error.value):
                    raise TypeError(f"a value of the test cannot be handed to the solution ({error})") from None
                self.crossing_failed = self.crossing_failed or str(error)
                raise
            decoder = self._exchange(body, encoder.table)
            self.received += self.last_reply
            return self._result(decoder, encoder.table)

    def _handle_of(self, value: Any) -> bytes | None:
        kept = self._originals.get(id(value))
        return proxies.handle_of(value if kept is None else kept[1])

    def _keep(self, value: Any, proxy: Any) -> None:
        """Remember the proxy of a value's original. The value crosses back as a handle, also if the test changed it."""
        self._originals[id(value)] = (value, proxy)

    def batch(self, body: bytes) -> bytes:
        """Send an encoded batch of calls. Return the answer as bytes, which `results` decodes."""
        return self._exchange(body, []).rest()

    def results(self, answer: bytes) -> tuple[list[Any], BaseException | None]:
        """Return the outputs of a batch, and the exception that ended the batch, or None.

        Raises the solution's exception if there are no outputs, for example because the answer would be too large.
        """
        self.received += len(answer)
        value = self._result(self._decoder(answer, []), [])
        try:
            outputs, error = value
            if type(value) is not tuple or type(outputs) is not list:
                raise TypeError
            return outputs, None if error is None else exception_from(error)
        except (TypeError, ValueError, Malformed):
            self.stop(ord("E"), "the solution's process sent a malformed answer to a batch of calls")

    def post(self, bodies: list[bytes], budget: float) -> None:
        """Send requests, whose answers `fetch` reads in turn. All requests together must fit the socket's buffer.

        budget: seconds of CPU time that the solution may use while the requests are sent.
        """
        self._mark = _clock(self._clock)
        self._cpu_end = self._mark + budget
        first, self._fetched = self._number + 1, self._number
        self._number += len(bodies)
        numbered = (LENGTH.pack(len(body) + 4) + U32.pack(at) + body for at, body in enumerate(bodies, start=first))
        self._send(b"".join(numbered))

    def fetch(self, containers: Callable[[], list[Any]], cpu_seconds: float, wall_seconds: float) -> tuple[bool, Any]:
        """Return the result of the next posted request: (True, value) or (False, exception).

        containers: returns the mutable containers in the arguments of the request, for an answer that refers to them.
        End this process if the call has certainly used up its time. Raises Ambiguous if it is unclear which of two
        calls used the CPU time. Also raises Ambiguous if the answer holds a handle, since the test may then need
        further requests.
        """
        began = self._mark  # not later than the start of this call in the solution's process
        now = _clock(self._clock)
        if not self._buffer and not self._poll.poll(0):
            self._mark = now  # this call had not ended
        self._cpu_end, self._wall_end = now + cpu_seconds, _now() + wall_seconds
        self._fetched += 1
        self.handed_over = False
        self._digest = blake2b(digest_size=status_page.ANSWER_DIGEST_BYTES)
        number, data = U32.pack(self._fetched), self._receive()
        self.received += self.last_reply
        result = True, scalars.read_answer(data, number)
        if result[1] is scalars.UNKNOWN:
            table = containers()
            decoder = self._answer(number, data, table)
            try:
                result = True, self._result(decoder, table)
            except BaseException as error:  # noqa: BLE001 - the solution's exception is the result
                result = False, error
        if self.handed_over or _clock(self._clock) - began > cpu_seconds:
            raise Ambiguous
        return result

    def _exchange(self, body: bytes, table: list[Any]) -> Decoder:
        self._number += 1
        number = U32.pack(self._number)
        self._send(LENGTH.pack(len(body) + 4) + number + body)
        return self._answer(number, self._receive(), table)

    def _receive(self) -> bytes:
        """Return the bytes of the next answer. End this process if they are too many.

        Add the bytes to the digest, or the length of a large answer (see MAX_DIGESTED).
        """
        (length,) = LENGTH.unpack(self._read(4))
        self.last_reply = length
        if length > MAX_REPLY:
            self.stop(ord("E"), "the solution's answer is larger than 64 MiB")
        data = self._read(length)
        if length < MAX_DIGESTED:
            self._digest.update(data[4:])
        else:
            self._digest.update(LENGTH.pack(length))
        return data

    def _answer(self, number: bytes, data: bytes, table: list[Any]) -> Decoder:
        """Return a decoder after the number of the request. End this process if the answer has another number."""
        decoder = self._decoder(data, list(table))
        if len(data) < 5 or decoder.take(4) != number:
            self.stop(ord("E"), "the solution's process sent an answer that does not belong to the request")
        return decoder

    def _decoder(self, data: bytes, table: list[Any]) -> Decoder:
        decoder = Decoder(data, self._handle, table)
        decoder.find_numpy, decoder.find_pandas, decoder.keep = self._numpy, self._pandas, self._keep
        decoder.may_miss = self.uses_pandas
        return decoder

    def _numpy(self) -> Any:
        """Return the module numpy. If it is not loaded and may not be imported here, ask for it and end this process.

        Most tasks need no numpy in the test runner, and importing it takes longer than most solutions run. So the
        supervisor has the runner zygote load it once for the task, and only if it is needed.
        """
        self._need("numpy", status_page.ARRAYS)
        return imported_numpy()

    def _pandas(self) -> Any:
        """Return the module pandas, as `_numpy` returns numpy."""
        self._need("pandas", status_page.TABLES)
        return imported_pandas()

    def _need(self, library: str, phase: int) -> None:
        if library not in sys.modules and not self.imports:
            self._page.enter(phase, self.current)
            _exit(0)

    def _result(self, decoder: Decoder, table: list[Any]) -> Any:
        try:
            sign = decoder.take(1)
            value = decoder.value()
            for _ in range(decoder.u32()):
                decoder.replace(table[decoder.u32()])
            decoder.finished()
            if sign == b"-":
                value = exception_from(value)
            elif sign != b"+":
                raise Malformed("the answer is neither a value nor an error")
        except (Malformed, IndexError) as error:
            self.stop(ord("E"), f"the solution's process sent a malformed answer ({error})")
        if sign == b"-":
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
        """Wait until the descriptor is ready. End this process if a limit is reached.

        Each call checks the limits, so a solution gains no time by sending single bytes slowly.
        """
        while True:
            cpu_left = self._cpu_end - _clock(self._clock)
            wall_left = self._wall_end - _now()
            if cpu_left <= 0:
                self.stop(ord("T"), "the solution used up its CPU time")
            if wall_left <= 0:
                self.stop(ord("T"), "the solution reached the limit of wall-clock time")
            # CPU time can pass faster than wall-clock time only with threads. Then the next check finds the excess.
            if poll.poll(1000 * min(cpu_left, wall_left) + 1):
                return

    def _died(self) -> NoReturn:
        self.stop(status_page.DIED, "the solution's process ended or closed its connection")

    def _handle(self, kind: bytes, number: int, name: str) -> Any:
        self.handed_over = True
        if kind == b"m" and not self.modules:
            kind = b"o"  # a module crosses as a module only while the solution is loaded and its names are looked up
        if kind == b"m":
            self.given_modules.add(name.partition("\0")[0])
        known = self._objects.get((kind, number))
        if known is None:
            known = self._objects[kind, number] = proxies.make_proxy(self, kind, number, name)
        return known
