"""The server: from settings to a process that listens, until a signal ends it."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import signal
from collections.abc import Callable, Iterator
from typing import ClassVar

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from codepref.errors import MachineError
from codepref.execution.engine import usable_cpus
from codepref.execution.limits import Limits
from codepref.execution.rlimits import check_rlimits
from codepref.execution.worker import check_machine
from codepref.service.app import Service, started
from codepref.service.settings import ServiceSettings, Unavailable

SPARE_DESCRIPTORS = 200
"""The number of descriptors that are left for files and the log when all connections are open. Each worker adds 10."""

MAX_CONNECTIONS = 20_000
"""The largest number of open connections, where the limit of open files allows it."""

END_SECONDS = 5
"""The seconds in which open connections get their last answer after a signal."""


HEADER_SECONDS = 30.0
"""The seconds in which the headers of a request must arrive. They count from the opening of the connection, and for
later requests on it from their first bytes."""


ANSWER_SECONDS = 60.0
"""The seconds in which a client must read what is ready for it."""


MAX_UNREAD = 1 << 28
"""The largest size of all answers together that clients have not read, in bytes (256 MiB)."""


class PatientProtocol(H11Protocol):
    """A connection that ends if the headers of a request do not arrive in time, or if the client does not read.

    uvicorn itself would wait for ever, so clients that do nothing could take all connections and keep answers in
    memory.

    unread: the connections whose clients do not read fast enough, in the order in which they fell behind.
    """

    unread: ClassVar[dict[PatientProtocol, None]] = {}

    _deadline: asyncio.TimerHandle | None = None
    _reading: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the timer of the first request."""
        super().connection_made(transport)
        self._start()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timers."""
        self._stop()
        self._stop_reading()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Stop the timer of a request when its headers are complete. Start it when a later request begins."""
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._stop()
        elif self._deadline is None:
            self._start()

    def pause_writing(self) -> None:
        """Start the timer that ends the connection if the client does not read.

        If the unread answers of all connections are larger than MAX_UNREAD together, end connections with unread
        answers until they are not. The client that fell behind first goes first.
        """
        super().pause_writing()
        self._stop_reading()
        self._reading = self.loop.call_later(ANSWER_SECONDS, self.transport.abort)
        self.unread[self] = None
        size = sum(one.transport.get_write_buffer_size() for one in self.unread)
        for one in list(self.unread):
            if size <= MAX_UNREAD:
                break
            size -= one.transport.get_write_buffer_size()
            del self.unread[one]
            one.transport.abort()

    def resume_writing(self) -> None:
        """Stop the timer that waits for the client to read."""
        self._stop_reading()
        super().resume_writing()

    def _stop_reading(self) -> None:
        self.unread.pop(self, None)
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None

    def _start(self) -> None:
        self._deadline = self.loop.call_later(HEADER_SECONDS, self._close)

    def _stop(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _close(self) -> None:
        self._deadline = None
        if not self.transport.is_closing():
            self.transport.close()


class Server(uvicorn.Server):
    """A server that ends all work, and then itself, at the first signal. It ends at once at the second signal."""

    def __init__(self, config: uvicorn.Config, service: Service, notify: Callable[[str], None]) -> None:
        super().__init__(config)
        self._service, self._notify = service, notify

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Call `end` at SIGTERM and SIGINT inside the block, if this is the main thread."""
        loop, signals = asyncio.get_running_loop(), (signal.SIGTERM, signal.SIGINT)
        with contextlib.suppress(ValueError, RuntimeError):  # only the main thread can set signal handlers
            for one in signals:
                loop.add_signal_handler(one, self.end)
        try:
            yield
        finally:
            for one in signals:
                loop.remove_signal_handler(one)

    def end(self) -> None:
        """End all work, and then the server. At a second call, end the server at once."""
        self.force_exit = self.should_exit
        self.should_exit = True
        self._service.pool.stop()

    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        """Begin to listen, and call `notify` with the address."""
        await super().startup(sockets)  # type: ignore[arg-type]
        if self.started:
            port = self.servers[0].sockets[0].getsockname()[1]
            host = f"[{self.config.host}]" if ":" in self.config.host else self.config.host
            self._notify(f"http://{host}:{port}")


def serve_requests(settings: ServiceSettings, notify: Callable[[str], None]) -> None:
    """Answer requests until SIGTERM or SIGINT. notify: called with the address when the server listens.

    Raises MachineError if this machine lacks what the sandbox needs, if the address cannot be used, or if the engine
    fails while it starts. Raises UserError for `jobs` below 1.
    """
    if not settings.unconfined:
        check_machine()
    jobs = settings.jobs or usable_cpus()
    check_rlimits(Limits(memory_mb=settings.max_memory_mb), jobs)
    connections = _connections(jobs)
    try:
        with asyncio.Runner() as runner:
            runner.run(_serve(settings, connections, notify))
    except Unavailable as error:
        raise MachineError(f"the engine cannot start: {error}") from None


async def _serve(settings: ServiceSettings, connections: int, notify: Callable[[str], None]) -> None:
    async with started(settings) as service:
        config = uvicorn.Config(
            service.application(),
            host=settings.host,
            port=settings.port,
            lifespan="off",
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            http=PatientProtocol,
            ws="none",
            backlog=4096,
            limit_concurrency=connections,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=END_SECONDS,
        )
        server = Server(config, service, notify)
        try:
            await server.serve()
        except SystemExit:  # uvicorn has logged the reason
            raise MachineError(
                f"the address {settings.host}:{settings.port} cannot be used. Take another host or port"
            ) from None


def _connections(jobs: int) -> int:
    """Return how many connections may be open. Raise the soft limit of open files if they need it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    spare = SPARE_DESCRIPTORS + 10 * jobs
    wanted = MAX_CONNECTIONS + spare
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return max(16, wanted - spare)
