"""The web application: its routes, and what an error becomes."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from codepref import __version__
from codepref.errors import CodeprefError, UserError
from codepref.service.bodies import JudgeAnswer, JudgeItem, JudgeItems, RefusedBody, RunCodeAnswer, RunCodeBody
from codepref.service.guards import Guards
from codepref.service.judge import judge, run_code
from codepref.service.metrics import Metrics
from codepref.service.pool import Pool
from codepref.service.problems import Problems
from codepref.service.settings import Full, ServiceSettings, Unavailable

Result = TypeVar("Result")

MAX_MISTAKES, MAX_MISTAKE = 10, 300
"""The largest number of mistakes in an answer, and the number of characters at which the text of a mistake is cut."""

REFUSALS: dict[int | str, dict[str, Any]] = {
    401: {"model": RefusedBody, "description": "the token is missing or wrong"},
    413: {"model": RefusedBody, "description": "the body is too large"},
    422: {"model": RefusedBody, "description": "the request is wrong; the detail says what is wrong"},
    429: {"model": RefusedBody, "description": "there is no room for the request; Retry-After says when to try again"},
    503: {"model": RefusedBody, "description": "programs cannot run now"},
    504: {"model": RefusedBody, "description": "the request was not answered in time; it can be sent again"},
}


class PlainJSON(JSONResponse):
    """An answer of JSON in ASCII, so that it can hold every text."""

    def render(self, content: Any) -> bytes:
        """Return the bytes of the body."""
        return json.dumps(content, separators=(",", ":"), allow_nan=False).encode("ascii")


class Service:
    """The parts of a running service. `start` makes them, and `close` ends the workers."""

    def __init__(self, settings: ServiceSettings) -> None:
        self.settings = settings
        self.pool: Pool
        self.problems: Problems
        self.metrics: Metrics

    async def start(self) -> None:
        """Start the engine, and run one program.

        Raises UserError for `jobs` below 1, MachineError if this machine lacks what the sandbox needs, and Unavailable
        if the engine fails.
        """
        settings = self.settings
        self.pool = Pool(jobs=settings.jobs, unconfined=settings.unconfined, capacity=settings.queue)
        self.problems, self.metrics = Problems(self.pool, settings), Metrics(self.pool)
        try:
            await run_code(RunCodeBody(code="", language="python"), self.pool, settings)
        except CodeprefError:
            await self.pool.close()
            raise

    async def close(self) -> None:
        """End all workers."""
        await self.pool.close()

    def application(self) -> ASGIApp:
        """Return the whole application: the routes behind the guards."""
        return Guards(self._counted(self._routes()), self.settings)

    def _counted(self, app: ASGIApp) -> ASGIApp:
        return self.metrics.counted(app)

    def _routes(self) -> FastAPI:
        app = FastAPI(
            title="codepref",
            version=__version__,
            summary="The sandbox of codepref behind HTTP",
            default_response_class=PlainJSON,
        )
        handlers: dict[type[Exception], Callable[[Request, Any], Awaitable[Response]]] = {
            CodeprefError: _refused,
            RequestValidationError: _invalid,
            HTTPException: _http_error,
        }
        for kind, handler in handlers.items():
            app.add_exception_handler(kind, handler)
        self._add_work(app)
        self._add_state(app)
        return app

    def _add_work(self, app: FastAPI) -> None:
        @app.post("/judge", response_model=JudgeAnswer | list[JudgeAnswer], responses=REFUSALS)
        async def judge_solutions(body: JudgeItem | JudgeItems, request: Request) -> Response:
            """Run solutions against the tests of their problem. The answer to a list of items is a list of answers."""
            items = body if isinstance(body, list) else [body]
            answers = await self._work(request, judge(items, self.problems, self.pool))
            for answer in answers:
                self.metrics.judged((verdict.codes, verdict.correct) for verdict in answer.verdicts)
            dumped = [answer.model_dump() for answer in answers]
            return PlainJSON(dumped if isinstance(body, list) else dumped[0])

        @app.post("/run_code", response_model=RunCodeAnswer, responses=REFUSALS)
        async def run_program(body: RunCodeBody, request: Request) -> Response:
            """Run a Python program. Request and answer have the form of SandboxFusion. The output is not compared."""
            answer = await self._work(request, run_code(body, self.pool, self.settings))
            self.metrics.ran(answer.status)
            return PlainJSON(answer.model_dump())

    def _add_state(self, app: FastAPI) -> None:
        @app.get("/healthz", responses={503: {"model": RefusedBody}})
        async def health() -> Response:
            """Return whether programs can run. No token is needed."""
            state = {"status": "failed" if self.pool.failure else "ok", "version": __version__}
            return PlainJSON(state, status_code=503 if self.pool.failure else 200)

        @app.get("/metrics")
        async def metrics() -> Response:
            """Return figures in the text format of Prometheus."""
            return Response(self.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def _work(self, request: Request, work: Coroutine[Any, Any, Result]) -> Result:
        """Return the result of `work`. Cancel it when the client closes its connection, and when the time is over.

        Raises HTTPException in these two cases, and what `work` raises.
        """
        task = asyncio.ensure_future(work)
        gone = asyncio.ensure_future(_disconnected(request))
        try:
            seconds = self.settings.request_seconds
            done, _ = await asyncio.wait({task, gone}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if task in done:
                return task.result()
            if gone in done:
                raise HTTPException(499, "the client has gone")
            raise HTTPException(504, f"the request was not answered within {seconds:g} s")
        finally:
            task.cancel()
            gone.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                if not task.done():
                    await task


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _refused(request: Request, error: CodeprefError) -> Response:
    if isinstance(error, UserError):
        return _answer(422, "\n".join(_short(error.problems)))
    if isinstance(error, Full):
        return _answer(429, str(error), {"retry-after": str(error.retry_after)})
    detail = str(error) if isinstance(error, Unavailable) else f"programs cannot run now: {error}"
    return _answer(503, detail[:MAX_MISTAKE], {"retry-after": "5"})


async def _invalid(request: Request, error: RequestValidationError) -> Response:
    lines = [
        f"{'.'.join(map(str, one['loc'][1:])) or 'body'}: {one['msg'].removeprefix('Value error, ')}"
        for one in error.errors()[:MAX_MISTAKES]
    ]
    return _answer(422, "\n".join(_short(lines)))


async def _http_error(request: Request, error: HTTPException) -> Response:
    return _answer(error.status_code, str(error.detail)[:MAX_MISTAKE], error.headers)


def _short(lines: Any) -> list[str]:
    """Return the first MAX_MISTAKES lines, each cut at MAX_MISTAKE characters."""
    return [line if len(line) <= MAX_MISTAKE else f"{line[:MAX_MISTAKE]}..." for line in [*lines][:MAX_MISTAKES]]


def _answer(status: int, detail: str, headers: Any = None) -> Response:
    return PlainJSON({"detail": detail}, status_code=status, headers=dict(headers or {}))


@contextlib.asynccontextmanager
async def started(settings: ServiceSettings) -> AsyncIterator[Service]:
    """Yield a service that has started, and end it after the block. Raises what `Service.start` raises."""
    service = Service(settings)
    await service.start()
    try:
        yield service
    finally:
        await service.close()
