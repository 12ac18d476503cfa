"""The workers behind the service. The engine runs in its own thread, and requests wait for it in the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import threading
import time
from collections import deque
from collections.abc import Iterator

from codepref.errors import CodeprefError
from codepref.execution.limits import Limits
from codepref.execution.stream import StreamEngine, Work
from codepref.execution.tasks import Task
from codepref.service.settings import Full, Unavailable

MAX_RETRY_SECONDS = 60
"""The largest Retry-After, in seconds."""

MAX_RESTART_SECONDS = 30.0
"""The longest wait before the engine is started again.

The wait doubles with each failure. It is one second after an engine that ran for longer than MAX_RESTART_SECONDS.
"""

_log = logging.getLogger("codepref.service")


class Pool:
    """A queue of bounded length before the engine. Its public methods are called in the event loop.

    capacity: the largest number of solutions and programs that wait or run at one time.

    Attributes:
        outstanding: the number of solutions and programs that wait or run.
        restarts: how often the engine was started again after a failure.
        failure: why the engine cannot run programs now, or "".
    """

    def __init__(self, *, jobs: int | None, unconfined: bool, capacity: int) -> None:
        self._jobs, self._unconfined, self.capacity = jobs, unconfined, capacity
        self.outstanding = self.restarts = 0
        self.failure = ""
        self._engine: StreamEngine | None = self._new_engine()
        self.jobs, self.cache = self._engine.jobs, self._engine.cache
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._waiting: dict[Work, asyncio.Future[None]] = {}
        self._finished: deque[Work] = deque()
        self._loop = asyncio.get_running_loop()
        self._rate, self._counted, self._since = 0.0, 0, time.monotonic()
        self._thread = threading.Thread(target=self._work, name="engine", daemon=True)
        self._thread.start()

    def _new_engine(self) -> StreamEngine:
        return StreamEngine(jobs=self._jobs, unconfined=self._unconfined)

    @contextlib.contextmanager
    def room(self, count: int) -> Iterator[None]:
        """Hold room for `count` solutions inside the block. Raises Full if the queue has less room."""
        if self.outstanding + count > self.capacity:
            raise Full(self._retry_after())
        self.outstanding += count
        try:
            yield
        finally:
            self.outstanding -= count
            self._counted += count

    def _retry_after(self) -> int:
        """Return the seconds in which the present queue will probably be empty, from 1 to MAX_RETRY_SECONDS."""
        seconds = time.monotonic() - self._since
        if seconds > 1:
            self._rate, self._counted, self._since = self._counted / seconds, 0, time.monotonic()
        return min(MAX_RETRY_SECONDS, max(1, math.ceil(self.outstanding / max(self._rate, 1.0))))

    async def run(self, task: Task, limits: Limits, *, gold_seconds: float | None = None) -> Work:
        """Return the work of a task when it has its verdicts.

        If the caller is cancelled, workers get no further solutions of the task. Raises Unavailable if the engine does
        not run or stops before the task is finished, and UserError for a malformed task.
        """
        work, future = Work(task, limits, self._done, gold_seconds=gold_seconds), self._loop.create_future()
        with self._lock:
            engine = self._engine
            if engine is None:
                raise Unavailable(self.failure or "the service ends")
            self._waiting[work] = future
            engine.submit(work)
        try:
            await future
        except asyncio.CancelledError:
            engine.cancel(work)
            raise
        finally:
            self._waiting.pop(work, None)
        if work.error is not None:
            raise work.error
        return work

    def _done(self, work: Work) -> None:
        """Hand finished work to the event loop. Called in the engine's thread."""
        self._finished.append(work)
        if len(self._finished) == 1:
            self._tell(self._deliver)

    def _tell(self, function: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(function)  # type: ignore[arg-type]

    def _deliver(self) -> None:
        while self._finished:
            future = self._waiting.pop(self._finished.popleft(), None)
            if future is not None and not future.done():
                future.set_result(None)

    def _work(self) -> None:
        """Run the engine, and start it again after a failure. The engine's thread runs this method."""
        wait = 1.0
        while not self._closing.is_set():
            started = time.monotonic()
            engine = self._engine
            try:
                if engine is None:
                    engine = self._new_engine()
                    with self._lock:
                        self._engine, self.failure = engine, ""
                engine.serve()
                cause = "the service ends"
            except CodeprefError as error:
                cause = str(error)
            except Exception:  # noqa: BLE001 - a fault of codepref ends the engine, and the next one starts
                cause = "the engine failed; the log of the server has the cause"
                _log.exception("the engine failed and is started again")
            with self._lock:
                self._engine, self.failure = None, cause
            if engine is not None:
                for work in engine.unfinished():
                    work.error = Unavailable(cause)
                    self._done(work)
                engine.close()
            if self._closing.is_set():
                return
            self.restarts += 1
            wait = 1.0 if time.monotonic() - started > MAX_RESTART_SECONDS else min(2 * wait, MAX_RESTART_SECONDS)
            self._closing.wait(wait)

    def stop(self) -> None:
        """Tell the engine to end. Work without a result gets an error, and no further work runs."""
        self._closing.set()
        with self._lock:
            if self._engine is not None:
                self._engine.stop()

    async def close(self) -> None:
        """End all workers, and wait until they have ended."""
        self.stop()
        await asyncio.to_thread(self._thread.join)
