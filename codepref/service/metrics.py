"""The figures of `GET /metrics`, in the text format of Prometheus."""

from __future__ import annotations

import time
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from codepref.service.pool import Pool

PATHS = ("/judge", "/run_code", "/healthz", "/metrics")
"""The paths that have figures of their own. All other paths count together, since clients can send any path."""

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
"""The upper ends of the buckets of times, in seconds."""


class Metrics:
    """The figures of one service."""

    def __init__(self, pool: Pool) -> None:
        self._registry = CollectorRegistry()
        names = ("path", "status")
        self._requests = Counter(
            "codepref_requests", "Requests that passed the checks of token and body", names, registry=self._registry
        )
        self._seconds = Histogram(
            "codepref_request_seconds", "Time to answer a request", ("path",), buckets=BUCKETS, registry=self._registry
        )
        self._solutions = Counter("codepref_solutions", "Judged solutions", ("correct",), registry=self._registry)
        self._codes = Counter("codepref_verdicts", "Verdict codes of tests", ("code",), registry=self._registry)
        self._programs = Counter("codepref_programs", "Programs of /run_code", ("status",), registry=self._registry)
        gauges = {
            "codepref_outstanding": ("Solutions and programs that wait or run", lambda: pool.outstanding),
            "codepref_queue_capacity": (
                "The largest number of solutions and programs that may wait or run",
                lambda: pool.capacity,
            ),
            "codepref_workers": ("The largest number of workers", lambda: pool.jobs),
            "codepref_engine_restarts": ("Restarts of the engine after a failure", lambda: pool.restarts),
            "codepref_healthy": ("1 if programs can run", lambda: not pool.failure),
        }
        for name, (text, value) in gauges.items():
            Gauge(name, text, registry=self._registry).set_function(value)

    def text(self) -> bytes:
        """Return all figures."""
        return bytes(generate_latest(self._registry))

    def judged(self, verdicts: Iterable[tuple[str, bool | None]]) -> None:
        """Count solutions and their codes. verdicts: the codes of each solution, and whether it is correct."""
        for codes, correct in verdicts:
            self._solutions.labels({True: "yes", False: "no", None: "unknown"}[correct]).inc()
            for code in set(codes):
                self._codes.labels(code).inc(codes.count(code))

    def ran(self, status: str) -> None:
        """Count a program of /run_code."""
        self._programs.labels(status).inc()

    def counted(self, app: ASGIApp) -> ASGIApp:
        """Return an application that counts the requests of `app`."""

        async def counting(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            path = scope["path"] if scope["path"] in PATHS else "other"
            status, started = "none", time.monotonic()

            async def note(message: Message) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = str(message["status"])
                await send(message)

            try:
                await app(scope, receive, note)
            finally:
                self._requests.labels(path, status).inc()
                self._seconds.labels(path).observe(time.monotonic() - started)

        return counting
