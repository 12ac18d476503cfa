"""`codepref.serve` runs solutions and programs for clients over HTTP."""

from __future__ import annotations

import os
from collections.abc import Callable

from codepref.errors import MachineError
from codepref.execution.limits import Limits
from codepref.records import VacuousTests


def serve(
    *,
    host: str = "127.0.0.1",
    port: int = 8080,
    token: str | None = None,
    jobs: int | None = None,
    queue: int = 4096,
    limits: Limits | None = None,
    vacuous_tests: VacuousTests = "leave-out",
    max_cpu_seconds: float = 300.0,
    max_memory_mb: int = 8192,
    request_seconds: float = 600.0,
    body_mb: float = 16.0,
    unconfined: bool = False,
    notify: Callable[[str], None] = print,
) -> None:
    """Run solutions and programs that clients send over HTTP, until the process gets SIGTERM or SIGINT.

    host, port: the address; port 0 takes a free port. By default only programs on this machine reach it.
    token: what clients must send as a bearer token. None: the environment variable CODEPREF_TOKEN, or no token.
    jobs: the number of workers. None means one for each core.
    queue: the largest number of solutions and programs that wait or run at one time. A request for which there is no
        room now gets the status 429. A request that has more solutions than this gets the status 422.
    limits, vacuous_tests: the values of requests that name none.
    max_cpu_seconds, max_memory_mb: the highest limits of CPU time and memory that a request may name.
    request_seconds: the time in which a request must be answered.
    body_mb: the largest body of a request, in MiB.
    unconfined: run untrusted programs without Landlock.
    notify: called with the address when the server listens.

    Raises UserError for wrong values. Raises MachineError if this machine lacks what the sandbox needs, if the
    address cannot be used, if the packages of the extra `serve` are missing, or if the engine fails while it starts.
    """
    from codepref.service.settings import TOKEN_VARIABLE, ServiceSettings

    settings = ServiceSettings(
        host=host,
        port=port,
        token=os.environ.get(TOKEN_VARIABLE, "") if token is None else token,
        jobs=jobs,
        queue=queue,
        limits=limits or Limits(),
        vacuous_tests=vacuous_tests,
        max_cpu_seconds=max_cpu_seconds,
        max_memory_mb=max_memory_mb,
        request_seconds=request_seconds,
        body_mb=body_mb,
        unconfined=unconfined,
    )
    try:
        from codepref.service.server import serve_requests
    except ImportError as error:
        raise MachineError(
            f"the server needs a package that is not installed ({error.name}). Install it with "
            "pip install 'codepref[serve]'"
        ) from None
    serve_requests(settings, notify)
