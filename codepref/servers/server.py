"""One server of an endpoint, with its connections, its pauses and a limit of the answers that it computes at once."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import replace

from codepref.config.endpoint import Endpoint
from codepref.servers.client import Client


class Room:
    """Lets a limited number of answers be computed at once. A call can ask for several answers."""

    def __init__(self, size: int) -> None:
        self.size, self.used = size, 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    async def acquire(self, n: int) -> None:
        """Wait until there is room for `n` answers, in the order of the calls.

        A call with `n` above the size of the room waits until no other call runs.
        """
        if not self._waiting and self._fits(n):
            self.used += n
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append((n, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.release(n)
            raise

    def release(self, n: int) -> None:
        """Give back the room of `n` answers."""
        self.used -= n
        while self._waiting and (self._waiting[0][1].cancelled() or self._fits(self._waiting[0][0])):
            size, turn = self._waiting.popleft()
            if not turn.cancelled():
                self.used += size
                turn.set_result(None)

    def _fits(self, n: int) -> bool:
        return self.used == 0 or self.used + n <= self.size


class Server:
    """A server of an endpoint.

    Attributes:
    client: makes the calls.
    room: the room for answers that are computed at once.
    faults: the number of faults since the last answer. Rejected requests do not count.
    noted: when the user last got a message about its faults, as a value of `time.monotonic`.
    """

    def __init__(self, client: Client, concurrency: int) -> None:
        self.client, self.room = client, Room(concurrency)
        self.faults, self.noted = 0, float("-inf")
        self._quiet_until = 0.0

    def pause(self, seconds: float) -> None:
        """Let no call begin for this number of seconds. A running call goes on."""
        self._quiet_until = max(self._quiet_until, time.monotonic() + seconds)

    def is_quiet(self) -> bool:
        """Return whether a pause is running."""
        return self._quiet_until > time.monotonic()

    async def wait_until_open(self) -> None:
        """Wait until no pause is running."""
        while (left := self._quiet_until - time.monotonic()) > 0:
            await asyncio.sleep(left)


def servers_of(endpoint: Endpoint) -> list[Server]:
    """Return the servers of an endpoint, the one at `base_url` first."""
    addresses = (endpoint.base_url, *endpoint.replicas)
    return [Server(Client(replace(endpoint, base_url=address)), endpoint.concurrency) for address in addresses]
