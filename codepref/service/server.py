"""The server: from settings to a process that listens, until a signal ends it."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import signal
from collections.abc import Callable, Iterator

import uvicorn

from codepref.errors import MachineError
from codepref.execution.limits import Limits
from codepref.execution.rlimits import check_rlimits
from codepref.execution.worker import check_machine
from codepref.service.app import Service, started
from codepref.service.settings import ServiceSettings

SPARE_DESCRIPTORS = 200
"""The descriptors that are left for files and the log when all connections are open. Each worker gets 10 more."""

MAX_CONNECTIONS = 20_000
"""The largest number of open connections, where the limit of open files allows it."""

END_SECONDS = 5
"""The seconds in which open connections get their last answer after a signal."""


class Server(uvicorn.Server):
    """A server that ends all work at the first signal, and itself at once at the second one."""

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

    Raises MachineError if this machine lacks what the sandbox needs, or if the address cannot be used. Raises UserError
    for `jobs` below 1, and Unavailable if the engine fails while it starts.
    """
    if not settings.unconfined:
        check_machine()
    jobs = settings.jobs or 1
    check_rlimits(Limits(memory_mb=settings.max_memory_mb), jobs)
    connections = _connections(jobs)
    with asyncio.Runner() as runner:
        runner.run(_serve(settings, connections, notify))


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
            http="h11",
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
